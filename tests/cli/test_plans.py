# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans: the same for the same input, legal on every machine, where --mem-min and --mem-max say."""

import hashlib
import os
import random
import threading

import pytest

import images
import plans
from kexec_run import NOBODY, run
from machines import FLAGS, GIB, KIB, MIB, RAM, RESERVED, TIB, Machine, in_pieces, pc as pc_map

MACHINES = {
    "256 MiB": Machine(pc_map(256 * MIB)),
    "512 MiB": Machine(pc_map(512 * MIB)),
    "1 GiB": Machine(pc_map(GIB)),
    "3 GiB": Machine(pc_map(3 * GIB)),
    "4 GiB": Machine(pc_map(4 * GIB)),
    "16 GiB": Machine(pc_map(16 * GIB)),
    "1 TiB": Machine(pc_map(TIB)),
    "1 TiB, small pages": Machine(pc_map(TIB), flags=FLAGS.replace("pdpe1gb ", "")),
    "5-level": Machine(pc_map(4 * GIB), flags=FLAGS + " la57"),
    "crash kernel": Machine(pc_map(GIB), crash_kernel=(512 * MIB, 1000 * MIB)),
    "masked iomem": Machine(pc_map(2 * GIB), has_iomem=False),
    "127 entries": Machine(in_pieces(62)),
    "128 entries": Machine([*in_pieces(62), (3 * GIB, 3 * GIB + MIB, RESERVED)]),
    "129 entries": Machine(in_pieces(63)),
    "400 entries": Machine(in_pieces(199)),
    "EFI": Machine(pc_map(2 * GIB), is_efi=True),
    "EFI, 400 entries": Machine(in_pieces(199), is_efi=True),
    "no memmap": Machine(pc_map(2 * GIB), has_memmap=False),
    "iomem only": Machine(pc_map(2 * GIB), has_memmap=False, has_boot_params=False),
}


def initrd(folder, length=3 * MIB + 5):
    where = folder / f"initrd.{length}"
    with where.open("wb") as f:
        f.write(b"070701")
        f.truncate(length)
    return where


@pytest.mark.parametrize("enter", ["stub", "auto"])
@pytest.mark.parametrize("kernel", ["6.1-amd64", "7-amd64", "6.1-686-pae"])
@pytest.mark.parametrize("name", MACHINES)
def test_machine(folder, name, kernel, enter):
    machine = MACHINES[name]
    # An i386 kernel cannot take over what 64-bit firmware offers.
    dropped = "params/efi-dropped" if machine.is_efi and kernel.endswith("pae") else None
    stub = "32" if kernel.endswith("pae") else "64"
    plan = plans.of(machine.write(folder / "host"), images.path(kernel),
                    f"--enter={enter.replace('stub', stub)}", f"--initrd={initrd(folder)}",
                    "--append=root=/dev/vda1", machine=machine, warns=dropped)
    assert plan["cmdline"] == "root=/dev/vda1"
    assert ("host/iomem-unprivileged" in plan.notes) == (not machine.has_iomem)
    assert plan["e820"]["source"] == ("firmware" if machine.has_memmap else
                                      "boot_params" if machine.has_boot_params else "iomem")
    assert plan["entry_name"] == (stub if enter == "stub" else "direct")
    assert plan["kaslr"]["drawn"] == (enter == "auto")
    if machine.is_efi:
        assert plan["rsdp_source"] == "efi"


@pytest.mark.parametrize("name", MACHINES)
def test_machine_by_the_32_bit_entry(folder, name):
    machine = MACHINES[name]
    plan = plans.of(machine.write(folder / "host"), images.path("6.1-amd64"), "--enter=32",
                    f"--initrd={initrd(folder)}", machine=machine)
    assert plan["jump"]["mode"] == "32"


