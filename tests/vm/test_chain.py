# SPDX-License-Identifier: GPL-2.0-or-later
"""Hundreds of kernels in a row on one machine: nothing wears out.

Each kernel is loaded by the one before it, packs the next one's initramfs, and says what it found: bytes that
were handed on from the first one, the clock, its zero page.
"""

import os
import random

import pytest

from chain import Chain, Jump
from guest import Machine, kernel, kernel_named

N_JUMPS = int(os.environ.get("NG_CHAIN", "200"))
SECONDS_A_JUMP = 60      # the limit of the guest in all; a jump takes a tenth of it
# Small ones come most often, or a machine would be busy for hours; they know nothing of EFI, so not there.
KERNELS = {"seabios": ("small-gzip", "small-lz4", "small-zstd", "small-xz") * 2 + ("5.10-amd64",),
           "ovmf": ("6.1-cloud", "6.12-amd64", "7-amd64", "5.10-amd64", "6.1-amd64")}
ENTRIES = ("direct", "direct", "64", "32")
PATTERN = "/sbin/pattern"

# What of the zero page is another load's own: where its initrd and command line are, and KASLR's. And the
# cursor: the stubs of the small kernels write on the screen.
OWN = [(0x000, 0x002), (0x0c0, 0x0d0), (0x1e4, 0x1e8), (0x210, 0x211), (0x214, 0x220), (0x228, 0x22c),
       (0x250, 0x258)]


def masked(page):
    page = bytearray(page)
    for begin, end in OWN:
        page[begin:end] = bytes(end - begin)
    return bytes(page)


def fnv(data):
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 % (1 << 64)
    return f"{value:x}"


def differences(one, two):
    return [hex(i) for i in range(len(one)) if one[i] != two[i]]


@pytest.mark.long_form
@pytest.mark.parametrize("firmware", ["seabios", "ovmf"])
def test_long_chain(firmware, log_folder):
    chance = random.Random(firmware)
    pattern = chance.randbytes(64 << 10)
    n_jumps = N_JUMPS if firmware == "seabios" else N_JUMPS // 4
    jumps = [Jump(kernel_named(chance.choice(KERNELS[firmware])), f"--enter={chance.choice(ENTRIES)}",
                  steps=(f"trace {PATTERN}",)) for _ in range(n_jumps)]
    pages, memory, origin, rsdp, clock = {}, {}, None, None, 0
    with Chain(Machine(firmware, memory=1536), kernel("6.1-cloud"), jumps, log_folder,
               programs={PATTERN: pattern}, limit=SECONDS_A_JUMP * n_jumps) as chain:
        for n, arrival in enumerate(chain.arrivals()):
            arrival.check_same_machine()
            origin = origin or arrival.before
            for what in ("memmap_digest", "acpi_tables", "cpus"):
                assert arrival.facts[what] == origin[what], (n, what)
            # Of a kernel that firmware started as an EFI program the zero page has none.
            rsdp = rsdp or arrival.facts["rsdp"]
            assert arrival.facts["rsdp"] == rsdp and origin["rsdp"] in ("0x0", rsdp), n
            trace = arrival.found["NG-TRACE"]
            assert (trace["len"], trace["sum"]) == (len(pattern), fnv(pattern)), n
            assert trace["tsc"] > clock, n
            clock = trace["tsc"]
            which = arrival.jump.kernel.name, arrival.plan["entry_name"]
            page = masked(bytes.fromhex(trace["boot_params"]))
            assert not differences(page, pages.setdefault(which, page)), (n, which)
            found = arrival.facts["mem_kib"]
            assert abs(memory.setdefault(which[0], found) - found) <= 1024, n
            print(f"{n + 1} of {n_jumps}: {which[0]} by {which[1]}", flush=True)
