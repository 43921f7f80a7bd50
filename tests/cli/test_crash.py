# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans for a panic: everything in the reservation, nothing else in the capture kernel's map."""

import pytest

import images
import pe
import plans
import test_multiboot as multiboot
from kexec_run import run
from machines import FLAGS, GIB, MIB, RAM, TIB, Machine, in_pieces, pc as pc_map

LOW = (1 * GIB, 1 * GIB + 256 * MIB)
HIGH = (5 * GIB, 5 * GIB + 256 * MIB)

MACHINES = {
    "low": Machine(pc_map(2 * GIB), crash_kernel=LOW),
    "high": Machine(pc_map(16 * GIB), crash_kernel=HIGH, crash_low=LOW),
    "sparse CPUs": Machine(pc_map(2 * GIB), crash_kernel=LOW, cpus=(0, 2, 7, 250)),
    "kept current": Machine(pc_map(2 * GIB), crash_kernel=LOW, elfcorehdr_size=917616),
    "5-level": Machine(pc_map(16 * GIB), crash_kernel=HIGH, flags=FLAGS + " la57"),
    "1 TiB, small pages": Machine(pc_map(TIB), crash_kernel=HIGH,
                                  flags=FLAGS.replace("pdpe1gb ", "")),
    "300 ranges": Machine(in_pieces(299), crash_kernel=(64 * MIB, 240 * MIB)),
    "EFI": Machine(pc_map(2 * GIB), crash_kernel=LOW, is_efi=True),
}
KEPT_AT_ODD = Machine([(0, 0x9fc00, RAM), (MIB, 0x7ffca018, RAM), (0x7ffca819, 3 * GIB - 13, RAM)],
                      crash_kernel=LOW)


def ram_of_map(plan):
    return [(int(e["start"], 16), int(e["end"], 16)) for e in plan["e820"]["entries"]
            if e["type"] == RAM]


def dumped(plan):
    return [(int(r["start"], 16), int(r["end"], 16)) for r in plan["crash"]["ram"]]


def without(ranges, holes):
    for a, b in holes:
        ranges = [part for start, end in ranges
                  for part in ((start, min(end, a)), (max(start, b), end)) if part[0] < part[1]]
    return ranges


def plan_of(machine, folder, *words, kernel="6.1-amd64"):
    result = run("--dry-run", "--json", machine.write(folder / "host"), "-p",
                 str(images.path(kernel)), *words).done()
    return plans.Plan(result.out)


def check(plan, machine):
    region = machine.crash_kernel
    kept = [r for r in (region, machine.crash_low) if r]
    headers = plan.segment("elfcorehdr")
    for start, end, name in plan.windows:
        assert region[0] <= start and end <= region[1], name
    assert plan.names[-1] == "elfcorehdr"
    assert (int(plan["crash"]["region"]["start"], 16), int(plan["crash"]["region"]["end"], 16)) == \
        region
    taken = (headers["addr"], headers["addr"] + headers["mem_len"])
    ram = [(s, e) for s, e, kind in machine.entries if kind == RAM]
    low = [(s, min(e, MIB)) for s, e in ram if s < MIB]
    assert ram_of_map(plan) == sorted(low + without(kept, [taken]))
    assert dumped(plan) == without(ram, [(0, MIB), *kept])
    assert plan["crash"]["cpus"] == len(machine.cpus)
    assert plan["crash"]["kept_current"] == bool(machine.elfcorehdr_size)
    assert headers["verified"] == (not machine.elfcorehdr_size)
    assert headers["mem_len"] >= machine.elfcorehdr_size
    assert plan["cmdline"].split()[0] == f"elfcorehdr={plan['crash']['elfcorehdr']}"


@pytest.mark.parametrize("name", MACHINES)
def test_machine(folder, name):
    machine = MACHINES[name]
    plan = plan_of(machine, folder, "--append=root=/dev/vda1")
    check(plan, machine)
    plan.check_kernel(images.real())
    assert plan["cmdline"].endswith(" root=/dev/vda1")
    assert plan.is_direct and plan["kaslr"]["drawn"]


def test_ram_comes_first(folder):
    """A kernel that takes 128 ranges of 300 has to be told of the reservation, which is behind them."""
    machine = Machine(in_pieces(299), crash_kernel=LOW)
    plan = plan_of(machine, folder)
    check(plan, machine)
    kinds = [entry["type"] for entry in plan["e820"]["entries"]]
    n_ram = kinds.count(RAM)
    assert len(kinds) > 300 and kinds[:n_ram] == [RAM] * n_ram
    assert any(a <= LOW[0] < b for a, b in ram_of_map(plan))


def test_borders_within_pages(folder):
    check(plan_of(KEPT_AT_ODD, folder), KEPT_AT_ODD)


@pytest.mark.parametrize("kernel, enter", [("7-amd64", "64"), ("6.1-686-pae", "auto")])
def test_other_images(folder, kernel, enter):
    machine = Machine(pc_map(2 * GIB), crash_kernel=(256 * MIB, 512 * MIB))
    plan = plan_of(machine, folder, f"--enter={enter}", kernel=kernel)
    check(plan, machine)


def test_elf_kernel(folder):
    """Without relocations it moves, physically, from where it was linked."""
    model = images.unpacked("6.1-cloud")
    where = folder / "vmlinux"
    where.write_bytes(model.data[:model.elf_len])
    result = run("--dry-run", "--json", MACHINES["high"].write(folder / "host"), "-p", where)
    plan = plans.Plan(result.done().out)
    check(plan, MACHINES["high"])
    assert "vmlinux/moved" in plan.notes and plan["kaslr"]["vaddr_delta"] == "0x0"