@pytest.mark.parametrize("kernel", ["6.1-amd64", "7-amd64", "6.1-686-pae"])
@pytest.mark.parametrize("name", MACHINES)
def test_machine_by_the_real_mode_entry(folder, name, kernel):
    machine = MACHINES[name]
    words = (machine.write(folder / "host"), images.path(kernel),
             "--real-mode" if name == "1 GiB" else "--enter=16", f"--initrd={initrd(folder)}",
             "--append=root=/dev/vda1 vga=791 edd=off")
    if machine.is_efi:
        run("--dry-run", *words).failed("real-mode/no-bios", says=("BIOS", "EFI"))
        return
    plan = plans.of(*words, machine=machine)
    assert plan["entry_name"] == "16" and plan.segment("setup")["addr"] == 0x10000
    assert "real-mode/by-bios" in plan.notes


def test_real_mode_limits(folder, pc):
    """Low memory is none of --mem-min's and --mem-max's; without any there is no real mode."""
    kernel = images.path("6.1-amd64")
    plans.of(pc, kernel, "--enter=16", "--mem-max=512M", mem_max=512 * MIB,
             warns="real-mode/edd")
    run("--dry-run", pc, kernel, "--enter=16", "--mem-min=16M").failed(
        "real-mode/mem-min", says=("0x1000000",))
    machine = Machine([(0, 0x10000, RAM), (MIB, GIB, RAM)])
    run("--dry-run", machine.write(folder / "host"), kernel, "--enter=16").failed(
        "place/no-hole", says=("setup",))
    run("--dry-run", pc, kernel, "--enter=16", "--append=vga=wide").failed(
        "real-mode/vga", says=("vga=wide",))


def test_more_entries_take_more_room(folder):
    """Entries beyond the 128 of the zero page are handed on, not dropped."""
    lengths = [plans.of(MACHINES[name].write(folder / name.replace(" ", "")),
                        images.path("6.1-amd64"), "--enter=64").segment("params")["len"]
               for name in ("128 entries", "400 entries")]
    assert lengths[1] - lengths[0] >= (400 - 129) * 20


def test_efi_is_handed_on_unless_unwanted(folder):
    host = MACHINES["EFI"].write(folder / "host")
    with_efi = plans.of(host, images.path("6.1-amd64"))
    without = plans.of(host, images.path("6.1-amd64"), "--noefi")
    assert with_efi.segment("params")["len"] > without.segment("params")["len"]
    assert "params/efi-unwanted" in without.notes
    assert "params/efi-dropped" not in with_efi.notes


def test_efi_that_must_be_dropped_is_a_warning(folder):
    """An old image: said on stderr without being asked."""
    host = MACHINES["EFI"].write(folder / "host")
    image = images.bare()
    where = folder / "old"
    where.write_bytes(image.with_fields({images.XLOADFLAGS: image.at(images.XLOADFLAGS) & ~0x10}))
    plans.of(host, where, warns="params/efi-dropped")


def test_old_protocol_gets_no_more_entries_than_it_takes(folder, pc):
    machine = Machine(in_pieces(100))
    where = folder / "old"
    where.write_bytes(images.bare().with_fields({images.VERSION: 0x208}))
    plan = plans.of(machine.write(folder / "host"), where, warns="params/e820-cut")
    assert len(plan["e820"]["entries"]) == 128


def test_segments_lie_in_memory_that_is_handed_on(folder):
    """What a kernel is not told of, it cannot find an initrd in."""
    machine = Machine([(a, b, kind) for a, b, kind in in_pieces(100) if b <= 600 * MIB])
    where = folder / "old"
    where.write_bytes(images.bare().with_fields({images.VERSION: 0x208}))
    plan = plans.Plan(run("--dry-run", "--json", machine.write(folder / "host"), where,
                          f"--initrd={initrd(folder)}").out)
    told = [(int(e["start"], 16), int(e["end"], 16)) for e in plan["e820"]["entries"]
            if e["type"] == RAM]
    for start, end, name in plan.windows:
        if name != "purgatory":
            assert any(a <= start and end <= b for a, b in told), name
    assert len(told) < sum(kind == RAM for _, _, kind in machine.entries)


