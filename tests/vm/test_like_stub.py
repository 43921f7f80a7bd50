# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that we unpacked and entered directly is as one that its own stub unpacked.

Each test makes two guests. In one the stub does it; a debugger stops the CPU at its last jump, so
that what it made is seen as the kernel finds it: every byte of the image, the boot_params, the CPU.
The bases that its KASLR drew are read off. In the other guest our load takes the same bases (by a
seed that was searched for), so that the two must be equal to the byte, and so must be nearly all
that the two kernels say later. A third witness of the image is tests/lib/bzimage.py.
"""

import collections
import contextlib
import dataclasses
import hashlib
import itertools
import re
import shutil
import struct
import time

import pytest

from guest import EmulatorFailed, Machine, Registers, bzimage, initramfs, kernel, kexec_files
from stopped import APPEND, Stopped, contents, load_command

SHORT = ("6.1-cloud", "7-amd64")  # lz4 and zstd; three lists of relocations and two
LONG = (*SHORT, "6.1-686-pae", "6.1-amd64", "6.12-amd64", "5.10-amd64")

JUMP = b"\xff\xe0"                                        # jmp *%rax, or *%eax
JUMP_INTO_COPY = re.compile(rb"\x8d\x83....\xff\xe0", re.DOTALL)  # lea ...(%rbx), %rax before it
UNPACK_LIMIT = 240  # seconds until the stub has unpacked, under an emulator

MIB, GIB = 1 << 20, 1 << 30
KASLR_FLAG = 0x02   # of loadflags
ZERO_PAGE_LEN = 4096
PAGE = 4096
SETUP_DATA_LEN = 16 + 32  # the seed; new kernels say 16 when they have taken it out


# ---------------------------------------------------------------------------- at the kernel's entry


@dataclasses.dataclass
class Arrival:
    """What the kernel finds at its first instruction."""

    plan: dict
    base: int            # physical address of its first byte
    registers: Registers
    zero_page: bytes
    memory: bytes        # its whole window
    pending: str         # interrupts that wait for it, as QEMU shows them: left by the first kernel


def run_to_end_of_stub(at, image):
    """To the last jump of the stub, in the copy that it made of itself, and over it."""
    (kernel_segment,) = [s for s in at.plan["segments"] if s["name"] == "kernel"]
    loaded = int(kernel_segment["addr"], 0) - image.setup_len
    (into_copy,) = JUMP_INTO_COPY.finditer(image.data, image.setup_len, image.payload_at)
    at.run_to(loaded + into_copy.end() - len(JUMP))
    at.gdb.step()
    copy = at.gdb.registers().rip
    found_at = image.data.index(at.gdb.read(copy, 32), image.payload_at + len(image.payload))
    last = copy + image.data.index(JUMP, found_at) - found_at
    at.run_to(last, UNPACK_LIMIT)
    at.gdb.step()


def arrival(at, image):
    registers = at.gdb.registers()
    base = registers.rip - image.vmlinux.entry_off
    return Arrival(at.plan, base, registers, at.guest.memory(registers.rsi, ZERO_PAGE_LEN),
                   at.guest.memory(base, image.vmlinux.window_len), pending(at.guest))


def pending(guest):
    lapic = guest.monitor("human-monitor-command", **{"command-line": "info lapic"})
    return re.search(r"^IRR\s+(.*?)\s*$", lapic, re.MULTILINE)[1]


def delta_of(image, there):
    """By how much virtual addresses were moved, as the first relocated place has it."""
    if not image.is_64:
        return there.base - image.vmlinux.link_paddr
    place = image.vmlinux.lists()[-1][0]
    before, = struct.unpack_from("<I", image.vmlinux.image(), place)
    after, = struct.unpack_from("<I", there.memory, place)
    return (after - before) % (1 << 32)


def first_difference(a, b):
    """Where two byte strings differ first; None if they are equal."""
    if a == b:
        return None
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def check_image(image, there, wanted, length):
    """The first length bytes of memory against the model; gaps between segments are nobody's."""
    found = bytearray(there.memory[:length])
    for start, gap in image.vmlinux.gaps():
        found[start:start + gap] = bytes(len(found[start:start + gap]))
    assert len(found) == length
    assert first_difference(found, wanted[:length]) is None


