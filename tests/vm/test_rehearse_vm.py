# SPDX-License-Identifier: GPL-2.0-or-later
"""--rehearse=vm: what would be loaded comes up in a throwaway machine, and what would not is found out.

The command runs here, without CAP_SYS_BOOT, on a machine that is a tree of files.
"""

import gzip
import json
import os
import pathlib
import pty
import re
import subprocess
import sys

import pytest

import guest as guests
from guest import initramfs, kernel

sys.path.append(str(guests.TOP / "tests" / "cli"))

from kexec_run import command, run  # noqa: E402
from machines import GIB, MIB, Machine, pc  # noqa: E402

GOOD, BAD, UNKNOWN = 0, 1, 2
VERDICTS = {GOOD: "good", BAD: "bad", UNKNOWN: "unknown"}
SECONDS = 180   # that a rehearsal may take
LIMIT = 240
STAGES = ["plan", "machine", "placed", "purgatory", "kernel", "init"]

# A CPU that has what kernels of 64 bits want, and little more.
FLAGS = "fpu pse tsc msr pae cx8 apic cmov fxsr sse sse2 lm pdpe1gb nx"
JOB = initramfs({"": "proof rehearsed\npoweroff"})
# In a reservation: that the dump is there, and how much memory the capture kernel has.
IN_RESERVATION_JOB = """head /proc/vmcore 64 /header
show /proc/meminfo
show /header
proof rehearsed
poweroff"""
IN_RESERVATION = initramfs({"": IN_RESERVATION_JOB})


class Rehearsal:
    def __init__(self, result):
        self.result = result
        self.of = json.loads(result.out)["rehearsal"]
        assert self.of["where"] == "vm" and VERDICTS[result.status] == self.of["verdict"], result
        self.names = [stage["name"] for stage in self.of["stages"]]
        self.console = b""
        if self.of["console_path"]:
            where = pathlib.Path(self.of["console_path"])
            self.console = where.read_bytes()
            assert where.parent.stat().st_mode & 0o77 == 0
            assert os.listdir(where.parent) == [where.name], "only the console is kept"

    def good(self, stages=STAGES):
        assert self.result.status == GOOD, self
        assert self.names == stages, self
        assert b"NG-PROOF rehearsed" in self.console, self
        return self

    def found(self, stage, name, status=BAD):
        assert self.result.status == status, self
        last = self.of["stages"][-1]
        assert (last["name"], last["id"]) == (stage, name), self
        return last["text"]

    def __str__(self):
        return f"{self.result}\n{self.console[-3000:].decode(errors='replace')}"


def words_for(folder, name, *more, initrd=JOB, machine=None, load="-l",
              words="root=/dev/vda1 no_timer_check quiet"):
    """The files of a rehearsal, its command line and its environment."""
    (folder / "initrd").write_bytes(initrd)
    (folder / "host").mkdir()
    (folder / "kept").mkdir()
    machine = machine or Machine(pc(GIB), flags=FLAGS)
    return ["--dry-run", "--rehearse=vm", f"--time-limit={SECONDS}", load,
            machine.write(folder / "host"), kernel(name).image, f"--initrd={folder / 'initrd'}",
            f"--append={words}", *more], {
                **os.environ, "TMPDIR": str(folder / "kept")}


def rehearse(*args, **settings):
    argv, env = words_for(*args, **settings)
    turn = guests.Turn()
    try:
        result = run(*argv, "--json", limit=LIMIT, env=env)
    finally:
        turn.close()
    assert result.status in VERDICTS, result
    return Rehearsal(result)


def test_good(tmp_path):
    done = rehearse(tmp_path, "6.1-cloud").good()
    text = {stage["name"]: stage["text"] for stage in done.of["stages"]}
    assert "1024 MiB as this machine" in text["machine"]
    assert "console=ttyS0" in text["placed"]
    assert "segments intact" in text["purgatory"]
    assert text["kernel"].startswith("Linux version 6.1")


