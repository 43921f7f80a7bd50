# SPDX-License-Identifier: GPL-2.0-or-later
"""refuse.py LOAD_ERRNO FILE_LOAD_ERRNO COMMAND...: runs a command whose kexec_load and
kexec_file_load never reach the kernel: they fail with these errors."""

import ctypes
import os
import struct
import sys

SYS_KEXEC_LOAD, SYS_KEXEC_FILE_LOAD = 246, 320  # x86-64

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
RET_ALLOW, RET_ERRNO = 0x7fff0000, 0x00050000


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("<HBBI", code, if_true, if_false, value)


def main():
    load, file_load = map(int, sys.argv[1:3])
    assert 0 < load < 4096 and 0 < file_load < 4096, "0 would look like a load that worked"
    program = b"".join((
        instruction(LOAD_WORD, 0),  # seccomp_data.nr
        instruction(JUMP_IF_EQUAL, SYS_KEXEC_LOAD, 2, 0),
        instruction(JUMP_IF_EQUAL, SYS_KEXEC_FILE_LOAD, 2, 0),
        instruction(RETURN, RET_ALLOW),
        instruction(RETURN, RET_ERRNO | load),
        instruction(RETURN, RET_ERRNO | file_load),
    ))
    buffer = ctypes.create_string_buffer(program)
    filters = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or \
            libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    os.execv(sys.argv[3], sys.argv[3:])


main()
