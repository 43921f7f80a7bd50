# SPDX-License-Identifier: GPL-2.0-or-later
"""Exported kernels boot where others start them: QEMU enters the ELF file by its PVH note."""

import dataclasses
import subprocess

import pytest

from guest import Guest, Machine, initramfs, kernel, kexec_binary

LIMIT = 120  # seconds for an export
CMDLINE = "console=ttyS0 panic=-1 loglevel=4 ng.from=export"


def export(tmp_path, name, *words, initrd=None):
    """The kernel as QEMU's -kernel, written as anybody may."""
    where = tmp_path / "exported"
    if initrd:
        (tmp_path / "initrd").write_bytes(initrd)
        words += (f"--initrd={tmp_path / 'initrd'}",)
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_boot", kexec_binary(), "--export=elf", "-o", where, *words,
         kernel(name).image], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0 and not done.stderr, done
    return dataclasses.replace(kernel(name), image=where)


def archive(name, proof):
    return initramfs({"": f"facts\nproof {proof}"}, bits=kernel(name).bits)


def boot(exported, log, machine=Machine(memory=1024, smp=2), initrd=None, append=""):
    """What QEMU itself has by way of initrd and command line must not count where ours is there."""
    name = exported.name
    with Guest(machine, exported, initrd or archive(name, "wrong"), append or "ng.from=qemu",
               log=log) as guest:
        facts = guest.facts()
        assert facts["release"] == exported.release
        assert facts["acpi_tables"] > 0 and facts["cpus"] == machine.smp
        assert facts["memory_kib"] > 0.8 * 1024 * machine.memory if "memory_kib" in facts else True
        guest.expect("NG-PROOF right ")
        return facts


@pytest.mark.parametrize("name", [
    "6.1-cloud",
    *(pytest.param(other, marks=pytest.mark.long_form)
      for other in ("6.1-amd64", "6.12-amd64", "7-amd64", "6.1-686-pae", "5.10-amd64"))])
def test_pvh_to_init(tmp_path, log_folder, name):
    exported = export(tmp_path, name, f"--append={CMDLINE}", initrd=archive(name, "right"))
    assert boot(exported, log_folder)["cmdline"] == CMDLINE


@pytest.mark.long_form
@pytest.mark.parametrize("name", ["7-amd64", "6.1-amd64"])
def test_moved(tmp_path, log_folder, name):
    """To another place, and to other virtual addresses."""
    exported = export(tmp_path, name, f"--append={CMDLINE}", "--base=0x8000000",
                      "--virt-offset=0x4000000", initrd=archive(name, "right"))
    assert int(boot(exported, log_folder)["kernel_code"], 0) == 0x8000000


@pytest.mark.long_form
def test_moved_32(tmp_path, log_folder):
    name = "6.1-686-pae"
    exported = export(tmp_path, name, f"--append={CMDLINE}", "--base=0x5000000",
                      initrd=archive(name, "right"))
    assert int(boot(exported, log_folder)["kernel_code"], 0) == 0x5000000


@pytest.mark.long_form
def test_what_is_not_embedded_comes_from_the_loader(tmp_path, log_folder):
    exported = export(tmp_path, "6.1-cloud")
    facts = boot(exported, log_folder, initrd=archive("6.1-cloud", "right"), append="ng.from=qemu")
    assert "ng.from=qemu" in facts["cmdline"]
