# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that most people do not have: little memory, memory in pieces, memory far up; and a large initrd."""

import dataclasses
import json

import pytest

from chain import APPEND, Chain, Jump
from guest import Guest, Machine, initramfs, kernel, kernel_named, kexec_binary, kexec_files, newc
from test_crash import CAPTURE_LINE, DYING, Crash, RESERVATIONS

MIB = 1 << 20
SEED = 20261127

# What a machine that has everything does in other tests.
ENTRIES = ("", "-s", "--enter=64", "--enter=32", "--enter=16")


def go(chain):
    """The plans of a chain that goes all its jumps."""
    plans = []
    for arrival in chain.arrivals():
        arrival.check_same_machine()
        plans.append(arrival.plan)
    return plans


@pytest.mark.parametrize("entry", [entry if not entry.startswith("--") else
                                   pytest.param(entry, marks=pytest.mark.long_form) for entry in ENTRIES])
def test_little_memory(entry, log_folder):
    """256 MiB, of which kernel and initrd may have half."""
    second = kernel("6.1-cloud")
    with Chain(Machine(memory=256), second, [Jump(second, entry), Jump(second, entry)], log_folder) as chain:
        go(chain)


OVER = "[crash/over-budget]"


@pytest.mark.parametrize("where, is_over", [
    ("half of 256", False), pytest.param("third of 256", True, marks=pytest.mark.long_form)])
@pytest.mark.parametrize("entry", ["", pytest.param("--enter=64", marks=pytest.mark.long_form)])
def test_panic_of_a_little_machine(entry, where, is_over, log_folder):
    """256 MiB, of which a capture kernel has a part. What is reckoned to be enough is enough; a third of it would not
    be for a dump that is filtered, of which kexec warns, but is for this one. A kernel in the middle of its memory
    would leave no half of it."""
    crash = Crash("6.1-cloud", "6.1-cloud", where=where, load=f"-p {entry} /k2")
    _, reservation, _ = RESERVATIONS[where]
    with Guest(crash.machine(), kernel(crash.first), crash.initramfs(), f"loglevel=4 nokaslr {reservation}",
               log=log_folder) as guest:
        guest.facts()
        assert (OVER in guest.output_of("/sbin/kexec")) == is_over
        guest.expect(r"kexec: \d segments intact, .*starting kernel$", allow=DYING)
        crash.check(guest)


# What a kernel says that has too little memory.
NO_MEMORY = r"Out of memory|deadlocked on memory|allocation failure|Initramfs unpacking failed|write error"


@pytest.mark.parametrize("size", [64, pytest.param(56, marks=pytest.mark.long_form)])
def test_panic_without_room(size, log_folder):
    """A reservation that cannot do: kexec says so, and is right."""
    load = f"/sbin/kexec -p %s /k2 --initrd=/i2 '--append={CAPTURE_LINE}'"
    job = [f"run-expect 255 {load % '--strict'}", f"run {load % '-d'}", "write /proc/sysrq-trigger c"]
    files = {**kexec_files(), "/k2": kernel("6.1-cloud").image, "/i2": initramfs({"": "proof captured"})}
    with Guest(Machine(memory=256), kernel("6.1-cloud"), initramfs({"": "\n".join(job)}, files),
               f"loglevel=4 nokaslr crashkernel={size}M", log=log_folder) as guest:
        assert OVER in guest.output_of("/sbin/kexec")
        text = guest.output_of("/sbin/kexec")
        assert OVER in text and "DOES NOT FIT" in text
        guest.expect(r"kexec: \d segments intact, .*starting kernel$", allow=DYING)
        guest.expect(NO_MEMORY, allow=DYING)
        assert not any("NG-PROOF" in line for _, line in guest.lines)


def pieces(n, begin, stride, length):
    """Words by which a kernel finds so many holes in its RAM, and where they are."""
    holes = [(begin + i * stride, length) for i in range(n)]
    return " ".join(f"memmap={length:#x}${at:#x}" for at, length in holes), holes


