# SPDX-License-Identifier: GPL-2.0-or-later
"""vmcore-dmesg as callers use it: exit statuses, streams, files that are none.

What it reads out of cores is tested by tests/unit/test_vmcore.c and tests/vm/test_dump.py; here is
one, of the oldest kind of log.
"""

import os
import pathlib
import re
import struct
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 20  # seconds

LOG = b"<5>Linux version 2.6.32\n<4>what happened\n"
VADDR = 0xffffffff81000000
MEMORY = 0x1000  # its place in the file
REASON = r"vmcore-dmesg: {}: .+ \[{}\]\n"


def core(log=LOG, ring_len=0x400):
    """An x86-64 core: a pointer, two numbers, and the characters they describe."""
    memory = struct.pack("<QII", VADDR + 0x100, len(log), ring_len).ljust(0x100, b"\0") + log
    memory = memory.ljust(0x1000, b"\0")
    info = (f"SYMBOL(log_buf)={VADDR:x}\nSYMBOL(log_end)={VADDR + 8:x}\n"
            f"SYMBOL(log_buf_len)={VADDR + 12:x}\n").encode()
    note = struct.pack("<III", 11, len(info), 0) + b"VMCOREINFO\0\0" + info
    ident = b"\x7fELF\2\1\1".ljust(16, b"\0")
    header = ident + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    headers = struct.pack("<IIQQQQQQ", 4, 0, 0x200, 0, 0, len(note), 0, 0)
    headers += struct.pack("<IIQQQQQQ", 1, 7, MEMORY, VADDR, 0x1000000, len(memory), len(memory), 0)
    file = (header + headers).ljust(0x200, b"\0") + note
    return file.ljust(MEMORY, b"\0") + memory


def run(*words, **options):
    program = pathlib.Path(os.environ.get("VMCORE_DMESG") or TOP / "build" / "bin" / "vmcore-dmesg")
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **options}
    return subprocess.run([program.absolute(), *words], stderr=subprocess.PIPE, timeout=LIMIT,
                          **options)


def refused(ran, name, problem, status=2):
    assert ran.returncode == status
    assert re.match(REASON.format(re.escape(name), problem), ran.stderr.decode())
    return ran


@pytest.fixture
def file(tmp_path):
    def make(data):
        path = tmp_path / "core"
        path.write_bytes(data)
        return path
    return make


def test_log(file):
    ran = run(file(core()))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, LOG, b"")
    assert run("--", file(core())).stdout == LOG


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help(word):
    ran = run(word)
    assert ran.returncode == 0 and b"usage: vmcore-dmesg" in ran.stdout and not ran.stderr


@pytest.mark.parametrize("word", ["-v", "--version"])
def test_version(word):
    ran = run(word)
    assert ran.returncode == 0 and not ran.stderr
    assert re.fullmatch(r"vmcore-dmesg of kexec-ng \S+\n", ran.stdout.decode())


@pytest.mark.parametrize("words", [[], ["a", "b"], ["-x"], ["--unknown"], ["--"], ["-h", "-v"]])
def test_wrong_command_line(words):
    """Exit status 1 and the usage, as kexec-tools has it."""
    ran = run(*words)
    assert ran.returncode == 1 and not ran.stdout and ran.stderr.startswith(b"usage: ")


def test_what_is_no_file(tmp_path):
    refused(run("/nonexistent"), "/nonexistent", "vmcore/open")
    refused(run("a\x1b[31mb\n"), "a?[31mb?", "vmcore/open")
    refused(run(tmp_path), str(tmp_path), "vmcore/(seek|unreadable|no-elf)")
    refused(run("/dev/stdin", stdin=subprocess.PIPE), "/dev/stdin", "vmcore/seek")
    refused(run("/proc/vmcore"), "/proc/vmcore", "vmcore/none")


@pytest.mark.parametrize("data, problem", [
    (b"", "vmcore/no-elf"), (b"text\n", "vmcore/no-elf"), (core()[:10], "vmcore/header-truncated"),
    (core()[:100], "vmcore/program-headers-outside"), (core()[:0x220], "vmcore/no-vmcoreinfo"),
    (b"KDUMP   " * 99, "vmcore/compressed"), (b"makedumpfile".ljust(999, b"\0"), "vmcore/flattened"),
])
def test_what_is_no_core(file, data, problem):
    path = file(data)
    assert not refused(run(path), str(path), problem).stdout


def test_cut_short(file):
    """Behind the log: a warning. In front of it: nothing is there."""
    path = file(core()[:MEMORY + 0x300])
    ran = run(path)
    assert (ran.returncode, ran.stdout) == (0, LOG)
    assert b"[vmcore/truncated]" in ran.stderr
    path = file(core()[:MEMORY + 0x80])
    assert not refused(run(path), str(path), "printk/unreadable").stdout


def test_partly_there(file):
    """A log of several chunks, of which the first is in the file: that, a reason, and status 3."""
    data = bytearray(core(LOG.ljust(0x2000, b"x")))
    data[MEMORY + 12:MEMORY + 16] = struct.pack("<I", 0x4000)
    path = file(data[:MEMORY + 0x100 + 0x1800])
    header = bytearray(path.read_bytes())
    header[64 + 56 + 32:64 + 56 + 48] = struct.pack("<QQ", 0x4000, 0x4000)
    path.write_bytes(header)
    ran = refused(run(path), str(path), "printk/unreadable", status=3)
    assert ran.stdout == LOG.ljust(0x1000, b"x")


def test_output_that_is_full(file):
    path = file(core())
    with open("/dev/full", "wb") as full:
        refused(run(path, stdout=full), str(path), "(vmcore|printk)/output")


def test_memory(file):
    """A ring of 32 MiB is printed in 8 MiB of address space, which its capture kernel may have left."""
    line = b"<6>" + b"x" * 60 + b"\n"
    ring_len = 32 << 20
    path = file(core(line * (ring_len // len(line)), ring_len))
    program = pathlib.Path(os.environ.get("VMCORE_DMESG") or TOP / "build" / "bin" / "vmcore-dmesg")
    with open(path.with_suffix(".out"), "wb") as out:
        ran = subprocess.run(["prlimit", "--data=8388608", program.absolute(), path], stdout=out,
                             stderr=subprocess.PIPE, timeout=3 * LIMIT)
    assert ran.returncode == 0, ran
    assert path.with_suffix(".out").stat().st_size >= ring_len - len(line)
