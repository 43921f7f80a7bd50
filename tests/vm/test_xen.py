# SPDX-License-Identifier: GPL-2.0-or-later
"""On a Xen host the hypervisor loads: in a dom0 of Debian's, through Debian's libxenctrl."""

import pathlib
import re
import subprocess
import tempfile

import pytest

from guest import (ALONE, Guest, Machine, compiled, initramfs, kernel, kexec_binary, kexec_files,
                   libraries_of)

import foreign  # beside bzimage; guest.py makes that known

FIRST = "6.1-cloud"
LIBRARY_PACKAGES = ("libxenmisc4.17", "libxencall1", "libxendevicemodel1", "libxenevtchn1",
                    "libxenforeignmemory1", "libxengnttab1", "libxentoolcore1", "libxentoollog1")
LIBRARIES = "/lib/x86_64-linux-gnu/"
# What domu.c is linked with.
DOMAIN_BUILDER = ("xenctrl", "xencall", "xenforeignmemory", "xenevtchn", "xengnttab",
                  "xendevicemodel", "xentoolcore", "xentoollog", "z", "bz2", "lzma", "lzo2", "zstd")


def xen_libraries():
    """libxenctrl and what it needs, where ld.so looks for it."""
    found = {}
    for folder in map(foreign.unpacked, LIBRARY_PACKAGES):
        for path in folder.glob("usr/lib/x86_64-linux-gnu/libxen*.so.*"):
            found[path.name] = path
    with tempfile.TemporaryDirectory() as where:
        for name, path in found.items():
            (pathlib.Path(where) / name).write_bytes(path.read_bytes())
        needed = subprocess.run(["ldd", f"{where}/libxenctrl.so.4.17"], capture_output=True, text=True,
                                timeout=20, env={"LD_LIBRARY_PATH": where}, check=True).stdout
    assert "not found" not in needed, needed
    ours = set(re.findall(r"(libxen\S+) =>", needed)) | {"libxenctrl.so.4.17"}
    others = re.findall(r"=> (/(?:usr/)?lib\S+)", needed)
    return {**{LIBRARIES + name: found[name].read_bytes() for name in ours},
            **{path: pathlib.Path(path).read_bytes() for path in others}}


def privcmd(of):
    """The module that lets a process of dom0 talk to the hypervisor."""
    return foreign.fetched((f"linux-image-{of.release}",
                            f"lib/modules/{of.release}/kernel/drivers/xen/xen-privcmd.ko"))


def domain_builder():
    """domu.c as a static program, with the libraries of Xen."""
    xen = foreign.unpacked("libxen-dev")
    return compiled("domu", "domu.c", *ALONE, "-D_GNU_SOURCE", f"-I{xen}/usr/include",
                    f"-L{xen}{LIBRARIES.replace('/lib', '/usr/lib', 1)}",
                    # Its readers of formats are called by nobody: they tell it that they are there.
                    "-Wl,--whole-archive", "-lxenguest", "-Wl,--no-whole-archive",
                    *(f"-l{name}" for name in DOMAIN_BUILDER))


def export(kind, image, folder, *words):
    """What --export writes of an image."""
    out = folder / kind
    subprocess.run(["setpriv", "--bounding-set=-sys_boot", kexec_binary(), f"--export={kind}", "-o",
                    out, *words, image], check=True, timeout=60)
    return out