@pytest.mark.parametrize("entry", ["", pytest.param("--enter=64", marks=pytest.mark.long_form)])
def test_memory_in_pieces(entry, log_folder):
    """The running kernel's RAM has sixty holes, 17 MiB apart: nothing of what is loaded is in one. The next
    kernel gets the firmware's map, without holes. Of the holes KASLR minds but the first four, so that
    it is off in the running kernel: on holes itself, that has one piece of RAM around it in /proc/iomem."""
    words, holes = pieces(60, 64 * MIB, 17 * MIB + 0x3000, 0x5000)
    first = kernel("6.1-cloud")
    with Chain(Machine(memory=1152), first, [Jump(first, entry)], log_folder,
               append=f"nokaslr {words}") as chain:
        (arrival,) = chain.arrivals()
    assert arrival.facts["mem_kib"] > arrival.before["mem_kib"]
    for segment in arrival.plan["segments"]:
        begin = int(segment["addr"], 0)
        end = begin + segment["mem_len"]
        assert not [hole for hole in holes if hole[0] < end and begin < sum(hole)], segment


def check_places(plan, pieces_of_ram):
    """Each segment, with all that it keeps free, is in one of these (begin, end)."""
    assert plan["segments"]
    for segment in plan["segments"]:
        begin = int(segment["addr"], 0)
        end = begin + max(segment["mem_len"], segment["reserve_len"])
        assert any(at <= begin and end <= to for at, to in pieces_of_ram), segment


# The RAM of a running kernel that was told of another machine than the firmware's, of 768 MiB.
RAM_BY_WORDS = {
    # Its initrd is at the top of the firmware's RAM, which is none to it.
    "exactmap": ("memmap=exactmap memmap=639K@0 memmap=199M@1M memmap=100M@300M memmap=8M@290M",
                 [(1, 200), (290, 298), (300, 400)]),
    "mem": ("mem=300M", [(1, 300)]),
    # ACPI tables, reserved and persistent memory, each over a part of the one before; RAM that is said to be over
    # them all changes nothing.
    "overlaps": ("memmap=64M#200M memmap=64M$240M memmap=32M!290M memmap=1M#321M memmap=200M@180M "
                 "memmap=16K$500M memmap=32K#510M memmap=32K#524264K",
                 [(1, 200), (322, 500), (500 + 16 / 1024, 510), (510 + 32 / 1024, 524264 / 1024),
                  (524296 / 1024, 768)]),
}


@pytest.mark.parametrize("entry", ["", pytest.param("--enter=64", marks=pytest.mark.long_form),
                                   pytest.param("--enter=16", marks=pytest.mark.long_form)])
@pytest.mark.parametrize("words", [
    "overlaps", *(pytest.param(name, marks=pytest.mark.long_form) for name in ("exactmap", "mem"))])
def test_memory_by_words(words, entry, log_folder):
    """What the running kernel was told by mem= and memmap= limits where things are put, and is not handed on."""
    more, ram = RAM_BY_WORDS[words]
    second = kernel("6.1-cloud")
    with Chain(Machine(memory=768), second, [Jump(second, entry)], log_folder, append=f"nokaslr {more}") as chain:
        (arrival,) = chain.arrivals()
    arrival.check_same_machine()
    assert arrival.before["mem_kib"] < 1024 * sum(to - at for at, to in ram)
    assert arrival.facts["mem_kib"] > arrival.before["mem_kib"]
    low = [(4096, 639 * 1024)] if entry == "--enter=16" else []
    check_places(arrival.plan, low + [(int(at * MIB), int(to * MIB)) for at, to in ram])


def memory_map(n_small, n_large):
    """(first, last, type) of a machine of 768 MiB, whose RAM is in pieces: of half a MiB from 64 MiB on, of a MiB
    from 480 MiB on. Of low memory it has 128 KiB, and 64 KiB elsewhere."""
    ram = [(0, 0x20000), (0x60000, 0x70000)]
    at = MIB
    for n, begin, stride, length in ((n_small, 64 * MIB, 0x80000, 0x1000), (n_large, 480 * MIB, MIB, 0x3000)):
        for i in range(n):
            ram.append((at, begin + i * stride))
            at = begin + i * stride + length
    ram.append((at, 766 * MIB))
    found, at = [], 0
    for begin, end in ram:
        if at < begin:
            found.append((at, begin - 1, "Reserved"))
        found.append((begin, end - 1, "System RAM"))
        at = end
    # ACPI tables; what QEMU's firmware says of the PCI bus, and itself.
    return found + [(766 * MIB, 768 * MIB - 1, "Reserved"), (0xb0000000, 0xbfffffff, "Reserved"),
                    (0xfffc0000, 0xffffffff, "Reserved")]


def digest_of(memory):
    """init's "memmap_digest"."""
    digest = 0xcbf29ce484222325
    for first, last, kind in memory:
        for byte in f"{first:x}-{last:x} {kind}\n".encode():
            digest = (digest ^ byte) * 0x100000001b3 % (1 << 64)
    return f"{digest:016x}"