def check_images(image, stub, direct):
    """All that the kernel's file has bytes for; and what we leave out of it is zero, for the kernel
    to clear: it does so whoever unpacked it."""
    wanted = image.vmlinux.image(delta_of(image, stub))
    check_image(image, stub, wanted, len(wanted))
    (loaded,) = [s["len"] for s in direct.plan["segments"] if s["name"] == "kernel"]
    assert len(wanted.rstrip(b"\0")) <= loaded <= len(direct.memory)
    check_image(image, direct, image.vmlinux.image(delta_of(image, direct)), loaded)


# What of boot_params may differ: offset, length, and why.
ZERO_PAGE_DIFFERENCES = {
    "orig_x, orig_y": (0x000, 2, "the stub says on the screen that KASLR is off"),
    "scratch": (0x1e4, 4, "the 32-bit stub's first stack"),
    "ramdisk_image": (0x218, 4, "each loader puts it where there is room"),
    "ext_ramdisk_image": (0x0c0, 4, "its upper half"),
    "cmd_line_ptr": (0x228, 4, "the same"),
    "ext_cmd_line_ptr": (0x0c8, 4, "its upper half"),
    "setup_data": (0x250, 8, "the same"),
}


def compare_zero_pages(stub, direct):
    a, b = bytearray(stub.zero_page), bytearray(direct.zero_page)
    for offset, length, _ in ZERO_PAGE_DIFFERENCES.values():
        a[offset:offset + length] = b[offset:offset + length] = bytes(length)
    differences = [f"{i:#x}: {x:02x} by the stub, {y:02x} directly"
                   for i, (x, y) in enumerate(zip(a, b)) if x != y]
    assert not differences


CR0_MP, CR0_NE = 1 << 1, 1 << 5


def compare_registers(stub, direct):
    """What the kernel keeps for a while: how it pages, which code segment it is in. Not what CR0 says
    of the FPU, which 5.10's stub clears and later ones leave: each kernel loads all of CR0 again
    (CR0_STATE in head_64.S) long before it touches the FPU."""
    ignored = {"cr0": CR0_MP | CR0_NE}
    for name in ("cr0", "cr4", "efer", "cs"):
        found, wanted = (getattr(there.registers, name) & ~ignored.get(name, 0)
                         for there in (direct, stub))
        assert found == wanted, f"{name} is {found:#x}, by the stub {wanted:#x}"
    interrupts, direction = 1 << 9, 1 << 10
    for there in (stub, direct):
        assert not there.registers.eflags & (interrupts | direction)


# --------------------------------------------------------------------------- a seed for given bases


def draw(seed, label):
    digest = hashlib.sha256(seed.to_bytes(32, "big") + label + bytes(4)).digest()
    return int.from_bytes(digest[:8], "little")