@pytest.mark.parametrize("words, is_known", [((), True), (("--enter=64",), True), (("--mem-min=400M",), False)])
def test_segments_lie_in_what_every_kernel_knows(folder, words, is_known):
    """A kernel without NUMA forgets what is beyond 131 ranges. Where that is not to be had, it is said."""
    machine = Machine(in_pieces(199))
    plan = plans.of(machine.write(folder / "host"), images.path("6.1-cloud"), f"--initrd={initrd(folder)}", *words,
                    machine=machine, warns=None if is_known else "load/beyond-known-ram")
    entries = plan["e820"]["entries"]
    assert len(entries) > 400
    end = int(entries[127]["end"], 16)
    assert all((at_end <= end) == is_known for _, at_end, _ in plan.windows)
    assert ("load/known-ram" in plan.notes) == is_known
    assert plan.notes.count("load/beyond-known-ram") == (not is_known)


# ----------------------------------------------------------------------------------- same and other


def test_equal_input_gives_equal_bytes(folder, pc):
    kernel = images.path("6.1-amd64")
    for form in ("--json", "--map", "--debug"):
        results = [run("--dry-run", form, "--seed=1", pc, kernel, f"--initrd={initrd(folder)}")
                   for _ in range(2)]
        assert results[0].status == 0 and results[0].out + results[0].err, results[0]
        assert (results[0].out, results[0].err) == (results[1].out, results[1].err)


@pytest.mark.parametrize("words", [("--enter=64",), ("--append=nokaslr",)])
def test_the_seed_is_seen_in_the_parameters_only(pc, words):
    """As long as no place is drawn."""
    kernel = images.path("6.1-amd64")
    one, other = (plans.of(pc, kernel, f"--seed={seed}", *words) for seed in ("1", "2"))
    assert one.segment("params")["sha256"] != other.segment("params")["sha256"]
    for plan in one, other:
        for s in plan["segments"]:
            if s["name"] in ("params", "purgatory"):  # purgatory has the digest of the parameters
                del s["sha256"]
    assert one == other


@pytest.mark.parametrize("enter", ["64", "auto"])
def test_without_a_seed_no_two_loads_are_the_same(pc, enter):
    one, other = (plans.of(pc, images.path("6.1-amd64"), f"--enter={enter}") for _ in range(2))
    assert one.segment("params")["sha256"] != other.segment("params")["sha256"]


@pytest.mark.parametrize("seeds", [(), ("1", "2", "3", "4", "f" * 64)])
def test_the_place_is_drawn(pc, seeds):
    """From the seed, or anew each time: physical and virtual place, each for itself."""
    runs = [(f"--seed={seed}",) for seed in seeds] or [()] * 5
    drawn = [plans.of(pc, images.path("6.1-amd64"), *words) for words in runs]
    assert all(plan["kaslr"]["drawn"] for plan in drawn)
    # Of about 8000 places and 480; that even two are the same is unlikely, all five never.
    assert len({plan.segment("kernel")["addr"] for plan in drawn}) >= 4
    assert len({plan.delta for plan in drawn}) >= 4
    assert len({plan.delta - plan.segment("kernel")["addr"] for plan in drawn}) >= 4
    for words, plan in zip(runs, drawn):
        if words:
            assert plans.of(pc, images.path("6.1-amd64"), *words) == plan


def test_the_name_of_a_file_does_not_count(folder, pc):
    kernel = folder / "a kernel with blanks and \N{SNOWMAN}"
    kernel.write_bytes(images.bare())
    (folder / "link").symlink_to(kernel.name)
    os.link(kernel, folder / "hard")
    outs = {run("--dry-run", "--json", "--seed=1", pc, path, cwd=folder).done().out
            for path in (kernel, "link", "./hard", f"../{folder.name}/link")}
    assert len(outs) == 1
    piped = run("--dry-run", "--json", "--seed=1", pc, "/dev/stdin", input=images.bare()).done()
    assert piped.out in outs


def test_where_the_machine_was_read_does_not_count(folder):
    kernel = images.path("6.1-amd64")
    outs = [run("--dry-run", "--json", "--seed=1", MACHINES["EFI"].write(folder / name),
                kernel).done().out for name in ("one", "two")]
    assert outs[0] == outs[1]


