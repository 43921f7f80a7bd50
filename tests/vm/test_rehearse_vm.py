# SPDX-License-Identifier: GPL-2.0-or-later
"""--rehearse=vm: what would be loaded comes up in a throwaway machine, and what would not is found out.

The command runs here, without CAP_SYS_BOOT, on a machine that is a tree of files.
"""

import gzip
import json
import os
import pathlib
import sys

import pytest

import guest as guests
from guest import initramfs, kernel

sys.path.append(str(guests.TOP / "tests" / "cli"))

from kexec_run import run  # noqa: E402
from machines import GIB, Machine, pc  # noqa: E402

GOOD, BAD, UNKNOWN = 0, 1, 2
VERDICTS = {GOOD: "good", BAD: "bad", UNKNOWN: "unknown"}
LIMIT = 240     # seconds; the rehearsal itself has less
STAGES = ["plan", "machine", "placed", "purgatory", "kernel", "init"]

JOB = initramfs({"": "proof rehearsed\npoweroff"})


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

    def good(self):
        assert self.result.status == GOOD, self
        assert self.names == STAGES, self
        assert b"NG-PROOF rehearsed" in self.console, self
        return self

    def found(self, stage, name, status=BAD):
        assert self.result.status == status, self
        last = self.of["stages"][-1]
        assert (last["name"], last["id"]) == (stage, name), self
        return last["text"]

    def __str__(self):
        return f"{self.result}\n{self.console[-3000:].decode(errors='replace')}"


def rehearse(folder, name, *more, initrd=JOB):
    (folder / "initrd").write_bytes(initrd)
    (folder / "host").mkdir()
    (folder / "kept").mkdir()
    turn = guests.Turn()
    try:
        result = run("--dry-run", "--rehearse=vm", "--json", "--time-limit=180", "-l",
                     Machine(pc(GIB)).write(folder / "host"), kernel(name).image,
                     f"--initrd={folder / 'initrd'}", "--append=root=/dev/vda1 quiet", *more,
                     limit=LIMIT, env={**os.environ, "TMPDIR": str(folder / "kept")})
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


@pytest.mark.long_form
@pytest.mark.parametrize("enter", ["16", "64", "32", "pvh"])
def test_entries(tmp_path, enter):
    rehearse(tmp_path, "6.1-cloud", f"--enter={enter}").good()


@pytest.mark.long_form
def test_no_disk_is_no_verdict(tmp_path):
    rehearse(tmp_path, "6.1-cloud", initrd=initramfs({}, init=False)).found(
        "init", "rehearse/vm-no-root", UNKNOWN)
