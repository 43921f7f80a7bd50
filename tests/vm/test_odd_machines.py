# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that most people do not have: little memory, memory in pieces, memory far up; and a large initrd."""

import pytest

from chain import APPEND, Chain, Jump
from guest import Guest, Machine, initramfs, kernel, kexec_files, newc

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