# --------------------------------------------------------------------------- --mem-min, --mem-max


@pytest.mark.parametrize("kernel, low, high", [
    ("6.1-amd64", 0, 512 * MIB - 1),
    ("6.1-amd64", 0x20000000, 0x2fffffff),
    ("6.1-amd64", 4 * GIB, 1 << 63),
    ("6.1-amd64", 5 * GIB + 123, 6 * GIB - 77),
    ("6.1-686-pae", 64 * MIB, 256 * MIB),
])
@pytest.mark.parametrize("enter", ["stub", "auto"])
def test_limits_are_kept(folder, pc, kernel, low, high, enter):
    stub = "32" if kernel.endswith("pae") else "64"
    plan = plans.of(pc, images.path(kernel), f"--enter={enter.replace('stub', stub)}",
                    f"--initrd={initrd(folder)}", f"--mem-min={low:#x}", f"--mem-max={high:#x}",
                    machine=MACHINES["16 GiB"], mem_min=low, mem_max=high)
    assert "initrd" in plan.names
    # Purgatory must go below 4 GiB to change the paging mode, as it would for this image.
    assert plan.is_direct == plan["kaslr"]["drawn"] == (enter == "auto" and low < 4 * GIB)
    assert ("bzimage/by-stub" in plan.notes) == (enter == "auto" and low >= 4 * GIB)


@pytest.mark.parametrize("words", [("--enter=64",), ("--enter=direct", "--append=nokaslr")])
def test_limits_that_fit_to_the_byte(pc, words):
    """--mem-max is the last address that may be used, not the first that may not."""
    kernel = images.path("6.1-amd64")
    free = plans.of(pc, kernel, "--seed=1", *words)
    end = free.windows[-1][1]
    low = free.windows[0][0]
    assert plans.of(pc, kernel, "--seed=1", f"--mem-max={end - 1}", f"--mem-min={low}", *words,
                    mem_min=low, mem_max=end - 1) == free
    plans.of(pc, kernel, f"--mem-max={end - 2}", *words, mem_max=end - 2)
    window = free.segment("kernel")["reserve_len"]
    run("--dry-run", pc, kernel, f"--mem-min={64 * MIB}", f"--mem-max={64 * MIB + window - 2}",
        *words).failed("place/no-hole", says=("kernel",))