def shown_as_firmware(memory):
    """Files and command by which a kernel seems to have been given another map."""
    files = {}
    for n, (first, last, kind) in enumerate(memory):
        for name, text in (("start", f"{first:#x}"), ("end", f"{last:#x}"), ("type", kind)):
            files[f"/map/{n}/{name}"] = f"{text}\n".encode()
    return files, "bind /map /sys/firmware/memmap"


@pytest.mark.parametrize("entry", ["", pytest.param("--enter=64", marks=pytest.mark.long_form),
                                   pytest.param("--enter=32", marks=pytest.mark.long_form)])
def test_hundreds_of_ranges(entry, log_folder):
    """More than the 128 that a zero page has room for: the second kernel gets them all, and hands them all on.

    No firmware of QEMU's has that many. The first kernel is shown them in the place of its own map, they are
    the truth for all kernels after it."""
    memory = memory_map(n_small=320, n_large=130)
    assert 900 < len(memory) < 1024     # as many as init can take
    files, show = shown_as_firmware(memory)
    ram = [(first, last + 1) for first, last, kind in memory if kind == "System RAM" and first >= MIB]
    second = kernel("6.1-cloud")
    with Chain(Machine(memory=768), second, [Jump(second, entry), Jump(second, entry)], log_folder,
               programs=files, steps=(show,)) as chain:
        for n, arrival in enumerate(chain.arrivals()):
            assert len(arrival.plan["e820"]["entries"]) == len(memory)
            assert arrival.facts["memmap"] == len(memory)
            assert arrival.facts["memmap_digest"] == digest_of(memory)
            check_places(arrival.plan, ram)
            if n > 0:
                arrival.check_same_machine()


@pytest.mark.long_form
def test_hundreds_of_ranges_by_pvh(log_folder):
    """Linux' PVH entry takes 127 ranges: it gets the lowest, kexec warns, and puts nothing where the rest are."""
    memory = memory_map(n_small=0, n_large=130)
    files, show = shown_as_firmware(memory)
    second = kernel("6.1-cloud")
    with Chain(Machine(memory=768), second, [Jump(second, "--enter=pvh")], log_folder, programs=files,
               steps=(show,)) as chain:
        (arrival,) = chain.arrivals()
    assert "[pvh/memory-map-cut]" in arrival.said
    assert arrival.facts["memmap"] == 127
    assert arrival.facts["memmap_digest"] == digest_of(memory[:127])
    check_places(arrival.plan, [(first, last + 1) for first, last, kind in memory[:127] if kind == "System RAM"])


@pytest.mark.long_form
@pytest.mark.parametrize("second", ["small-gzip", "6.1-686-pae"])
def test_more_ranges_than_it_takes(second, log_folder):
    """A kernel without NUMA forgets what is beyond 131 ranges, and starts where it knows of RAM."""
    memory = memory_map(n_small=320, n_large=130)
    files, show = shown_as_firmware(memory)
    with Chain(Machine(memory=768), kernel("6.1-cloud"), [Jump(kernel_named(second))], log_folder,
               programs=files, steps=(show,)) as chain:
        (arrival,) = chain.arrivals()
    assert len(arrival.plan["e820"]["entries"]) == len(memory)
    assert arrival.facts["memmap"] == 131
    assert arrival.facts["memmap_digest"] == digest_of(memory[:131])


@pytest.mark.long_form
@pytest.mark.parametrize("capture", ["6.1-cloud", "6.1-686-pae"])
def test_dump_of_hundreds_of_ranges(capture, log_folder):
    """Each of them is in the headers of the dump, and what was marked is found, wherever it was."""
    memory = memory_map(n_small=320, n_large=130)
    files, show = shown_as_firmware(memory)
    crash = Crash("6.1-cloud", capture, where="pieces")
    _, reservation, _ = RESERVATIONS[crash.where]
    line = f"console=ttyS0 panic=-1 loglevel=4 nokaslr {reservation}"
    job = ["limit 600", show, f"run /sbin/kexec -l /k2 --initrd=/i2 '--append={line}'", "run /sbin/kexec -e"]
    with Guest(Machine(memory=768), kernel("6.1-cloud"), initramfs({"": "\n".join(job)}, {
            **kexec_files(), **files, "/k2": kernel("6.1-cloud").image, "/i2": crash.initramfs()}),
            "loglevel=4", log=log_folder) as guest:
        guest.expect(r"kexec: \d segments intact, .*starting kernel$")
        crash.follow(guest)
        (found,) = [json.loads(line.split(maxsplit=1)[1]) for _, line in guest.lines if line.startswith("NG-VMCORE")]
    assert found["loads"] > 400, found


