# SPDX-License-Identifier: GPL-2.0-or-later
"""Purgatory's SHA-256 by the CPU's SHA instructions, in ring 0, between two kernels.

QEMU 7.2 does not emulate these instructions: the guests run in a newer one (fetch-qemu).
"""

import contextlib
import re

import pytest

from guest import Machine, kernel, newer_qemu
from stopped import APPEND, Stopped, contents, load_command

SECOND = "6.12-amd64"
RESET_LIMIT = 30  # seconds from the damage to the reset
SLOW_LIMIT = 300  # seconds for SHA-256 in C, under an emulator

CR0_EM, CR0_TS = 1 << 2, 1 << 3
CR4_OSFXSR, CR4_OSXMMEXCPT = 1 << 9, 1 << 10
FIRST_XMM_KEPT = 14  # purgatory uses those below, and leaves zeros in them

INTACT = r"kexec: .*segments? intact.*starting kernel"


@contextlib.contextmanager
def at_purgatory(log, cpu):
    with Stopped(log, contents(kernel(SECOND)), load_command("--digest=sha256"),
                 Machine(cpu=cpu), emulator=newer_qemu()) as at:
        assert at.plan["digest"] == "sha256"
        at.run_to_purgatory()
        yield at


def sha_instructions(at):
    """Addresses of sha256rnds2 in purgatory, as it is in memory."""
    (segment,) = [s for s in at.plan["segments"] if s["name"] == "purgatory"]
    start = int(segment["addr"], 0)
    code = at.guest.memory(start, segment["len"])
    # With a prefix (REX) where it uses the high registers: for the second of two messages.
    found = [start + m.start() for m in re.finditer(rb"[\x40-\x4f]?\x0f\x38\xcb", code)]
    # 32 in a block: in the code for one message, and for each message in that for two.
    assert len(found) == 3 * 32
    return found


def test_sha_ni(log_folder):
    """The instructions run, the control registers are put back, and the kernel boots."""
    with at_purgatory(log_folder, "max") as at:
        before = at.gdb.registers()
        assert not before.cr4 & CR4_OSFXSR  # or this would show nothing
        found = sha_instructions(at)
        for address in (found[-1], found[0]):  # for two messages, and for one
            at.run_to(address)
            amid = at.gdb.registers()
            assert amid.cr4 == before.cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT
            assert not amid.cr0 & (CR0_EM | CR0_TS)
            assert amid.cs & 3 == 0
        at.run_to_kernel()
        after = at.gdb.registers()
        assert (after.cr0, after.cr4) == (before.cr0, before.cr4)
        for n in range(FIRST_XMM_KEPT):
            assert at.xmm(n) == 0
        at.gdb.resume()
        at.guest.expect(INTACT)
        assert at.guest.facts()["cmdline"] == APPEND
        at.guest.expect("NG-PROOF second")


def test_without(log_folder):
    """The control: a CPU that does not have the instructions is not given them, and boots."""
    with at_purgatory(log_folder, "max,sha-ni=off") as at:
        # The last ones for a block: few, since an emulator is slow around a breakpoint.
        found = sha_instructions(at)
        watched = found[31], found[-1]
        for address in watched:
            at.gdb.break_at(address)
        at.run_to(int(at.plan["jump"]["entry"], 0), SLOW_LIMIT)  # fails if it stops elsewhere
        for address in watched:
            at.gdb.unbreak(address)
        at.gdb.resume()
        at.guest.expect(INTACT)
        at.guest.expect("NG-PROOF second")


@pytest.mark.parametrize("name", ["kernel", "params"])
def test_damage(name, log_folder):
    """One flipped bit, in a long segment and in a short one, is found and named."""
    with at_purgatory(log_folder, "max") as at:
        (segment,) = [s for s in at.plan["segments"] if s["name"] == name]
        at.flip(int(segment["addr"], 0) + segment["len"] // 2)
        at.run_to(sha_instructions(at)[0 if name == "params" else -1])
        at.gdb.resume()
        at.guest.expect(rf"kexec: segment {name} is damaged", seconds=RESET_LIMIT)
        at.guest.expect(r"kexec: first bad chunk at .*SHA-256", seconds=RESET_LIMIT)
        at.guest.wait_reset(RESET_LIMIT)
        assert not any("Linux version" in text for _, text in at.guest.lines)
