# SPDX-License-Identifier: GPL-2.0-or-later
"""Unified kernel images, made by the usual programs: the kernel in them runs, with the initrds that
came along in their order, and with the command line that belongs to the profile and the addons.

With --long each 64-bit kernel boots each one, by each system call, under both firmwares.
"""

import itertools

import pytest

import uki
from guest import (Guest, Machine, expected_parts, initramfs, initrd_parts, kernel, kexec_files,
                   newc)

MODE_FILE = 0o100644
KERNELS = ("6.1-amd64", "6.1-cloud", "6.12-amd64", "7-amd64")
SHORT = (("6.1-cloud", "7-amd64", "-c", "seabios"), ("6.12-amd64", "6.1-cloud", "-s", "seabios"),
         ("7-amd64", "6.12-amd64", "", "ovmf"))


def acpi_table():
    """An SSDT with nothing in it. The kernel takes it from an early archive only: one that begins
    the initrd and is not packed, as microcode must be."""
    table = bytearray(b"SSDT" + (36).to_bytes(4, "little") + b"\2\0" + b"KEXEC " + b"NGTEST  " +
                      (1).to_bytes(4, "little") + b"TEST" + (1).to_bytes(4, "little"))
    table[9] = -sum(table) % 256
    return bytes(table)


def microcode():
    """What .ucode has: an early archive."""
    return newc([("kernel/firmware/acpi/ng.aml", MODE_FILE, acpi_table())])


class Build:
    """A folder with what images are made of."""

    def __init__(self, folder):
        self.folder = folder

    def file(self, name, data):
        where = self.folder / name
        where.write_bytes(data if isinstance(data, bytes) else data.encode())
        return where

    def out(self, name):
        where = self.folder / name
        where.parent.mkdir(parents=True, exist_ok=True)
        return where


@pytest.fixture
def build(tmp_path):
    return Build(tmp_path)


def pytest_generate_tests(metafunc):
    if metafunc.function is not test_by_ukify:
        return
    chosen = SHORT
    if metafunc.config.getoption("long"):
        chosen = itertools.product(KERNELS, KERNELS, ("-c", "-s", ""), ("seabios", "ovmf"))
    metafunc.parametrize("first, second, syscall, firmware", [
        pytest.param(*values, id="{}-to-{}{}-{}".format(*values)) for values in chosen])


def boot(first, second, files, words, log, firmware="seabios"):
    """Boots first, which loads /k.efi with these words and enters it: its facts before and after."""
    load = "run /sbin/kexec -l /k.efi " + " ".join(f"'{word}'" for word in words)
    initrd = initramfs({"": f"facts\n{load}\nrun /sbin/kexec -e"}, {**kexec_files(), **files})
    with Guest(Machine(firmware, memory=2048), first, initrd, "loglevel=4", log=log) as guest:
        before = guest.facts()
        assert before["release"] == first.release
        guest.expect(r"NG-STATUS 0$")
        after = guest.facts()
        guest.expect(r"NG-PROOF second")
    assert after["release"] == second.release
    return before, after


def test_by_ukify(build, first, second, syscall, firmware, log_folder):
    """Microcode first, then .initrd, packed and of odd length, then two files of --initrd; and the
    image's own command line."""
    second = kernel(second)
    parts = initrd_parts({"": "facts\nproof second"}, 3)
    line = 'console=ttyS0 panic=-1 loglevel=4 ng.from=uki ng.text="two words"'
    # Part 2 is the packed one, so it is the image's; the init in part 1 comes after it.
    image = uki.ukify(build.out("k.efi"), linux=second.image, cmdline=line,
                      microcode=build.file("ucode", microcode() + parts[0]),
                      initrd=build.file("initrd", parts[1]))
    words = [*syscall.split(), "--initrd=/part3"]
    before, after = boot(kernel(first), second, {"/k.efi": image, "/part3": parts[2]}, words,
                         log_folder, firmware)
    assert after["cmdline"] == line
    assert after["parts"] == expected_parts(3)
    assert after["acpi_tables"] == before["acpi_tables"] + 1


def test_by_objcopy(build, log_folder):
    """The older recipe and the older stub; --append takes the place of the command line."""
    second = kernel("6.1-cloud")
    image = uki.by_objcopy(build.out("k.efi"), {
        ".osrel": build.file("osrel", 'ID=test\nPRETTY_NAME="A test"\n'),
        ".cmdline": build.file("cmdline", "not=this\n"),
        ".initrd": build.file("initrd", initrd_parts({"": "facts\nproof second"}, 1)[0]),
        ".linux": second.image,
    })
    line = "console=ttyS0 panic=-1 loglevel=4 ng.from=append"
    _, after = boot(kernel("6.1-amd64"), second, {"/k.efi": image}, [f"--append={line}"],
                    log_folder)
    assert after["cmdline"] == line
    assert after["parts"] == expected_parts(1)


def test_profile_and_addons(build, log_folder):
    """A profile with a command line and an initrd of its own; an addon in the image's folder and one
    that is asked for, with microcode and an initrd."""
    second = kernel("6.12-amd64")
    parts = initrd_parts({"": "facts\nproof second"}, 3)
    console = "console=ttyS0 panic=-1 loglevel=4"
    image = uki.with_profiles(build.out("k.efi"), {
        "rescue": {"cmdline": f"{console} ng.profile=rescue",
                   "initrd": build.file("initrd.rescue", parts[0])},
        "other": {"cmdline": "ng.profile=other"},
    }, linux=second.image, cmdline=f"{console} ng.profile=main",
        initrd=build.file("initrd.main", b"not this one"))
    beside = uki.addon(build.out("k.efi.extra.d/10-words.addon.efi"), cmdline="ng.beside=1",
                       initrd=build.file("initrd.beside", parts[1]))
    asked = uki.addon(build.out("asked"), cmdline="ng.asked=1",
                      initrd=build.file("initrd.asked", parts[2]),
                      microcode=build.file("ucode", microcode()))
    before, after = boot(
        kernel("6.1-cloud"), second,
        {"/k.efi": image, "/k.efi.extra.d/10-words.addon.efi": beside, "/asked": asked},
        ["--profile=rescue", "--addon=/asked", "--image-cmdline", "--append=ng.append=1"],
        log_folder)
    assert after["cmdline"] == \
        f"{console} ng.profile=rescue ng.beside=1 ng.asked=1 ng.append=1"
    assert after["parts"] == expected_parts(3)
    assert after["acpi_tables"] == before["acpi_tables"] + 1
