# SPDX-License-Identifier: GPL-2.0-or-later
"""Real loads read their files in processes without rights; what such a process tries besides ends the load.

caged.c looks at each of them at the moment from which on it reads, and makes one of them do another system call.
"""

import json
import platform
import re
import sys

import pytest

from guest import ALONE, TOP, Guest, Machine, compiled, initramfs, kernel, kexec_files

sys.path.append(str(TOP / "tests" / "corpus"))
import cases  # noqa: E402 (not before the line above)

assert platform.machine() == "x86_64", "the numbers below are of it"
# What could do harm, by each way out: files, programs, networks, other processes, the machine.
CALLS = {"openat": 257, "execve": 59, "socket": 41, "ptrace": 101, "kill": 62, "fork": 57, "setuid": 105,
         "reboot": 169, "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "mount": 165,
         "io_uring_setup": 425, "not there at all": 9999}
# Of a load: one opens the kernel's file, one plans.
N_CAGES = 2
SIGSYS = 31
REFUSED = "sandbox/refused-call"
# /k is small, and nobody starts it.
LOADS = ("-l /k", "-s -l /k", "-p /k")


@pytest.fixture(scope="session")
def caged():
    return compiled("caged", "caged.c", *ALONE)


def results(guest):
    """What the next run of it said: of each process, at the end, and all."""
    text = guest.output_of("/sbin/caged")
    assert "NG-CAGED-BAD" not in text, text
    seen = [json.loads(found) for found in re.findall(r"NG-CAGED (\{.*\})", text)]
    (end,) = re.findall(r"NG-CAGED-END (\{.*\})", text)
    return seen, json.loads(end), text


def test_real_loads(caged, log_folder):
    """All that reads has neither rights nor descriptors; what is refused loads nothing, and unloads nothing."""
    second = kernel("6.1-cloud")
    refused = [(1 + i % N_CAGES, name) for i, name in enumerate(CALLS)]
    job = [f"run /sbin/caged 0 0 /sbin/kexec {load}" for load in LOADS]
    job += ["run /sbin/caged 0 0 /sbin/kexec -l /k2 --initrd=/i2 '--append=console=ttyS0 panic=-1 quiet'"]
    job += [f"run-expect 255 /sbin/caged {n} {CALLS[name]} /sbin/kexec -l /k" for n, name in refused]
    job += ["run /sbin/kexec -e"]
    files = {**kexec_files(), "/sbin/caged": caged, "/k": cases.whole(), "/k2": second.image,
             "/i2": initramfs({"": "proof second"})}
    with Guest(Machine(), kernel("6.1-cloud"), initramfs({"": "\n".join(job)}, files),
               "loglevel=4 quiet crashkernel=128M", log=log_folder) as guest:
        for _ in range(len(LOADS) + 1):
            seen, end, text = results(guest)
            assert seen == [{"seccomp": 2, "no_new_privs": 1, "capabilities": 0, "descriptors": 1}] * N_CAGES, text
            assert end == {"loads": 1, "signal": 0}, text
        for n, name in refused:
            seen, end, text = results(guest)
            assert len(seen) == n and end == {"loads": 0, "signal": SIGSYS}, (name, text)
            assert f"[{REFUSED}]" in text, (name, text)
        guest.expect("NG-PROOF second")