def test_32_bit_kernel_above_4_gib(folder):
    """It has no way to run there, and what to do is said."""
    result = run("--dry-run", MACHINES["high"].write(folder), "-p",
                 str(images.path("6.1-686-pae")))
    result.failed("place/no-hole")
    assert b"crashkernel=" in result.err


def test_32_bit_headers(folder):
    check(plan_of(MACHINES["low"], folder, "--elf32-core-headers"), MACHINES["low"])
    result = run("--dry-run", MACHINES["high"].write(folder), "-p", "--elf32-core-headers",
                 str(images.path("6.1-amd64")))
    result.failed("elfcorehdr/above-4gib")
    assert b"--elf32-core-headers" in result.err


def test_map_in_the_command_line(folder):
    plan = plan_of(MACHINES["low"], folder, "--pass-memmap-cmdline", "--append=quiet")
    check(plan, MACHINES["low"])
    words = plan["cmdline"].split()
    assert words[1] == "memmap=exactmap" and words[-1] == "quiet"
    assert words[2] == "memmap=0x9fc00@0"
    assert [w for w in words if "#" in w] == ["memmap=0x10000#0x7ffe0000"]


def test_reuse_cmdline(folder):
    """What took the memory and named another dump is not handed on."""
    machine = Machine(pc_map(2 * GIB), crash_kernel=LOW,
                      cmdline="root=/dev/vda1 crashkernel=256M elfcorehdr=1M quiet")
    plan = plan_of(machine, folder, "--reuse-cmdline")
    assert plan["cmdline"].split()[1:] == ["root=/dev/vda1", "quiet"]


def test_long_command_line(folder):
    """Nothing is cut off, of what was given and of what is added: one character too many fails."""
    added = len(plan_of(MACHINES["low"], folder)["cmdline"]) + 1
    line = "x" * (2047 - added)
    assert plan_of(MACHINES["low"], folder, f"--append={line}")["cmdline"].endswith(f" {line}")
    run("--dry-run", MACHINES["low"].write(folder), "-p", f"--append={line}x",
        str(images.path("6.1-amd64"))).failed("params/cmdline-too-long", says=("2048",))


@pytest.mark.parametrize("words, machine, reason", [
    ((), Machine(pc_map(2 * GIB)), "crash/no-reservation"),
    ((), Machine(pc_map(2 * GIB), crash_kernel=LOW, has_iomem=False), "crash/no-iomem"),
    (("--mem-max=512M",), MACHINES["low"], "crash/region-limited"),
    (("--hotplug",), MACHINES["low"], "crash/no-hotplug"),
    (("--append=elfcorehdr=1M",), MACHINES["low"], "cmdline/elfcorehdr"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_refusals(folder, words, machine, reason):
    run("--dry-run", machine.write(folder), "-p", *words,
        str(images.path("6.1-amd64"))).failed(reason)


@pytest.mark.parametrize("form", [(), ("--map",)])
def test_reports(folder, form):
    text = run("--dry-run", *form, MACHINES["kept current"].write(folder), "-p",
               str(images.path("6.1-amd64"))).done().out.decode()
    assert "elfcorehdr" in text
    assert ("256 MiB of RAM for" in text or "255.1 MiB of RAM for" in text) == bool(form)
    assert ("region 0x40000000 - 0x4fffffff, 256 MiB" in text) == (not form)


@pytest.mark.parametrize("image, words, warning", [
    (multiboot.elf(multiboot.header_2(multiboot.tag(10, 0, 0x100000, 0xffffffff, 0x1000, 0))), (),
     "multiboot/crash"),
    (multiboot.elf(bits=64, at=LOW[0] + 0x1000000), ("--args-elf",), "elf/crash"),
    (multiboot.elf(bits=32, at=LOW[0] + 0x1000000), ("--args-none",), "elf/crash"),
], ids=["multiboot2", "ELF notes", "program"])
def test_no_linux(folder, image, words, warning):
    """It gets the reservation like any other; what it cannot be told is said, and no budget made up."""
    (folder / "image").write_bytes(image)
    result = run("--dry-run", "--json", MACHINES["low"].write(folder / "host"), "-p", *words,
                 folder / "image")
    assert result.status == 0, result
    plan = plans.Plan(result.out)
    for start, end, name in plan.windows:
        assert LOW[0] <= start and end <= LOW[1], name
    assert plan.names[-1] == "elfcorehdr"
    assert {warning, "crash/no-budget"} <= set(plan.notes) and "budget" not in plan
    assert warning.encode() in result.err


@pytest.mark.parametrize("image, words, reason", [
    (multiboot.elf(multiboot.header_1()), (), "place/no-hole"),
    (None, ("--enter=16",), "real-mode/crash"),
], ids=["multiboot of one place", "real mode"])
def test_not_in_the_reservation(folder, image, words, reason):
    (folder / "image").write_bytes(image or images.path("6.1-amd64").read_bytes())
    run("--dry-run", MACHINES["low"].write(folder / "host"), "-p", *words,
        folder / "image").failed(reason)


def test_unified_kernel_image(folder):
    """Its own command line and its own initrd, packed as they are."""
    cpio = b"070701" + bytes(3000)
    where = folder / "uki.efi"
    where.write_bytes(pe.image([(".linux", images.path("6.1-amd64").read_bytes()),
                                (".initrd", cpio), (".cmdline", b"root=/dev/vda1 -- x")]))
    plan = plans.Plan(run("--dry-run", "--json", MACHINES["low"].write(folder / "host"), "-p",
                          where).done().out)
    check(plan, MACHINES["low"])
    assert plan["cmdline"].endswith(" root=/dev/vda1 -- x")
    assert plan["initrd"]["len"] >= len(cpio)