@dataclasses.dataclass(frozen=True)
class Low:
    """Low memory of a running kernel: holes, in KiB, and what is left, in which the setup code has to go."""
    holes: tuple
    left: tuple = ()

    @property
    def words(self):
        return " ".join(f"memmap={to - at}K${at}K" for at, to in self.holes)


@pytest.mark.parametrize("low", [
    Low(((64, 384), (512, 639)), left=(384, 512)),
    pytest.param(Low(((64, 480), (576, 639)), left=(480, 576)), marks=pytest.mark.long_form),
    # One page in ten is none of it.
    pytest.param(Low(tuple((at, at + 4) for at in range(100, 620, 40))), marks=pytest.mark.long_form)],
    ids=["128K", "96K", "pieces"])
def test_little_low_memory(low, log_folder):
    """Below 640 KiB there is one place for what runs in real mode, or none. No other entry needs any."""
    second = kernel("6.1-cloud")
    steps = () if low.left else (f"run-expect 255 /sbin/refused -l /k.{second.name} --enter=16",)
    with Chain(Machine(memory=768), second, [Jump(second, "--enter=16" if low.left else "")], log_folder,
               append=f"nokaslr {low.words}", programs={"/sbin/refused": kexec_binary()}, steps=steps) as chain:
        (arrival,) = chain.arrivals()
        text = "\n".join(line for _, line in chain.lines)
    arrival.check_same_machine()
    if not low.left:
        assert "[place/no-hole]" in text
        return
    at, to = (1024 * x for x in low.left)
    check_places(arrival.plan, [(at, to), (MIB, 768 * MIB)])
    assert [s for s in arrival.plan["segments"] if int(s["addr"], 0) < MIB]


@pytest.mark.parametrize("entry", ["", pytest.param("--enter=64", marks=pytest.mark.long_form)])
def test_memory_far_up(entry, log_folder):
    """A module of RAM as far up as QEMU has room for with 40 bits of address; everything goes there."""
    base = 880 << 30
    second = kernel("6.1-cloud")
    with Chain(Machine(memory=512), second, [Jump(second, f"{entry} --mem-min={base:#x}".strip())], log_folder,
               append="memhp_default_state=online",
               qemu=("-m", "512M,slots=1,maxmem=900G", "-object", "memory-backend-ram,id=far,size=1G",
                     "-device", f"pc-dimm,memdev=far,addr={base:#x}"),
               steps=(f"await {FAR_BLOCK.format(base >> 27)} online",)) as chain:
        (arrival,) = chain.arrivals()
    for segment in arrival.plan["segments"]:
        assert base <= int(segment["addr"], 0) < base + (1 << 30), segment
    assert arrival.base >= base


FAR_BLOCK = "/sys/devices/system/memory/memory{}/state"


@pytest.mark.long_form      # a GiB goes through an emulated CPU six times
def test_large_initrd(log_folder):
    """1 GiB and a bit that cannot be packed; the next kernel's init finds each byte of it."""
    mib = 1030
    second = kernel("6.1-cloud")
    inner = initramfs({"": f"facts\nfilled /big {mib} {SEED}\nproof second"})
    header = newc([("big", 0o100644, b"")])[:110]
    # The first member of a second archive, whose bytes the running init makes.
    header = header[:54] + b"%08x" % (mib * MIB) + header[62:]
    jobs = ["limit 900", "facts", f"fill /next {mib} {SEED}", "append /next /tail", "facts",
            f"run /sbin/kexec -l /k2 --initrd=/next '--append={APPEND}'", "remove /next", "run /sbin/kexec -e"]
    files = {**kexec_files(), "/k2": second.image, "/next": inner + header + b"big\0" + bytes(-(110 + 4) % 4),
             "/tail": newc([])}
    with Guest(Machine(memory=6144), second, initramfs({"": "\n".join(jobs)}, files), "loglevel=4",
               log=log_folder, limit=900) as guest:
        guest.expect("NG-FILLED", 300)
        guest.expect("starting kernel$", 300)
        guest.expect("NG-AS-FILLED /big", 300)
        guest.expect("NG-PROOF second")
