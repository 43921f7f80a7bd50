# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels panic, and what was loaded for that boots and finds the dead one's memory.

The first kernel marks pages of its memory, loads with -p and crashes. The capture kernel's init
reads /proc/vmcore from end to end: the marked pages and the panic message must be in it.
"""

import json

import pytest

from guest import Guest, Machine, initramfs, kernel, kexec_files

SEED = 20240607
SYSRQ = "write /proc/sysrq-trigger c"
SYSRQ_MESSAGE = "sysrq triggered crash"
CAPTURE_LINE = "console=ttyS0 panic=-1 nr_cpus=1 reset_devices"


def crash_files(capture, message=SYSRQ_MESSAGE, jobs=None, files=None):
    vmcore = f"facts\nvmcore {SEED} 'Kernel panic - not syncing:' '{message}'\nproof captured"
    initrd = initramfs({"": vmcore, **(jobs or {})}, files)
    return {**kexec_files(), "/k2": capture.image, "/i2": initrd}


def crash_job(load="/sbin/kexec -p /k2", line=CAPTURE_LINE, crash=SYSRQ, before=(), after=()):
    return "\n".join(["facts", f"mark {SEED}", *before,
                      f"run {load} --initrd=/i2 '--append={line}'",
                      "run-expect 1 /sbin/kexec -S", *after, crash])


def check_capture(guest, first, capture, machine, kept_mib, line=CAPTURE_LINE, bits=64):
    """What the capture kernel found of the first one, whose facts are before."""
    guest.expect(r"kexec: .*starting kernel", allow=r"Kernel panic|---\[ end")
    after = guest.facts()
    assert after["release"] == capture.release
    assert after["cmdline"].endswith(line)
    found = json.loads(guest.expect(r"NG-VMCORE (\{.*\})")[1])
    guest.expect("NG-PROOF captured")
    assert found["bits"] == bits
    assert found["release"] == first.release
    assert found["marked"] == 64
    assert found["log"]
    assert found["cpus"] == machine.smp
    assert found["text"] == (bits == 64)
    ram = machine.memory - kept_mib
    assert ram - 24 <= found["len"] >> 20 <= ram
    return found


def crash(first_name, capture_name, machine, log, reservation="192M", kept_mib=192, **job):
    first, capture = kernel(first_name), kernel(capture_name)
    initrd = initramfs({"": crash_job(**job)}, crash_files(capture))
    with Guest(machine, first, initrd, f"loglevel=4 crashkernel={reservation}", log=log) as guest:
        before = guest.facts()
        assert before["release"] == first.release
        return check_capture(guest, first, capture, machine, kept_mib)


def test_thread(log_folder):
    crash("6.1-amd64", "6.1-amd64", Machine(memory=1024), log_folder)