@pytest.mark.long_form
def test_domain_builder(tmp_path, log_folder):
    """Xen's own domain builder takes what --export writes for a kernel, and the domain boots.

    A PV domain is the kernel's own affair: it gets command line and initrd from the builder. One that is
    entered by the PVH note has what is in the file."""
    of = kernel("6.1-amd64")
    inside = initramfs({"": "facts\nproof domU\nshow /sys/hypervisor/type\npoweroff"})
    line = "console=hvc0 loglevel=4 panic=-1 ng.from"
    in_dom0 = "\n".join(["proof dom0", "load-module /privcmd.ko",
                         f"run /sbin/domu pvh /elf - 384 '{line}=nowhere'",
                         f"run /sbin/domu pv /vmlinux /inside 384 '{line}=vmlinux'",
                         f"run /sbin/domu pv /elf /inside 384 '{line}=elf'",
                         "proof all"])
    (tmp_path / "inside").write_bytes(inside)
    elf = export("elf", of.image, tmp_path, f"--append={line}=itself",
                 f"--initrd={tmp_path}/inside")
    in_initramfs = {**kexec_files(), "/sbin/domu": domain_builder(), "/privcmd.ko": privcmd(of),
                    "/inside": inside, "/vmlinux": export("vmlinux", of.image, tmp_path),
                    "/elf": elf}
    files = {**kexec_files(), "/xen": foreign.fetched(foreign.XEN), "/dom0": of.image,
             "/initramfs": initramfs({"": in_dom0}, in_initramfs)}
    job = "\n".join([
        "run /sbin/kexec -l /xen '--append=console=com1 com1=115200 dom0_mem=1000M' "
        "'--module=/dom0 console=hvc0 loglevel=4 panic=-1' --module=/initramfs",
        "run /sbin/kexec -e"])
    # What a PVH domain needs of a CPU, QEMU has for AMD's.
    with Guest(Machine(cpu="qemu64,+svm,+npt", memory=3072), kernel(FIRST), initramfs({"": job}, files),
               "loglevel=4", log=log_folder) as guest:
        guest.expect(r"NG-PROOF dom0 ")
        for what in ("itself", "vmlinux", "elf"):
            guest.expect("NG-RUN /sbin/domu")
            facts = guest.facts()
            assert facts["release"] == of.release
            assert facts["cmdline"].endswith(f"ng.from={what}")
            guest.expect(r"NG-PROOF domU ")
            guest.expect(r"^xen$")
        guest.expect(r"NG-PROOF all ")


@pytest.mark.long_form
def test_on_xen(log_folder):
    if not libraries_of(kexec_binary()):
        pytest.skip("this kexec is a static program, which can use no libxenctrl")
    dom0 = kernel("6.1-amd64")
    third = initramfs({"third": "facts\nproof third"})
    load = ("/sbin/kexec -l /k --initrd=/third "
            "'--append=console=ttyS0 panic=-1 loglevel=4 ng.job=third'")
    in_dom0 = "\n".join([
        "proof dom0",
        f"run-expect 255 {load}",             # without the module there is no way to Xen
        "load-module /privcmd.ko",
        "run /sbin/kexec -S -l",
        "run-expect 1 /sbin/kexec -e",
        f"run {load}",
        "run-expect 1 /sbin/kexec -S -l",
        "run /sbin/kexec -S",
        "run-expect 255 /sbin/kexec -p /k",
        f"run-expect 255 {load} -s",
        "run /sbin/kexec -u",
        "run /sbin/kexec -S -l",
        f"run {load} -d",
        "run /sbin/kexec -e",
    ])
    in_initramfs = {**kexec_files(), **xen_libraries(), "/privcmd.ko": privcmd(dom0),
                    "/k": kernel(FIRST).image, "/third": third}
    files = {**kexec_files(), "/xen": foreign.fetched(foreign.XEN), "/dom0": dom0.image,
             "/initramfs": initramfs({"": in_dom0}, in_initramfs)}
    job = "\n".join([
        "facts",
        "run /sbin/kexec -l /xen '--append=console=com1 com1=115200 dom0_mem=800M' "
        "'--module=/dom0 console=hvc0 loglevel=4 panic=-1' --module=/initramfs",
        "run /sbin/kexec -e"])
    # QEMU 7.2 and Xen disagree about SMAP, which only -cpu max has.
    with Guest(Machine(cpu="qemu64", memory=2048), kernel(FIRST), initramfs({"": job}, files),
               "loglevel=4", log=log_folder) as guest:
        before = guest.facts()
        guest.expect(r"NG-PROOF dom0 ")
        guest.expect(r"\[xen/no-interface\]")
        guest.expect(r"\[exec/nothing-loaded\]")
        guest.expect(r"\[xen/not-supported\]")
        guest.expect(r"\[xen/not-supported\]")
        after = guest.facts()
        guest.expect(r"NG-PROOF third ")
        assert after["release"] == kernel(FIRST).release
        assert after["cmdline"] == "console=ttyS0 panic=-1 loglevel=4 ng.job=third"
        assert after["mem_kib"] == pytest.approx(before["mem_kib"], rel=0.02)
        assert after["acpi_tables"] == before["acpi_tables"]
