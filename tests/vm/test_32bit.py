# SPDX-License-Identifier: GPL-2.0-or-later
"""The command built for 32 bits, on a 32-bit kernel and on a 64-bit one.

A 32-bit kernel jumps with paging off: purgatory goes into long mode by itself. The command has none of
the libraries that unpack a kernel, as Debian has no way to install those of two architectures side
by side; what they do is tested elsewhere.
"""

import dataclasses
import shlex

import pytest

import guest as guests
from guest import Guest, Machine, initramfs, kernel

LINE = "console=ttyS0 panic=-1 loglevel=4"
HOST = "6.1-686-pae"


def kexec32():
    path = guests.BUILD / "32" / "bin" / "kexec"
    if not path.exists():
        raise FileNotFoundError(f"{path}: make STATIC=1 CC='gcc -m32' BUILD=build/32")
    return path


@dataclasses.dataclass
class Load:
    first: str
    second: str
    options: str = ""
    status: int = 0
    machine: Machine = Machine(cpu="max,la57=off")
    under: str = ""     # a command that runs kexec

    def initramfs(self):
        first, second = kernel(self.first), kernel(self.second)
        last = initramfs({"": "facts\nproof second"}, bits=second.bits)
        command = " ".join(["/sbin/kexec", *self.options.split(), "-l", "/k2", "--initrd=/i2",
                            shlex.quote(f"--append={LINE}")])
        job = [f"run-expect {self.status} {command}", "run /sbin/kexec -e"]
        return initramfs({"": "\n".join(job)}, {
            "/sbin/kexec": kexec32(), "/k2": second.image, "/i2": last}, first.bits)

    def run(self, log):
        with Guest(self.machine, kernel(self.first), self.initramfs(), "loglevel=4",
                   log=log) as guest:
            if self.status == 0:
                guest.expect(r"^kexec: \d segments intact, starting kernel$")
                facts = guest.facts()
                assert facts["release"] == kernel(self.second).release
                assert facts["cmdline"] == LINE
                guest.expect("NG-PROOF second")
            else:
                guest.expect(rf"NG-STATUS {self.status}$")
                return [text for _, text in guest.lines]
        return []


@pytest.mark.parametrize("second, options", [
    ("6.1-686-pae", ""),
    ("6.1-cloud", "--enter=32"),
    ("7-amd64", ""),
    ("6.12-amd64", "--digest=sha256"),
])
def test_on_a_32_bit_kernel(second, options, log_folder):
    Load(HOST, second, options).run(log_folder)


def test_5_level_kernel_from_a_32_bit_one(log_folder):
    Load(HOST, "7-amd64", machine=Machine(cpu="max")).run(log_folder)


def test_more_memory_than_it_has_addresses_for(log_folder):
    """Segments stay below 4 GiB; the next kernel gets all of the RAM."""
    Load(HOST, "6.1-cloud", machine=Machine(cpu="max,la57=off", memory=5120)).run(log_folder)


def test_as_a_32_bit_process_of_a_64_bit_kernel(log_folder):
    Load("6.1-cloud", "6.12-amd64").run(log_folder)


def test_a_cpu_without_long_mode(log_folder):
    said = Load(HOST, "6.1-686-pae", status=255,
                machine=Machine(cpu="max,lm=off,la57=off")).run(log_folder)
    assert any("[purgatory/no-long-mode]" in line for line in said)


def test_file_load_is_not_there(log_folder):
    said = Load("6.1-cloud", "6.12-amd64", options="-s", status=253).run(log_folder)
    assert any("[kernel/no-syscall]" in line for line in said)
