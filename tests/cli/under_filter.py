# SPDX-License-Identifier: GPL-2.0-or-later
"""under_filter.py CALL COMMAND...: runs it where this system call is refused (EPERM), as in a container."""

import ctypes
import os
import struct
import sys

NUMBERS = {"ptrace": 101, "memfd_create": 319, "openat2": 437}  # of x86-64
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
EPERM = 1


def main():
    code = b"".join(struct.pack("<HBBI", *word) for word in (
        (0x20, 0, 0, 0),                                # the number
        (0x15, 0, 1, NUMBERS[sys.argv[1]]),
        (0x06, 0, 0, 0x00050000 | EPERM),               # errno
        (0x06, 0, 0, 0x7fff0000)))                      # allowed
    words = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(
        struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(words)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0) == 0
    os.execvp(sys.argv[2], sys.argv[2:])


main()
