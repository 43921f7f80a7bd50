# SPDX-License-Identifier: GPL-2.0-or-later
"""What is staged is what runs: damage is found, and the same facts give the same plan."""

import os
import subprocess

import pytest

from guest import BUILD, FACTS_TREE, Guest, Machine, initramfs, json_of, kernel, kexec_binary
from stopped import APPEND, Stopped, contents, load_command

FIRST, SECOND = "6.1-cloud", "6.12-amd64"
RESET_LIMIT = 30  # seconds from the damage to the reset
LOAD = load_command()


class AtPurgatory(Stopped):
    """A guest that has loaded the second kernel and stands at purgatory's first instruction."""

    def __init__(self, log, options=""):
        super().__init__(log, contents(kernel(SECOND)), load_command(options), first=FIRST)

    def __enter__(self):
        super().__enter__()
        try:
            self.run_to_purgatory()
        except BaseException as why:
            self.__exit__(type(why), why, None)
            raise
        return self


def test_intact(log_folder):
    """Without damage the same guest, stopped by the same debugger, goes on."""
    with AtPurgatory(log_folder) as at:
        at.gdb.resume()
        at.guest.expect(r"kexec: .*segments? intact.*starting kernel")
        assert at.guest.facts()["cmdline"] == APPEND
        at.guest.expect("NG-PROOF second")


def segments_of(plan):
    """Name, address and length in bytes of all that purgatory has to vouch for."""
    return [(s["name"], int(s["addr"], 0), s["len"]) for s in plan["segments"] if s["verified"]]


@pytest.fixture(scope="session")
def segments():
    initrd = initramfs({"": LOAD}, contents(kernel(SECOND)))
    with Guest(Machine(), kernel(FIRST), initrd, "loglevel=4 no_timer_check",
               log=BUILD / "vm-logs" / f"segments.{os.getpid()}") as guest:
        plan = guest.plan()
    found = segments_of(plan)
    assert len(found) >= 3  # kernel, initrd, and what tells the kernel of them
    return found


@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_damage(where, segments, log_folder):
    """One flipped bit, anywhere in a segment: purgatory names the segment and resets."""
    for name, address, length in segments:
        offset = {"first": 0, "middle": length // 2, "last": length - 1}[where]
        with AtPurgatory(log_folder / name) as at:
            # --seed=1: the plan is the same in each of these guests.
            assert (name, address, length) in segments_of(at.plan)
            at.flip(address + offset)
            at.gdb.resume()
            at.guest.expect(rf"kexec: segment {name} is damaged", seconds=RESET_LIMIT)
            at.guest.wait_reset(RESET_LIMIT)
            assert not any("Linux version" in text for _, text in at.guest.lines)


@pytest.mark.parametrize("machine", [
    Machine(), Machine("ovmf", "qemu64", 2048, 4, vga="std"), Machine("ovmf", memory=5120)],
    ids=str)
@pytest.mark.parametrize("first", ["6.1-cloud", "7-amd64"])
def test_captured_host(first, machine, log_folder, tmp_path):
    """The plan made elsewhere, from a guest's captured /proc and /sys, is the guest's own plan, when that
    may not look into its memory for what EFI stubs left there."""
    files = contents(kernel(SECOND))
    files["/run/is-there"] = b""    # for the record of what is loaded; a guest without gets a note
    initrd = initramfs({"": f"remove /dev/mem\ndump-tree {' '.join(FACTS_TREE)}\n{LOAD}"}, files)
    with Guest(machine, kernel(first), initrd, "loglevel=4", log=log_folder) as guest:
        guest.dump(tmp_path / "root")
        there = guest.plan()
    for name in ("k2", "i2"):
        (tmp_path / name).write_bytes(files[f"/{name}"])
    # Whatever kexec may do by mistake, it cannot touch the machine that runs this test.
    harmless = ["setpriv", "--bounding-set=-sys_boot"] if os.geteuid() == 0 else []
    command = [*harmless, kexec_binary().resolve(), "--host-root=root", "--dry-run", "--json",
               "--seed=1", "-l", "k2", "--initrd=i2", f"--append={APPEND}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    here = json_of(done.stdout)
    assert here == there
