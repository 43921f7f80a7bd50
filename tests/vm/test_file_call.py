# SPDX-License-Identifier: GPL-2.0-or-later
"""The flags of kexec_file_load: each where it is asked for, and what a kernel does not know."""

import gzip
import shlex

import pytest

from guest import BUILD, Machine
from test_side_by_side import Line, ours, run_all, small

# Source: include/uapi/linux/kexec.h.
ON_CRASH, NO_INITRAMFS, DEBUG, NO_CMA, FORCE_DTB = 2, 4, 8, 0x10, 0x20

# The words, and the flags of the call that loads where the kernel knows all of them.
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
}
KNOWN = {"6.1-cloud": NO_INITRAMFS | ON_CRASH,
         "7-amd64": NO_INITRAMFS | ON_CRASH | DEBUG | NO_CMA | FORCE_DTB}


@pytest.mark.parametrize("first", KNOWN)
def test_flags(first, request):
    lines = [Line("", tuple(shlex.split(text))) for text in LINES]
    log = BUILD / "vm-logs" / f"file_call_{first}"
    rows = run_all(lines, [ours()], Machine(memory=1024), log, first=first,
                   files={"/kz": gzip.compress(small("6.1-amd64"), mtime=0)})
    for (text, flags), (result,) in zip(LINES.items(), rows):
        unknown = flags & ~KNOWN[first]
        calls = [call for call in result["calls"] if call["call"].startswith("kexec_")]
        done = [call for call in calls if call["result"] == 0]
        assert calls[0]["call"] == "kexec_file_load" and calls[0]["flags"] == flags, (text, result)
        # The user's own file, of which signatures and measurements are, unless it is packed.
        path = calls[0]["kernel"]["path"]
        assert path.startswith("/memfd:") if "/kz" in text else path == "/k", (text, result)
        assert not calls[0]["initrd"] or calls[0]["initrd"]["path"] == "/i", text
        if not unknown:
            assert result["status"] == 0 and calls == done, (text, result)
        elif unknown == DEBUG:             # it is only talk: left out, and loaded all the same
            assert result["status"] == 0 and done[-1]["flags"] == flags & ~DEBUG, (text, result)
        elif "-a" in text:                 # the other call has no such flags: loaded, and said
            assert result["status"] == 0 and done[-1]["call"] == "kexec_load", (text, result)
            assert "[load/fell-back]" in result["err"], (text, result)
        else:
            assert result["status"] == 253 and not done, (text, result)
            assert "[kernel/" in result["err"], (text, result)
