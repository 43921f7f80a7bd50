# SPDX-License-Identifier: GPL-2.0-or-later
"""The flags of kexec_file_load: each where it is asked for, and what a kernel does not know."""

import gzip
import shlex

import pytest

from guest import BUILD, Machine
from test_side_by_side import Line, ours, run_all, small

# Source: include/uapi/linux/kexec.h.
UNLOAD, ON_CRASH, NO_INITRAMFS, DEBUG, NO_CMA, FORCE_DTB = 1, 2, 4, 8, 0x10, 0x20

# The words, and the flags of the first call: those that were asked for, whatever the kernel knows.
LINES = {
    "-s -l /k": NO_INITRAMFS,
    "-s -l /k --initrd=/i": 0,
    "-s -p /k --initrd=/i": ON_CRASH,
    "-s -p /k": ON_CRASH | NO_INITRAMFS,
    "-d -s -l /k": NO_INITRAMFS | DEBUG,
    "-s -l /k --initrd=/i --no-cma": NO_CMA,
    "-s -l /k --initrd=/i --force-dtb": FORCE_DTB,
    "-a -l /k --initrd=/i --no-cma --force-dtb": NO_CMA | FORCE_DTB,
    "-s -l /kz --initrd=/i": 0,
    "-s -l /k --initrd=/i --initrd=/iz": 0,
    "-s -u": UNLOAD,
    "-s -p -u": UNLOAD | ON_CRASH,
}
# What a running kernel takes.
OLD = UNLOAD | ON_CRASH | NO_INITRAMFS
KNOWN = {"6.1-cloud": OLD, "7-amd64": OLD | DEBUG | NO_CMA | FORCE_DTB}
# The user's own files, of which signatures and measurements are: by the name of what the kernel was
# given. Not of what had to be unpacked or joined.
MADE = {"-s -l /kz --initrd=/i": {"kernel"}, "-s -l /k --initrd=/i --initrd=/iz": {"initrd"}}


def check_files(text, call):
    for what, path in (("kernel", "/k"), ("initrd", "/i")):
        file = call[what]
        if what == "kernel" and "-u" in text or what == "initrd" and "/i" not in text:
            assert file is None, (text, call)
        elif what in MADE.get(text, ()):
            assert file["path"].startswith("/memfd:"), (text, call)
        else:
            assert file["path"] == path, (text, call)


def check(text, flags, known, result):
    """A line's first call, and what became of flags that the kernel does not know."""
    unknown = flags & ~known
    calls = [call for call in result["calls"] if call["call"].startswith("kexec_")]
    done = [call for call in calls if call["result"] == 0]
    assert calls[0]["call"] == "kexec_file_load" and calls[0]["flags"] == flags, (text, result)
    check_files(text, calls[0])
    if not unknown:
        assert result["status"] == 0 and calls == done, (text, result)
    elif unknown == DEBUG:      # it is only talk: left out, and loaded all the same
        assert result["status"] == 0 and done[-1]["flags"] == flags & ~DEBUG, (text, result)
        check_files(text, done[-1])
    elif "-a" in text:          # the other call has no such flags: loaded, and said
        assert result["status"] == 0 and done[-1]["call"] == "kexec_load", (text, result)
        assert "[load/fell-back]" in result["err"], (text, result)
    else:
        assert result["status"] == 253 and not done, (text, result)
        assert "[kernel/" in result["err"], (text, result)


@pytest.mark.parametrize("first", KNOWN)
def test_flags(first):
    lines = [Line("", tuple(shlex.split(text))) for text in LINES]
    log = BUILD / "vm-logs" / f"file_call_{first}"
    rows = run_all(lines, [ours()], Machine(memory=1024), log, first=first,
                   files={"/kz": gzip.compress(small("6.1-amd64"), mtime=0)})
    for (text, flags), (result,) in zip(LINES.items(), rows):
        check(text, flags, KNOWN[first], result)
