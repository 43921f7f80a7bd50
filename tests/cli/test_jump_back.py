# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans to come back from: all of the window is swapped, and the next kernel knows nothing else."""

import struct

import pytest

import images
import plans
from kexec_run import run
from machines import FLAGS, GIB, MIB, RAM, Machine, pc as pc_map

WINDOW_END = 192 * MIB
WORD = "kexec_jump_back_entry=0x0000000000000000 kexec_jump_back_gdt=0x0000000000000000"


def plan_of(machine, folder, kernel, *words, mem_max=WINDOW_END - 1):
    host = machine.write(folder / "host")
    return plans.Plan(run("--dry-run", "--json", host, "--load-preserve-context",
                          f"--mem-max={mem_max:#x}", kernel, *words).done().out)


def program(bits=64, at=32 * MIB):
    """An ELF program of a return instruction."""
    code = b"\xc3" * 16
    if bits == 64:
        head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, at, 64, 0, 0, 64,
                           56, 1, 0, 0, 0)
        return head + struct.pack("<IIQQQQQQ", 1, 5, 120, at, at, 16, 16, 1) + code
    head = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 3, 1, at, 52, 0, 0, 52, 32, 1,
                       0, 0, 0)
    return head + struct.pack("<IIIIIIII", 1, 84, at, at, 16, 16, 5, 1) + code


def swapped(plan):
    """What the running kernel keeps elsewhere, in whole ranges."""
    found = []
    for s in sorted(plan["segments"], key=lambda s: int(s["addr"], 16)):
        start = int(s["addr"], 16)
        assert s["mem_len"] == s["reserve_len"]
        if found and found[-1][1] == start:
            start = found.pop()[0]
        found.append((start, int(s["addr"], 16) + s["mem_len"]))
    return found


@pytest.mark.parametrize("name, flags", [
    ("6.1-cloud", FLAGS), ("6.1-cloud", FLAGS + " la57"), ("7-amd64", FLAGS)])
def test_kernel(folder, name, flags):
    plan = plan_of(Machine(pc_map(2 * GIB), flags=flags), folder, images.path(name),
                   "--append=quiet")
    no5lvl = "" if "la57" in flags else " no5lvl"
    assert plan["cmdline"] == f"{WORD}{no5lvl} quiet"
    assert plan["paging"] == "keep"
    window = [(0x1000, 0x9f000), (MIB, WINDOW_END)]
    assert swapped(plan) == window
    assert [(int(e["start"], 16), int(e["end"], 16)) for e in plan["e820"]["entries"]
            if e["type"] == RAM] == window


def test_program(folder):
    """It gets the window too. What is in it is not its own but for what is loaded."""
    where = folder / "program"
    where.write_bytes(program())
    plan = plan_of(Machine(pc_map(2 * GIB)), folder, where, "--args-none", "--mem-min=16M",
                   mem_max=64 * MIB - 1)
    assert swapped(plan) == [(16 * MIB, 64 * MIB)]
    assert plan.names.count("preserved") == 2
    assert int(plan["jump"]["entry"], 16) == 32 * MIB


def refused(folder, *words, id, status=255, machine=None):
    host = (machine or Machine(pc_map(2 * GIB))).write(folder / "host")
    return run("--dry-run", host, "--load-preserve-context", *words).failed(id, status)


def test_refused(folder):
    where = folder / "program"
    where.write_bytes(program(32))
    kernel = images.path("6.1-cloud")
    limit = "--mem-max=192M"
    refused(folder, where, "--args-none", limit, id="jump/not-64-bit")
    refused(folder, kernel, limit, "--enter=32", id="jump/not-64-bit")
    refused(folder, images.path("6.1-686-pae"), limit, id="jump/not-64-bit")
    refused(folder, kernel, "--mem-max=512K", id="jump/window-empty")
    refused(folder, kernel, "--mem-max=1100M", id="plan/over-half-of-ram")
    refused(folder, kernel, id="options/no-window", status=1)
    refused(folder, images.path("5.10-rt-amd64"), limit, id="jump/paging",
            machine=Machine(pc_map(2 * GIB), flags=FLAGS + " la57"))


def test_word_is_not_handed_on(pc, small, folder):
    """It is about the kernel that runs, and where another one was."""
    machine = Machine(pc_map(2 * GIB), cmdline="kexec_jump_back_entry=0x123 kexec_jump_back_gdt=0 quiet")
    plan = plans.Plan(run("--dry-run", "--json", machine.write(folder / "host"), small,
                          "--reuse-cmdline").done().out)
    assert plan["cmdline"] == "quiet"