@pytest.mark.parametrize("enter", ["64", "auto", "direct"])
def test_no_room_within_limits(pc, enter):
    """The message gives the limits that were in force, and how much room there is."""
    run("--dry-run", pc, images.path("6.1-amd64"), f"--enter={enter}", "--mem-min=0x4000000",
        "--mem-max=0x5ffffff").failed(
            "place/no-hole", says=("kernel", "0x4000000", "0x6000000", str(32 * MIB // KIB)))


@pytest.mark.parametrize("enter, expected", [
    ("64", "place/no-hole"), ("auto", "place/no-hole"), ("direct", "direct/no-room")])
def test_no_room_at_all(folder, enter, expected):
    machine = Machine([(0, 0x9f000, RAM), (MIB, 20 * MIB, RAM)])
    run("--dry-run", machine.write(folder / "host"), images.path("6.1-amd64"),
        f"--enter={enter}").failed(expected, says=("kernel",))


def test_more_than_half_of_the_memory(folder):
    """The kernel's rule, said before the kernel says EINVAL."""
    machine = Machine(pc_map(512 * MIB))
    large = initrd(folder, 250 * MIB)
    result = run("--dry-run", machine.write(folder / "host"), images.path("6.1-amd64"),
                 f"--initrd={large}")
    result.failed("plan/over-half-of-ram", says=(str(machine.ram_total // KIB),))


def test_5_level_paging_and_an_image_that_does_not_know_it(folder):
    host = MACHINES["5-level"].write(folder / "host")
    image = images.bare()
    where = folder / "old"
    where.write_bytes(image.with_fields({images.XLOADFLAGS: image.at(images.XLOADFLAGS) & 0x1f}))
    plan = plans.of(host, where, machine=MACHINES["5-level"])
    assert plan.is_direct and plan["paging"] == "4-level"
    plan = plans.of(host, where, "--append=mem_encrypt=on")
    assert plan["entry_name"] == "32"
    assert {"bzimage/entered-by-32", "bzimage/by-stub"} <= set(plan.notes)
    run("--dry-run", host, where, "--enter=64").failed("bzimage/no-5-level")


def test_64_bit_entry_of_a_32_bit_kernel(pc):
    run("--dry-run", pc, images.path("6.1-686-pae"), "--enter=64").failed(
        "bzimage/no-64-bit-entry", says=("0x4",))


def test_64_bit_kernel_on_a_32_bit_cpu(folder):
    host = Machine(pc_map(GIB), flags="fpu pae").write(folder / "host")
    run("--dry-run", host, images.path("6.1-amd64")).failed("bzimage/cpu-is-32-bit")


# --------------------------------------------------------------------------------------- initrds


def padded(*parts):
    """How several parts lie in memory: each but the last filled up to a page."""
    joined = b""
    for part in parts:
        joined += bytes(-len(joined) % 4096) + part
    return joined


@pytest.mark.parametrize("lengths", [(1,), (4096,), (4097,), (3, 5, 7), (4096, 8192, 1),
                                     (4095, 4097, 4096)])
def test_initrds(folder, pc, lengths):
    contents = [bytes([i + 1]) * length for i, length in enumerate(lengths)]
    options = []
    for i, data in enumerate(contents):
        (folder / f"part{i}").write_bytes(data)
        options.append(f"--initrd={folder / f'part{i}'}")
    plan = plans.of(pc, images.path("6.1-amd64"), *options)
    together = padded(*contents)
    assert plan["initrd"] == {"files": len(lengths), "len": len(together)}
    assert plan.segment("initrd")["len"] == len(together)
    assert plan.segment("initrd")["sha256"] == hashlib.sha256(together).hexdigest()


@pytest.mark.parametrize("digest, each", [("crc32c", 4), ("sha256", 32), ("none", 0)])
@pytest.mark.parametrize("enter", ["64", "direct"])
def test_digests(folder, pc, digest, each, enter):
    """One for each 64 KiB of what is verified, in purgatory's segment. What --json tells of the
    bytes does not depend on it."""
    data = b"070701" + random.Random(1).randbytes(40 * MIB + 5)
    (folder / "part").write_bytes(data)
    words = ("--seed=1", f"--enter={enter}", "--append=nokaslr", f"--initrd={folder / 'part'}")
    kernel = images.path("6.1-amd64")
    plan = plans.of(pc, kernel, f"--digest={digest}", *words)
    bare = plans.of(pc, kernel, "--no-checks", *words)
    assert plan["digest"] == digest and bare["digest"] == "none" and not bare["checks"]
    assert plan.segment("initrd")["sha256"] == hashlib.sha256(data).hexdigest()
    n_chunks = sum(-(-plan.segment(name)["len"] // (64 * KIB))
                   for name in ("kernel", "initrd", "params"))
    grown = plan.segment("purgatory")["len"] - bare.segment("purgatory")["len"]
    assert grown % 4096 == 0 and abs(grown - each * n_chunks) < 4096
    for name in ("kernel", "initrd"):
        assert plan.segment(name)["sha256"] == bare.segment(name)["sha256"]
    text = run("--dry-run", f"--digest={digest}", *words, pc, kernel).done().out.decode()
    assert ("verifies nothing" if digest == "none" else
            f"verifies segments by {digest}") in text


def test_crc32c_is_the_default(pc, small):
    assert plans.of(pc, small)["digest"] == "crc32c"


def test_no_initrd(pc):
    plan = plans.of(pc, images.path("6.1-amd64"))
    assert plan.names == ["kernel", "params", "purgatory"]
    assert plan["initrd"] == {"files": 0, "len": 0}


def test_the_same_initrd_twice(folder, pc):
    where = folder / "part"
    where.write_bytes(b"abc")
    plan = plans.of(pc, images.path("6.1-amd64"), f"--initrd={where}", f"--ramdisk={where}")
    assert plan.segment("initrd")["sha256"] == hashlib.sha256(padded(b"abc", b"abc")).hexdigest()


def test_initrd_from_a_fifo(folder, pc):
    fifo, part = folder / "fifo", folder / "part"
    os.mkfifo(fifo)
    part.write_bytes(b"second")
    first = b"first" * 5000
    writer = threading.Thread(target=fifo.write_bytes, args=(first,))
    writer.start()
    plan = plans.of(pc, images.path("6.1-amd64"), f"--initrd={fifo}", f"--initrd={part}")
    writer.join()
    assert plan.segment("initrd")["sha256"] == hashlib.sha256(padded(first, b"second")).hexdigest()


@pytest.mark.parametrize("what, expected", [
    ("void", "file/empty"), ("missing", "file/open"), ("folder", "file/directory")])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_bad_initrd_is_named(folder, pc, what, expected, place):
    good = folder / "good"
    good.write_bytes(b"x")
    (folder / "void").touch()
    (folder / "folder").mkdir()
    parts = [good] * 3
    parts[place] = folder / what
    run("--dry-run", pc, images.path("6.1-amd64"), *(f"--initrd={p}" for p in parts)).failed(
        expected, says=(str(folder / what),))


def test_initrd_without_a_name(pc):
    run("--dry-run", pc, images.path("6.1-amd64"), "--initrd=").failed("options/bad-value", 1)


def test_many_initrds(folder, pc):
    """A segment for all of them, not one for each."""
    where = folder / "part"
    where.write_bytes(b"x")
    plan = plans.of(pc, images.path("6.1-amd64"), *[f"--initrd={where}"] * 100)
    assert plan["initrd"] == {"files": 100, "len": 99 * 4096 + 1}


def test_initrd_where_a_32_bit_kernel_finds_it(folder, pc):
    """Below its lowmem, however much memory there is."""
    plan = plans.of(pc, images.path("6.1-686-pae"), f"--initrd={initrd(folder)}")
    start = plan.segment("initrd")["addr"]
    assert start + 3 * MIB + 5 <= images.real("6.1-686-pae").at(images.INITRD_ADDR_MAX) + 1


# -------------------------------------------------------------------------------- command lines


def test_reused_command_line(folder):
    machine = Machine(pc_map(GIB), cmdline='BOOT_IMAGE=/vmlinuz root=/dev/vda1 x="a b" quiet')
    plan = plans.of(machine.write(folder / "host"), images.path("6.1-amd64"), "--reuse-cmdline",
                    "--append=more")
    assert plan["cmdline"] == 'root=/dev/vda1 x="a b" quiet more'
    assert "cmdline/dropped" in plan.notes


def test_command_line_that_cannot_be_reused(folder):
    """No silent start without root=."""
    host = Machine(pc_map(GIB)).write(folder / "host")
    (folder / "host/proc/cmdline").unlink()
    run("--dry-run", host, images.path("6.1-amd64"), "--reuse-cmdline").failed(
        "cmdline/unreadable")


def test_nobody_may_look(folder):
    """A plan needs no rights; that addresses were not shown is said."""
    machine = Machine(pc_map(2 * GIB), has_iomem=False)
    kernel = folder / "kernel"
    kernel.write_bytes(images.bare())
    plan = plans.of(machine.write(folder / "host"), kernel, user=NOBODY, machine=machine)
    assert "host/iomem-unprivileged" in plan.notes
    text = run("--dry-run", f"--host-root={folder / 'host'}", kernel, user=NOBODY).done().out
    assert b"[host/iomem-unprivileged]" in text


def test_nobody_may_look_at_this_machine(folder):
    """The real /proc and /sys: a plan, or the one reason why there can be none."""
    kernel = folder / "kernel"
    kernel.write_bytes(images.bare())
    result = run("--dry-run", "--json", kernel, user=NOBODY)
    if result.status == 0:
        plan = plans.Plan(result.out)
        plan.check(images.bare())
        assert "host/iomem-unprivileged" in plan.notes
    else:
        result.failed("host/no-memory-map", has_out=True)