def test_initrd_cut_off(tmp_path):
    packed = gzip.compress(JOB, mtime=0)
    text = rehearse(tmp_path, "6.1-cloud", initrd=packed[:len(packed) // 2]).found(
        "init", "rehearse/vm-initrd")
    assert "Initramfs unpacking failed" in text


def test_damage(tmp_path):
    rehearse(tmp_path, "6.1-cloud", "--flip=kernel+5000").found("purgatory", "rehearse/vm-damaged")


def for_panic(folder, name, size, *more, start=GIB - 512 * MIB, machine=2 * GIB, initrd=IN_RESERVATION,
              root="root=/dev/vda1"):
    """A capture kernel in a reservation of size MiB, of a machine that has more."""
    machine = Machine(pc(machine), crash_kernel=(start, start + size * MIB), flags=FLAGS, cpus=(0,))
    return rehearse(folder, name, *more, initrd=initrd, machine=machine, load="-p",
                    words=f"{root} nr_cpus=1 no_timer_check quiet")


def in_crash_kernel(done, size):
    """It came up, in that reservation, and could read the dump's header there."""
    done.good(STAGES + ["vmcore"])
    assert b"\x7fELF" in done.console, done
    total = int(re.search(rb"MemTotal: +(\d+) kB", done.console)[1]) // 1024
    assert size // 2 < total < size, (total, done)


def too_much(n):
    """An initrd that is small and holds n MiB."""
    return gzip.compress(initramfs({"": "proof rehearsed\npoweroff"}, {"/data": bytes(n * MIB)}), 1, mtime=0)


def test_for_panic(tmp_path):
    done = for_panic(tmp_path, "6.1-cloud", 192)
    in_crash_kernel(done, 192)
    text = {stage["name"]: stage["text"] for stage in done.of["stages"]}
    assert "with the reservation" not in text["placed"], "there is RAM where it is here"


def test_for_panic_too_small(tmp_path):
    """The initrd unpacks to more than the reservation has."""
    text = for_panic(tmp_path, "6.1-cloud", 128, initrd=too_much(160)).found("init", "rehearse/vm-memory")
    assert "memory" in text


def test_cpu_lacks_something(tmp_path):
    """A kernel of 64 bits wants SSE2: the stub's code of 32 bits looks, and stops in silence."""
    machine = Machine(pc(GIB), flags=FLAGS.replace(" sse2", ""))
    text = rehearse(tmp_path, "6.1-cloud", "--enter=32", machine=machine).found(
        "kernel", "rehearse/vm-halted")
    assert "stopped the CPU for good, at 0x" in text


def test_live_on_a_terminal(tmp_path):
    """Each stage is announced, and its line comes before the next one is; what stays is the report."""
    argv, env = words_for(tmp_path, "6.1-cloud")
    ours, theirs = pty.openpty()
    turn = guests.Turn()
    try:
        with subprocess.Popen(command(argv), stdin=subprocess.DEVNULL, stdout=theirs,
                              stderr=subprocess.PIPE, env=env) as process:
            os.close(theirs)
            said = terminal_text(ours)
            assert process.wait(LIMIT) == GOOD, (said, process.stderr.read())
            assert process.stderr.read() == b""
    finally:
        turn.close()
        os.close(ours)
    erase = "\r\x1b[K"
    at = said.index("nothing was loaded")
    for stage in STAGES[1:]:
        announced = said.index(f"{erase}{stage:10} ... ")
        assert at < announced < said.index(f"{erase}{stage:10} good "), (stage, said)
        at = said.index(f"{erase}{stage:10} good ")
    lines = re.sub(r"\r\x1b\[K\w+ +\.\.\. +\d+ s(?=\r\x1b)|\r\x1b\[K", "", said).splitlines()
    assert lines[0].startswith("rehearsal of bzImage, ") and lines[1] == ""
    assert [line.split()[:2] for line in lines[2:9]] == [[name, "good"] for name in STAGES] + [[]]
    assert lines[-1].startswith("verdict    good: ")


def terminal_text(fd):
    """All that is written to a terminal, until nobody has it open any more."""
    said = b""
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:     # EIO is the end of a pty
            data = b""
        if not data:
            return said.decode().replace("\r\n", "\n")
        said += data


OTHERS = ["6.1-amd64", "6.12-amd64", "7-amd64", "6.1-686-pae"]


def job_for(name, job="proof rehearsed\npoweroff"):
    return initramfs({"": job}, bits=kernel(name).bits)


@pytest.mark.long_form
@pytest.mark.parametrize("enter", ["auto", "16"])
@pytest.mark.parametrize("name", OTHERS)
def test_kernels(tmp_path, name, enter):
    done = rehearse(tmp_path, name, f"--enter={enter}", initrd=job_for(name)).good()
    text = {stage["name"]: stage["text"] for stage in done.of["stages"]}
    assert kernel(name).release in text["kernel"]


@pytest.mark.long_form
@pytest.mark.parametrize("name", OTHERS)
def test_initrds_cut_off(tmp_path, name):
    packed = gzip.compress(job_for(name), mtime=0)
    rehearse(tmp_path, name, initrd=packed[:len(packed) // 2]).found("init", "rehearse/vm-initrd")


@pytest.mark.long_form
@pytest.mark.parametrize("enter, stage, name", [
    ("16", "kernel", "rehearse/vm-stub"), ("32", "kernel", "rehearse/vm-halted"),
    ("auto", "init", "rehearse/vm-panic"), ("64", "init", "rehearse/vm-panic"),
    ("pvh", "init", "rehearse/vm-panic")])
def test_cpu_lacks_something_by_other_entries(tmp_path, enter, stage, name):
    """The setup code of the 16-bit entry is the only one that can say so. What does not look comes as
    far as a process, which dies of the first such instruction."""
    machine = Machine(pc(GIB), flags=FLAGS.replace(" sse2", ""))
    text = rehearse(tmp_path, "6.12-amd64", f"--enter={enter}", machine=machine).found(stage, name)
    assert enter != "16" or "This kernel requires" in text


# Kernel, size of the reservation in MiB, where it begins, RAM of the machine.
RESERVATIONS = [("6.1-amd64", 224, 512 * MIB, 2 * GIB), ("6.12-amd64", 256, 512 * MIB, 2 * GIB),
                ("7-amd64", 256, 5 * GIB, 6 * GIB), ("6.1-686-pae", 160, 256 * MIB, GIB),
                ("6.1-cloud", 160, 2 * GIB - 161 * MIB, 2 * GIB)]


@pytest.mark.long_form
@pytest.mark.parametrize("name, size, start, total", RESERVATIONS)
def test_reservations(tmp_path, name, size, start, total):
    """The last one ends where the virtual machine has its firmware's memory: it is moved."""
    done = for_panic(tmp_path, name, size, start=start, machine=total,
                     initrd=job_for(name, IN_RESERVATION_JOB))
    in_crash_kernel(done, size)
    text = {stage["name"]: stage["text"] for stage in done.of["stages"]}
    assert ("with the reservation" in text["placed"]) == (start + size * MIB > total - 2 * MIB)


@pytest.mark.long_form
@pytest.mark.parametrize("name, size, content", [
    ("6.1-amd64", 160, 192), ("6.12-amd64", 160, 192), ("7-amd64", 192, 224)])
def test_reservations_too_small(tmp_path, name, size, content):
    for_panic(tmp_path, name, size, initrd=too_much(content)).found("init", "rehearse/vm-memory")


@pytest.mark.long_form
def test_half_of_a_reservation(tmp_path):
    """So much of it has an initramfs of a kernel without root=. It is no damage that the rest has no room."""
    text = for_panic(tmp_path, "6.1-cloud", 192, initrd=too_much(96), root="").found(
        "init", "rehearse/vm-memory")
    assert "unpacking failed: write error" in text


@pytest.mark.long_form
@pytest.mark.parametrize("enter", ["16", "64", "32", "pvh"])
def test_entries(tmp_path, enter):
    rehearse(tmp_path, "6.1-cloud", f"--enter={enter}").good()


@pytest.mark.long_form
def test_no_disk_is_no_verdict(tmp_path):
    rehearse(tmp_path, "6.1-cloud", initrd=initramfs({}, init=False)).found(
        "init", "rehearse/vm-no-root", UNKNOWN)
