# SPDX-License-Identifier: GPL-2.0-or-later
"""Secure Boot: firmware with keys starts a signed unified kernel image, and what that one's kernel is told
to load it takes by the same keys, or not at all.

Firmware, keys and their certificate are those that Debian's ovmf has for tests.
"""

import pathlib
import shutil
import subprocess

import pytest

import uki
from guest import OVMF, Guest, Machine, initramfs, initrd_parts, kernel, kexec_files
from test_refusals import IS_LOADED, LOCKDOWN, PATIENCE, Refusal, loaded

KEYS = pathlib.Path("/usr/share/ovmf")
KEY, CERTIFICATE, PASSWORD = KEYS / "PkKek-1-snakeoil.key", KEYS / "PkKek-1-snakeoil.pem", "snakeoil"
LIMIT = 60  # seconds for a program that signs
FIRST, SECOND = "6.1-cloud", "6.12-amd64"
LINE = "console=ttyS0 panic=-1 loglevel=4"


class SecureMachine(Machine):
    """Only code in the CPU's system management mode can write to where its keys are."""

    def arguments(self, folder):
        words = super().arguments(folder)
        words[words.index("-machine") + 1] = "q35,smm=on"
        variables = folder / "vars.fd"
        shutil.copy(OVMF / "OVMF_VARS_4M.snakeoil.fd", variables)
        pflash = "if=pflash,format=raw"
        return [*words, "-global", "driver=cfi.pflash01,property=secure,value=on",
                "-drive", f"{pflash},unit=0,readonly=on,file={OVMF / 'OVMF_CODE_4M.secboot.fd'}",
                "-drive", f"{pflash},unit=1,file={variables}"]


class SecureGuest(Guest):
    """What it starts is a file on its disk: QEMU writes into a kernel that it is given, and no signature
    of that one is good any more."""

    def __init__(self, disk, log):
        super().__init__(SecureMachine("secboot", memory=1024), kernel(FIRST), b"", log=log, qemu=(
            "-drive", f"if=none,id=esp,format=raw,readonly=on,file=fat:{disk}",
            "-device", "virtio-blk-pci,drive=esp"))
        at = self._command.index("-kernel")
        del self._command[at:at + len(("-kernel", "", "-initrd", "", "-append", ""))]


@pytest.fixture(scope="module")
def sign(tmp_path_factory):
    key = tmp_path_factory.mktemp("key") / "key"
    subprocess.run(["openssl", "rsa", "-in", KEY, "-passin", f"pass:{PASSWORD}", "-out", key], check=True,
                   capture_output=True, timeout=LIMIT)

    def sign(source, to):
        to.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["sbsign", "--key", key, "--cert", CERTIFICATE, "--output", to, source], check=True,
                       capture_output=True, timeout=LIMIT)
        return to
    return sign


def unsigned(image, to):
    """Without Debian's signature: the kernel asks for the first of several only."""
    shutil.copy(image, to)
    subprocess.run(["sbattach", "--remove", to], check=True, capture_output=True, timeout=LIMIT)
    return to


REFUSALS = (
    Refusal("-l /debian --initrd=/i2", "kernel/signature", "no key that made it", "db, MOK"),
    Refusal("-s -l /unsigned --initrd=/i2", "kernel/signature", "the image has none", "signed"),
    Refusal("-l /no-pe --initrd=/i2", "kernel/signature", "no PE header", "signed"),
    Refusal("-s -l /uki", "kernel/signature", "no key that made it; .*what is inside", "sign the kernel itself"),
    Refusal("-c -l /signed --initrd=/i2", "kernel/access", "kexec_load .*Secure Boot", "use -s"),
    Refusal("-c -p /signed --initrd=/i2", "kernel/access", "kexec_load .*Secure Boot", "use -s"),
    Refusal("-c -u", "kernel/access", "unloading .*Secure Boot", "leave -c out"),
    Refusal("-p /debian --initrd=/i2", "kernel/signature", "no key that made it", "db, MOK", drops=True),
)


@pytest.mark.parametrize("refusals", [
    pytest.param((REFUSALS[0], *REFUSALS[-2:]), id="some"),
    pytest.param(REFUSALS, id="all", marks=pytest.mark.long_form)])
def test_secure_boot(refusals, sign, tmp_path, log_folder):
    bare = unsigned(kernel(SECOND).image, tmp_path / "bare")
    (second,) = initrd_parts({"": f"show {LOCKDOWN}\nproof second"}, 1)
    images = {"/debian": kernel(SECOND).image, "/unsigned": bare,
              "/signed": sign(bare, tmp_path / "signed"), "/no-pe": b"\0\0" + bare.read_bytes()[2:],
              "/uki": sign(uki.ukify(tmp_path / "inner", linux=kernel(SECOND).image, cmdline="x"),
                           tmp_path / "inner.signed")}
    job = [f"limit {PATIENCE}", f"show {LOCKDOWN}", "run /sbin/kexec -l /signed --initrd=/i2 --append=console=ttyS0",
           "run /sbin/kexec -p /signed --initrd=/i2", *loaded(True, True)]
    for refusal in refusals:
        job += [refusal.command, *loaded(True, not refusal.drops)]
    job += ["run /sbin/kexec -e"]
    files = {**kexec_files(), "/i2": second, "/run/there": b"", **images}
    initrd = tmp_path / "initrd"
    initrd.write_bytes(initramfs({"": "\n".join(job)}, files))
    image = uki.ukify(tmp_path / "uki", linux=kernel(FIRST).image, initrd=initrd,
                      cmdline=f"{LINE} crashkernel=256M")
    sign(image, tmp_path / "disk/EFI/BOOT/BOOTX64.EFI")
    with SecureGuest(tmp_path / "disk", log_folder) as guest:
        guest.expect(r"none \[integrity\] confidentiality")
        for _ in IS_LOADED:
            guest.output_of("/sbin/kexec")
        for refusal in refusals:
            text = guest.output_of("/sbin/kexec")
            refusal.check(text)
            assert ("[load/crash-kernel-gone]" in text) == refusal.drops, text
        # The next kernel knows what it was started under.
        guest.expect(r"none \[integrity\] confidentiality")
        proof = guest.expect(r"NG-PROOF second release=(\S+) cmdline=(.*)")
        assert proof.groups() == (kernel(SECOND).release, "console=ttyS0")


@pytest.mark.long_form
def test_firmware_refuses(sign, tmp_path, log_folder):
    """The control: the same machine starts nothing that is not signed."""
    initrd = tmp_path / "initrd"
    initrd.write_bytes(initramfs({"": "proof first"}))
    image = uki.ukify(tmp_path / "uki", linux=kernel(FIRST).image, initrd=initrd, cmdline=LINE)
    where = tmp_path / "disk/EFI/BOOT/BOOTX64.EFI"
    where.parent.mkdir(parents=True)
    shutil.copy(image, where)
    with SecureGuest(tmp_path / "disk", log_folder) as guest:
        guest.expect("Access Denied|Security Violation")
    sign(image, where)
    with SecureGuest(tmp_path / "disk", log_folder) as guest:
        guest.expect("NG-PROOF first")
