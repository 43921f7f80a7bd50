# SPDX-License-Identifier: GPL-2.0-or-later
"""Every system call that a --dry-run makes fails once, at each place, by strace.

Either the plan is the same as ever, or there is one reason, by name, and status 255: what could not be read
never passes for what is not there. What a plan can do without (addons, a display, a sandbox) is left out with a
note.
An interrupted read changes nothing.
"""

import collections
import json
import re
import shutil

import pytest

import machines
from kexec_run import REASON, command, run

# Which error, beside what the rest of the run would look like. Calls before main() are the C library's.
ERRORS = {
    "openat": ("EMFILE", "EINTR"), "openat2": ("EIO", "EMFILE", "ENOMEM"), "newfstatat": ("EIO",),
    "read": ("EIO", "EINTR"), "pread64": ("EIO", "EINTR"), "mmap": ("ENOMEM",),
    "getdents64": ("EIO",), "fcntl": ("EMFILE",),
    "munmap": ("EINVAL",), "sched_getaffinity": ("EINVAL",), "rt_sigaction": ("EINVAL",),
    "ioctl": ("EIO",), "write": ("ENOSPC", "EINTR"), "close": ("EIO", "EINTR"),
}
RETRIED = ("read", "pread64", "close")
MAIN = "/dev/null"  # the first file that main() opens


@pytest.fixture
def words(folder, small):
    root = folder / "pc"
    root.mkdir()
    machine = machines.Machine(machines.pc(16 * machines.GIB), is_efi=True).write(root)
    initrd = folder / "initrd"
    initrd.write_bytes(b"no archive\n" * 999)
    return ["--dry-run", "--json", "--seed=1", machine, f"--initrd={initrd}", small]


def traced(words, *options, log="/dev/null"):
    strace = shutil.which("strace")
    assert strace, "strace is not installed"
    return run(*words, between=(strace, "-f", "-o", str(log), *options), limit=60)


def calls_of(words, folder):
    """How often each call is made, and how often before main()."""
    log = folder / "strace"
    traced(words, log=log)
    total, early, is_early = collections.Counter(), collections.Counter(), True
    for line in log.read_text().splitlines():
        match = re.match(r"\d+ +(\w+)\(", line)
        if not match:
            continue
        is_early = is_early and MAIN not in line
        total[match[1]] += 1
        early[match[1]] += is_early
    return total, early


def is_as_said(out, whole):
    """The same plan but for notes, of which there are more, and what they are about."""
    new, old = json.loads(out), json.loads(whole)
    ids = {note["id"] for note in new.pop("notes")} - {note["id"] for note in old.pop("notes")}
    return ids <= {"addons/unreadable", "host/attribute", "sandbox/none"} and ids and new == old


@pytest.mark.parametrize("call, error", [(c, e) for c, errors in ERRORS.items() for e in errors])
def test_fails_once(folder, words, call, error):
    whole = run(*words).done().out
    total, early = calls_of(words, folder)
    assert total[call] > early[call], f"{call} is not called any more"
    for n in range(early[call] + 1, total[call] + 1):
        result = traced(words, "-e", f"inject={call}:error={error}:when={n}")
        found = [line for line in result.err.decode().splitlines() if REASON.fullmatch(line)]
        if error == "EINTR" and call in RETRIED:
            assert result.status == 0 and result.out == whole, (n, result)
        elif result.status == 0:
            assert result.out == whole or is_as_said(result.out, whole), (n, result)
        else:
            assert result.status == 255 and len(found) == 1, (n, result)


def test_prefix_is_harmless(words):
    """What strace runs is as confined as everything else here."""
    assert command(words)[0] == "setpriv"