def physical_places(image, e820):
    """All bases that there are, in order, as the loader counts them."""
    align = max(image[bzimage.KERNEL_ALIGNMENT], image.is_64 and 2 << 20)
    length, places = image.vmlinux.window_len, []
    for entry in e820:
        start, end = (int(entry[key], 0) for key in ("start", "end"))
        if entry["type"] != 1:
            continue
        end = end if image.is_64 else min(end, GIB // 2)
        first = -(-max(start, image[bzimage.PREF_ADDRESS]) // align) * align
        places += range(first, end - length + 1, align)
    return places


def seed_for(image, e820, base, delta):
    """A --seed by which our load draws the physical base and moves virtual addresses by delta."""
    places = physical_places(image, e820)
    physical = places.index(base)
    align = image[bzimage.KERNEL_ALIGNMENT]
    link = image[bzimage.PREF_ADDRESS]
    n_virtual = (GIB - link - image.vmlinux.window_len) // align + 1
    virtual = delta // align
    assert not image.is_64 or virtual < n_virtual and delta % align == 0
    for seed in itertools.count():
        if draw(seed, b"physical") * len(places) >> 64 != physical:
            continue
        if not image.is_64 or draw(seed, b"virtual") * n_virtual >> 64 == virtual:
            return seed


# ----------------------------------------------------------------------------------- as they run on

TELL = """
    facts
    symbols
    load-module /module.ko
    save-log /log
    dump-tree /log /proc/iomem /proc/ioports /proc/cpuinfo /proc/modules
"""
PANIC = "write /proc/sysrq-trigger c"
THIRD = "6.1-cloud"
GO_ON = f"run /sbin/kexec -l /k3 --initrd=/i3 '--append={APPEND}'\nrun /sbin/kexec -e"

# Lines of the kernel's log that may differ: what it measures, and when it runs.
LOG_DIFFERENCES = [re.compile(pattern) for pattern in (
    # The speed of an emulated CPU, and that it is slow at times.
    r"^tsc: ", r"^clocksource: ", r"BogoMIPS", r"^APIC calibration", r"^APIC delta", r"^sched_clock: ",
    r"^PM-Timer running at invalid rate: \d+% of normal", r"^hpet: Lost \d+ RTC interrupts$",
    r"deferred pages initialised in \d+ms$", r"^hrtimer: interrupt took", r"took \d+ usecs$",
    r"^workqueue: .* hogged CPU",
    # Devices that are found while init runs already.
    r"^input: ",
    # The clock on the wall.
    r"^audit: type=2000 audit\(", r"setting system clock to",
    # Some pages are free that early, or not yet.
    r"^Memory: \d+K/",
    # Where the loader put the initrd.
    r"^RAMDISK: \[mem ",
)]


# What a kernel says that finds a timer interrupt of the first one waiting for it. Whether one does is
# decided before the jump: when the first kernel's tick came, just before it stopped its APIC or not.
LEFT_OVER = re.compile(r"^Spurious LAPIC timer interrupt on cpu 0$")


def relative(text, there):
    """With addresses from 1 MiB below setup_data to its end as distances from it: many kernels cut
    RAM there (e820__reserve_setup_data), take early pages from below the cut, and say so. Where it
    is follows from what else is loaded, which has other lengths with the stub than without."""
    setup_data, = struct.unpack_from("<Q", there.zero_page, ZERO_PAGE_DIFFERENCES["setup_data"][0])

    def distance(found):
        off = int(found[0], 16) - setup_data
        return f"setup_data{off:+#x}" if -MIB <= off <= SETUP_DATA_LEN else found[0]
    page = setup_data // PAGE * PAGE    # not saved by hibernation
    text = re.sub(rf"0x0*{page:x}-0x0*{page + PAGE - 1:x}\b", "page of setup_data", text)
    return re.sub(r"0x[0-9a-f]{8,16}\b", distance, text)


def log_lines(text):
    """The kernel's log without its levels and times, and each line as often as it is there."""
    return collections.Counter(re.sub(r"^<\d+>\[ *\d+\.\d+\] ", "", line)
                               for line in text.splitlines())


# The kernel counted ticks for a while that an emulator without CPU time did not make.
STARVED = "8254 timer not connected to IO-APIC"


def compare_logs(stub, direct, may_differ):
    stub, direct = log_lines(stub), log_lines(direct)
    left = [f"{who}: {line}" for who, lines in (("stub", stub - direct), ("direct", direct - stub))
            for line in lines.elements() if not any(p.search(line) for p in may_differ)]
    starved = [line for line in left if STARVED in line]
    if starved:
        raise EmulatorFailed(starved[0])
    assert not left, "\n".join(left)


def compare_cpus(stub, direct):
    """/proc/cpuinfo but for speeds: the same flags above all."""
    speeds = re.compile(r"^(cpu MHz|bogomips)\t.*$", re.MULTILINE)
    assert speeds.sub("", stub) == speeds.sub("", direct)


def read_iomem(text):
    """[depth, name, start, end] of each entry; neighbours of one name are one entry, whatever lies
    inside the first: the kernel cuts RAM where setup_data is, and each loader puts that elsewhere."""
    entries, latest = [], {}    # latest: by depth, as long as nothing less deep came after it
    for line in text.splitlines():
        blanks, start, end, name = re.fullmatch(r"( *)(\w+)-(\w+) : (.*)", line).groups()
        depth, start, end = len(blanks), int(start, 16), int(end, 16) + 1
        latest = {known: entry for known, entry in latest.items() if known <= depth}
        before = latest.get(depth)
        if before and before[1] == name and before[3] == start:
            before[3] = end
        else:
            latest[depth] = [depth, name, start, end]
            entries.append(latest[depth])
    return entries


def compare_iomem(stub, direct, moved):
    """The same entries at the same places; the kernel's own where it was put."""
    def placed(text, base):
        entries = [(depth, name, end - start, start - base if name.startswith("Kernel ") else start)
                   for depth, name, start, end in read_iomem(text)]
        return sorted(entries, key=str)
    assert placed(stub, 0) == placed(direct, moved)


@dataclasses.dataclass
class Running:
    facts: dict
    symbols: str
    files: dict      # of /proc, and the log
    end: str         # how the kernel's panic says that it was moved, or who was booted next


def run_on(at, job, folder):
    """Lets the kernel run, and reads what it says of itself until it comes to its end."""
    at.gdb.resume()
    facts = at.guest.facts()
    symbols = at.guest.expect(r"NG-SYMBOLS (\{.*\})")[1]
    shutil.rmtree(folder, ignore_errors=True)   # of a first try
    at.guest.dump(folder)
    if job == PANIC:
        end = at.guest.expect(r"Kernel Offset: .*", allow="Kernel panic - not syncing: sysrq")[0]
    else:
        end = at.guest.expect(r"NG-PROOF third .*")[0]
    paths = (folder / "log", *(folder / "proc").iterdir())
    return Running(facts, symbols, {path.name: path.read_text() for path in paths}, end)


def files_for(second, job):
    files = {"/module.ko": second.module}
    if job == GO_ON:
        files.update(kexec_files())
        files.update({"/k3": kernel(THIRD).image, "/i3": initramfs({"": "proof third"})})
    return contents(second, TELL + job, files)


@contextlib.contextmanager
def entered(how, second, job, append, log, seed=1):
    """A guest that stands where the kernel begins, entered as kexec's option says; its arrival."""
    load = load_command(f"--enter={how}", append, seed)
    with Stopped(log, files_for(second, job), load, Machine(memory=1024)) as at:
        if how == "direct":
            at.run_to_kernel()
        else:
            run_to_end_of_stub(at, second.bzimage)
        yield at, arrival(at, second.bzimage)


def compare_running(stub, direct, moved, may_differ):
    assert abs(stub.facts.pop("mem_kib") - direct.facts.pop("mem_kib")) < 256
    kernel_code = [int(there.facts.pop("kernel_code"), 0) for there in (stub, direct)]
    assert kernel_code[1] - kernel_code[0] == moved
    assert stub.facts == direct.facts
    assert stub.symbols == direct.symbols
    assert stub.end == direct.end
    assert re.search(r"^dummy ", direct.files["modules"], re.MULTILINE)
    # Where the first module goes is drawn by each kernel for itself.
    modules = [re.sub(r" 0x[0-9a-f]+", " ", there.files["modules"]) for there in (stub, direct)]
    assert modules[0] == modules[1]
    assert stub.files["ioports"] == direct.files["ioports"]
    compare_iomem(stub.files["iomem"], direct.files["iomem"], moved)
    compare_cpus(stub.files["cpuinfo"], direct.files["cpuinfo"])
    compare_logs(stub.files["log"], direct.files["log"], may_differ)


def compare(name, job, word, log, folder, same_bases):
    """Returns what the kernel that was entered directly said of itself."""
    second = kernel(name)
    image = second.bzimage
    append = f"{APPEND} loglevel=4 {word}".strip()
    seed = 1
    with entered("64" if image.is_64 else "32", second, job, append, log / "stub") as (at, stub):
        if same_bases:
            seed = seed_for(image, at.plan["e820"]["entries"], stub.base, delta_of(image, stub))
        as_stub = run_on(at, job, folder / "stub")
    with entered("direct", second, job, append, log / "direct", seed) as (at, direct):
        check_images(image, stub, direct)
        assert delta_of(image, direct) == delta_of(image, stub)
        assert direct.base == stub.base or not same_bases
        compare_zero_pages(stub, direct)
        compare_registers(stub, direct)
        as_direct = run_on(at, job, folder / "direct")
    may_differ = LOG_DIFFERENCES + [LEFT_OVER] * (stub.pending != direct.pending)
    for there, running in ((stub, as_stub), (direct, as_direct)):
        running.files["log"] = relative(running.files["log"], there)
    compare_running(as_stub, as_direct, direct.base - stub.base, may_differ)
    assert int(as_direct.facts["text"], 0) == image.link_text + delta_of(image, direct)
    return as_direct


def pytest_generate_tests(metafunc):
    if "name" not in metafunc.fixturenames:
        return
    long = metafunc.config.getoption("long")
    short = SHORT if metafunc.function is test_randomized else SHORT[:1]
    metafunc.parametrize("name", LONG if long else short)


@pytest.mark.long_form
def test_randomized(name, log_folder, tmp_path):
    """With KASLR: the bases that the stub drew are drawn by our load too."""
    found = compare(name, PANIC, "", log_folder, tmp_path, same_bases=True)
    assert int(found.facts["loadflags"], 0) & KASLR_FLAG
    # A panic of i386 never says by how much (kaslr_enabled() is of RANDOMIZE_MEMORY).
    moved = "0x[1-9a-f]" if kernel(name).bits == 64 else "disabled"
    assert re.match(f"Kernel Offset: {moved}", found.end)


@pytest.mark.long_form
def test_nokaslr(name, log_folder, tmp_path):
    """Without: nothing moves; and a kernel that runs on so can boot the next."""
    job = PANIC if kernel(name).bits == 32 else GO_ON
    found = compare(name, job, "nokaslr", log_folder, tmp_path, same_bases=False)
    assert not int(found.facts["loadflags"], 0) & KASLR_FLAG
    if job == GO_ON:
        assert f"release={kernel(THIRD).release} " in found.end
    else:
        assert found.end == "Kernel Offset: disabled"


SPIN = b"\xeb\xfe"
A_FEW_TICKS = 1.0    # seconds, of a guest that ticks each 4 ms at least


def tick_without_an_answer(at):
    """Holds the first kernel where it takes no interrupts any more and is about to stop its APIC,
    until its timer has fired."""
    (address,) = [int(found[1], 16) for _, text in at.guest.lines
                  if (found := re.search(r"NG-SYMBOL native_stop_other_cpus (\S+)", text))]
    at.gdb.break_at(address)
    at.gdb.resume()
    at.gdb.wait_stop(address, 120)
    at.gdb.unbreak(address)
    at.gdb.address_virtually(True)
    code = at.gdb.read(address, len(SPIN))
    at.gdb.write(address, SPIN)
    at.gdb.resume()
    time.sleep(A_FEW_TICKS)
    at.gdb.interrupt()
    at.gdb.write(address, code)
    at.gdb.address_virtually(False)


@pytest.mark.long_form
@pytest.mark.parametrize("how", ["64", "direct"])
def test_left_over_interrupt(how, log_folder):
    """What compare_logs() takes for the first kernel's doing is that, whoever unpacked the second."""
    second = kernel("6.1-cloud")
    load = load_command(f"--enter={how}") + "\nsymbol native_stop_other_cpus"
    with Stopped(log_folder, contents(second), load) as at:
        tick_without_an_answer(at)
        if how == "direct":
            at.run_to_kernel()
        else:
            run_to_end_of_stub(at, second.bzimage)
        assert pending(at.guest) != "(none)"
        at.gdb.resume()
        at.guest.expect(LEFT_OVER.pattern.strip("^$"))
        at.guest.expect("NG-PROOF second")
