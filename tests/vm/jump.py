# SPDX-License-Identifier: GPL-2.0-or-later
"""One kernel jumps into another: what both said, and how to tell from it what was entered."""

import dataclasses

from bzimage import INIT_SIZE
from guest import Guest, expected_parts, initramfs, initrd_parts, kernel, kexec_files

CONSOLE = "console=ttyS0 panic=-1"
LOADFLAG_KASLR = 1 << 1

# Of the memory that one kernel has, another one may take this much more for itself.
MEMORY_SLACK_KIB = 48 << 10
# A loader may keep so much of the RAM in the memory map for what it hands over.
MAP_SLACK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Jump:
    before: dict     # facts of the first kernel
    plan: dict       # what kexec said it would do
    after: dict      # facts of the second kernel
    rest: object     # what then() returned


def quoted(*words):
    return " ".join(f"'{word}'" for word in words)


def load_words(append, *options):
    return quoted("/sbin/kexec", "-l", "/k2", "--initrd=/i2", f"--append={append}", "--json",
                  *options)


def runtime(machine, which):
    """A real-time kernel uses the firmware's services, and shows their map, only if it is told to."""
    return "efi=runtime" if machine.firmware == "ovmf" and "-rt-" in which.name else ""


def jump(first, second, machine, log, append="", options=(), first_append="", job="", files=None,
         then=None, image=None, qemu=()):
    """Boots the first kernel and has it kexec the second one, which tells its facts and does job.

    image: what is loaded, if it is not the second kernel's own image. files: for the second
    kernel's initramfs. then(guest): looks at what job says.
    """
    first, second = kernel(first), kernel(second)
    first_append = f"{first_append} {runtime(machine, first)}"
    append = f"{CONSOLE} {append} {runtime(machine, second)}".strip()
    second_job = f"facts\nproof second\n{job}"
    if files:
        i2 = initramfs({"": second_job}, {"/initrd-part-1": b"1", **files}, second.bits)
    else:
        (i2,) = initrd_parts({"": second_job}, 1, second.bits)
    initrd = initramfs(
        {"": f"facts\nrun {load_words(append, *options)}\nrun /sbin/kexec -e"},
        {**kexec_files(), "/k2": image or second.image, "/i2": i2})
    with Guest(machine, first, initrd, f"loglevel=4 {first_append}", log=log, qemu=qemu) as guest:
        before = guest.facts()
        assert before["release"] == first.release
        plan = guest.plan()
        guest.expect(r"NG-RUN /sbin/kexec -e")
        after = guest.facts()
        guest.expect(r"NG-PROOF second")
        rest = then(guest) if then else None
    check_facts(before, after, machine, second, append, 1)
    return Jump(before, plan, after, rest)


def forced(second, length):
    """An address, and the options that leave a kernel with a window of that length only this one."""
    start, others = 256 << 20, 64 << 20
    if second.bits == 32:  # goes to the lowest place; the others to the highest
        return start, [f"--mem-min={start:#x}", f"--mem-max={start + length + others - 1:#x}"]
    return start, [f"--mem-min={start - others:#x}", f"--mem-max={start + length - 1:#x}"]


def window_len(second, enter):
    """How much room a kernel needs by that entry."""
    return second.bzimage.vmlinux.window_len if enter == "direct" else second.bzimage[INIT_SIZE]


def has_la57(machine, second, command_line):
    """As the second kernel's own stub would have it."""
    return (machine.cpu == "max" and second.bits == 64 and second.bzimage.knows_5_level and
            "no5lvl" not in command_line.split())


def check_facts(before, after, machine, second, command_line, n_parts):
    """What the second kernel found, against what the first one had."""
    assert after["release"] == second.release
    assert after["cmdline"] == command_line
    assert after["parts"] == expected_parts(n_parts)
    assert after["cpus"] == before["cpus"] == machine.smp
    assert after["mem_kib"] >= before["mem_kib"] - MEMORY_SLACK_KIB
    assert abs(after["memmap_ram"] - before["memmap_ram"]) <= MAP_SLACK
    assert after["acpi_tables"] == before["acpi_tables"] > 0
    assert after["sentinel"] == 0
    assert after["la57"] == has_la57(machine, second, command_line)
    if machine.firmware == "ovmf":
        assert before["efi"] and before["efi_runtime_maps"] > 0
        assert int(after["rsdp"], 0) != 0
        if second.bits == 64:
            assert after["efi"]
            assert after["efi_runtime_maps"] == before["efi_runtime_maps"]


# ------------------------------------------------------------------------- where a kernel runs


def segment(plan, name):
    (found,) = [s for s in plan["segments"] if s["name"] == name]
    return found


def planned_place(plan, second):
    """Physical and virtual address where the plan would have the second kernel run, if directly."""
    image, at = second.bzimage, int(segment(plan, "kernel")["addr"], 0)
    if second.bits == 32:  # both move together
        return at, image.link_text + at - image.vmlinux.link_paddr
    return at, image.link_text + int(plan["kaslr"]["vaddr_delta"], 0)


def place(facts):
    return int(facts["kernel_code"], 0), int(facts["text"], 0)


def is_randomized(facts):
    return bool(int(facts["loadflags"], 0) & LOADFLAG_KASLR)


def assert_direct(plan, after, second):
    """It runs where only our own draw can have put it: the stub would have drawn again."""
    assert plan["entry_name"] == "direct"
    assert place(after) == planned_place(plan, second)
    assert is_randomized(after) == plan["kaslr"]["drawn"] == (
        "nokaslr" not in after["cmdline"].split())


def assert_by_stub(plan, after, second):
    """It runs where its stub drew: by chance at our place in less than one of 10000 runs."""
    assert plan["entry_name"] == str(second.bits)
    assert is_randomized(after)
    assert place(after) != planned_place(plan, second)
