# SPDX-License-Identifier: GPL-2.0-or-later
"""Long steps say on a terminal what they are at, in one line that is gone at the end."""

import os
import pty
import re
import subprocess
import threading

import pytest

import images
from kexec_run import command

XZ = "6.1-amd64"        # unpacking it takes longer than half a second, by us and by its stub
TAKEN_AWAY = b"\r\x1b[K"


def on_a_terminal(*args):
    """Standard error as a terminal gets it."""
    ours, theirs = pty.openpty()
    seen = []

    def read():
        try:
            while chunk := os.read(ours, 4096):
                seen.append(chunk)
        except OSError:
            pass    # nobody has the other end any more

    reader = threading.Thread(target=read)
    reader.start()
    try:
        done = subprocess.run(command(args), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=theirs, timeout=180, check=False)
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)
    assert done.returncode == 0, b"".join(seen)
    return b"".join(seen)


@pytest.mark.parametrize("words, says", [
    (["--dry-run", "--rehearse", "--enter=64"], "rehearsing"),
    (["--inspect"], "looking into the image"),
])
def test_a_long_step(pc, words, says):
    text = on_a_terminal(*words, pc, images.path(XZ))
    assert re.search(rb"\r\[#*\.*\] [|/\\-] " + says.encode() + rb"\x1b\[K", text), text
    assert text.endswith(TAKEN_AWAY), "the line stays"
    assert b"\n" not in text
