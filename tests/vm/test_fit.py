# SPDX-License-Identifier: GPL-2.0-or-later
"""The budget of a capture kernel against the truth: its reservation shrinks until it fails.

Prints a row of the table in doc/kdump.md for each case (pytest -s).
"""

import dataclasses
import functools
import gzip
import json
import random
import re

import pytest

import guest as guests
from guest import Guest, GuestFailed, Machine, initramfs, kernel, kexec_files

STEP = 4        # MiB between reservations that are tried
ROOMY = 384     # MiB, in which every case starts
# So much may the estimate be above what was needed: a warning that cries wolf is not read.
SLACK = 4       # one part in so many


@dataclasses.dataclass(frozen=True)
class Case:
    capture: str
    files: int = 0      # MiB in the initrd, which gzip makes a third of
    n_cpus: int = 1
    limit: str = "nr_cpus=1"

    def __str__(self):
        return f"{self.capture}-{self.files}M-{self.n_cpus}cpu-{self.limit or 'all'}"

    @functools.cached_property
    def initrd(self):
        chance = random.Random(1)
        parts = {f"/data/{i}": chance.randbytes(self.files << 20 >> 5) + bytes(self.files << 21 >> 5)
                 for i in range(self.files and 32 // 3)}
        return gzip.compress(initramfs({"": "proof captured\npoweroff"}, parts), 6, mtime=0)

    @property
    def line(self):
        return f"console=ttyS0 panic=-1 loglevel=5 reset_devices {self.limit}".strip()

    def start(self, size, log):
        job = [f"run /sbin/kexec -p /k2 --json --initrd=/i2 '--append={self.line}'",
               # What it printed has to be out before the panic takes the console.
               "write /proc/sys/kernel/sysrq 1", "sleep 1", "write /proc/sysrq-trigger c"]
        first = initramfs({"": "\n".join(job)}, {
            **kexec_files(), "/k2": kernel(self.capture).image, "/i2": self.initrd})
        return Guest(Machine(memory=1024, smp=self.n_cpus), kernel("6.1-cloud"), first,
                     f"loglevel=4 crashkernel={size}M", log=log)

    def predict(self, log):
        """MiB that are known to be needed at boot; that are reckoned to be, then and at most."""
        with self.start(ROOMY, log) as guest:
            guest.expect(r"NG-STATUS 0$")
            text = "\n".join(line for _, line in guest.lines)
        budget = json.JSONDecoder().raw_decode(text[text.index("{\n"):])[0]["budget"]
        at_boot = [item for item in budget["items"] if item["at_boot"]]
        known = sum(item["len"] for item in at_boot if not item["estimate"])
        return [x / 2**20 for x in (known, sum(item["len"] for item in at_boot),
                                    budget["needed_len"])]

    def boots(self, size, log):
        """Does it get to init in so many MiB? What finds no place at all does not."""
        with self.start(size, log) as guest:
            try:
                guest.expect(r"^kexec: \d segments intact", allow=re.compile("Kernel panic"))
            except GuestFailed:
                if not any("[place/" in line or "[crash/" in line for _, line in guest.lines):
                    raise
                return False
            try:
                guest.expect(r"NG-PROOF captured")
                # Init comes first in the archive: it runs although files behind it are missing.
                return not any("Initramfs unpacking failed" in text for _, text in guest.lines)
            except GuestFailed:
                said = "\n".join(text for _, text in guest.lines[-200:])
                assert re.search("Out of memory|deadlocked on memory|can't|Initramfs unpacking|"
                                 "not syncing|allocation failure|Cannot allocate", said), said
                return False


CASES = [Case(name) for name in ("6.1-amd64", "6.1-cloud", "6.12-amd64", "7-amd64")] + [
    Case("6.12-amd64", files=96), Case("7-amd64", files=96),
    Case("7-amd64", files=96, limit="nr_cpus=1 root=none"),
    Case("6.1-cloud", n_cpus=4, limit=""), Case("6.1-cloud", n_cpus=16, limit=""),
    Case("6.1-amd64", n_cpus=8), Case("6.1-amd64", n_cpus=8, limit="maxcpus=1"),
    Case("6.12-amd64", n_cpus=8, limit=""), Case("7-amd64", n_cpus=8, limit="maxcpus=1")]


@pytest.mark.long_form     # some six guests a case
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fit(case, log_folder):
    known, at_boot, needed = case.predict(log_folder)
    # Less than is known may do: not all of the kernel's window need be in use any more.
    works, fails = -(-int(at_boot) // STEP) * STEP, int(known * 3 / 4) // STEP * STEP
    assert case.boots(works, log_folder), f"{works} MiB were said to be enough"
    while works - fails > STEP:
        size = (fails + works) // 2 // STEP * STEP
        works, fails = (size, fails) if case.boots(size, log_folder) else (works, size)
    print(f"\n| {case.capture} | {case.files} | {case.n_cpus} | {case.limit} | {at_boot:.0f} | "
          f"{works} | {needed:.0f} |")
    assert at_boot <= works + at_boot / SLACK, "the estimate is far above the truth"
