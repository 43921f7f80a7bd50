# SPDX-License-Identifier: GPL-2.0-or-later
"""Images that are no plain bzImage boot: kernels as ELF files, and kernels in compressed files."""

import dataclasses
import re
import shlex
import subprocess
import time

import pytest

from guest import STEP_LIMIT, Guest, Machine, initramfs, kernel, kexec_files

import foreign  # beside bzimage; guest.py makes that known

FIRST = "6.1-cloud"
LIMIT = 120  # seconds for a packer

PACKERS = {
    "gzip": ("gzip", "-1"), "bzip2": ("bzip2", "-1"), "lzma": ("xz", "--format=lzma", "-0"),
    "xz": ("xz", "-0"), "lzo": ("lzop", "-1"), "lz4": ("lz4", "-l", "-1"),
    "lz4-frame": ("lz4", "-1"), "zstd": ("zstd", "-1"),
}


def packed(data, name):
    return subprocess.run(PACKERS[name], input=data, capture_output=True, check=True,
                          timeout=LIMIT).stdout


def vmlinux(name, has_table=False):
    """The kernel in a bzImage: its ELF file, with or without the relocations behind it."""
    found = kernel(name).bzimage.vmlinux
    return found.data if has_table else found.data[:found.elf_len]


@dataclasses.dataclass(frozen=True)
class Stage:
    kernel: str
    image: bytes
    how: str = ""            # options of kexec
    place: int = None        # of its first byte, where that is known


def command_line(n):
    return f"console=ttyS0 panic=-1 loglevel=4 ng.job=stage{n}"


def load(n, path, how, initrd):
    append = shlex.quote(f"--append={command_line(n)}")
    return f"run /sbin/kexec -l {path} {how} --initrd={initrd} {append}"


def jobs_of(stages, also):
    """What each kernel in the row does: it loads the next one, with an initramfs that it packs."""
    jobs = {}
    for n in range(len(stages) + 1):
        steps = ["facts", f"proof stage{n}"]
        if n == 0:
            steps += also
        if n < len(stages):
            steps += ["pack /next /init /dev /jobs /k /last /sbin /lib /lib64"]
            is_32 = kernel(stages[n].kernel).bits == 32
            steps += [load(n + 1, f"/k/{n + 1}", stages[n].how, "/last" if is_32 else "/next"),
                      "run /sbin/kexec -e"]
        jobs[f"stage{n}"] = "\n".join(steps)
    return jobs


def run_chain(stages, log, machine, also=(), files=None):
    """Each stage boots from the one before, the first one from 6.1-cloud; a 32-bit one is the last."""
    jobs = jobs_of(stages, list(also))
    last = initramfs({f"stage{len(stages)}": jobs[f"stage{len(stages)}"]}, bits=32)
    contents = {**kexec_files(), **(files or {}), "/last": last,
                **{f"/k/{n}": stage.image for n, stage in enumerate(stages, start=1)}}
    with Guest(machine, kernel(FIRST), initramfs(jobs, contents), "loglevel=4 ng.job=stage0",
               log=log) as guest:
        before = guest.facts()
        guest.expect("NG-PROOF stage0 ")
        for n, stage in enumerate(stages, start=1):
            after = guest.facts()
            guest.expect(rf"NG-PROOF stage{n} ")
            assert after["release"] == kernel(stage.kernel).release
            assert after["cmdline"] == command_line(n)
            assert after["cpus"] == before["cpus"] == machine.smp
            assert after["acpi_tables"] == before["acpi_tables"] > 0
            assert after["efi"] == (before["efi"] and kernel(stage.kernel).bits == 64)
            if stage.place is not None:
                assert int(after["kernel_code"], 0) == stage.place, stage
        return "\n".join(text for _, text in guest.lines)


def test_vmlinux(log_folder):
    """Of 64 and 32 bits, where it was linked; with its relocations, anywhere."""
    run_chain([
        Stage("6.1-cloud", vmlinux("6.1-cloud"), "--args-linux", place=0x1000000),
        Stage("7-amd64", vmlinux("7-amd64"), "--type=elf-x86_64", place=0x1000000),
        Stage("6.1-cloud", vmlinux("6.1-cloud", has_table=True)),
        Stage("6.1-686-pae", vmlinux("6.1-686-pae"), "-t elf-x86", place=0x1000000),
    ], log_folder, Machine(memory=2048, smp=2))


def test_vmlinux_on_efi(log_folder):
    run_chain([Stage("7-amd64", vmlinux("7-amd64"))], log_folder,
              Machine("ovmf", memory=2048))


def test_compressed(log_folder):
    """In every format: all of them are loaded, one of them by each system call is booted."""
    small = kernel("6.1-686-pae").image.read_bytes()
    files = {f"/packed.{name}": packed(small, name) for name in PACKERS}
    also = [load(9, f"/packed.{name}", "-c --enter=32", "/last") for name in PACKERS]
    run_chain([
        Stage(FIRST, packed(kernel(FIRST).image.read_bytes(), "zstd"), "-s"),
        Stage(FIRST, packed(vmlinux(FIRST), "lz4-frame")),
        Stage("6.1-686-pae", files["/packed.xz"]),
    ], log_folder, Machine(memory=2048), also, files)


def xen_job(second, options, dom0):
    """Xen is given a console of its own; its first domain is a kernel with an initramfs."""
    return "\n".join([
        "facts",
        f"run /sbin/kexec -l /xen {options} '--append=console=com1 com1=115200 {dom0}' "
        f"'--module=/dom0 console=hvc0 loglevel=4 panic=-1 ng.from={second}' --module=/initramfs",
        "run /sbin/kexec -e"])


@pytest.mark.parametrize("version, type_name", [(2, "multiboot2-x86"), (1, "multiboot-x86")])
def test_xen(version, type_name, log_folder):
    """Debian's hypervisor, compressed as it is shipped, and a Debian kernel as dom0 upon it."""
    dom0 = kernel("6.1-amd64")
    files = {**kexec_files(), "/xen": foreign.fetched(foreign.XEN), "/dom0": dom0.image,
             "/initramfs": initramfs({"": "facts\nproof dom0\nshow /sys/hypervisor/type"})}
    job = xen_job(version, f"--type={type_name}" if version == 1 else "", "dom0_mem=800M")
    # QEMU 7.2 and Xen disagree about SMAP, which only -cpu max has.
    machine = Machine(cpu="qemu64", memory=2048)
    with Guest(machine, kernel(FIRST), initramfs({"": job}, files), "loglevel=4",
               log=log_folder) as guest:
        before = guest.facts()
        guest.expect(r"NG-RUN /sbin/kexec -e")
        guest.expect(r"Xen version 4\.17")
        guest.expect(r"Command line: console=com1 com1=115200 dom0_mem=800M")
        after = guest.facts()
        assert after["release"] == dom0.release
        assert after["acpi_tables"] == before["acpi_tables"]
        assert f"ng.from={version}" in after["cmdline"]
        guest.expect(r"NG-PROOF dom0 ")
        guest.expect(r"^xen$")


def test_xen_after_a_panic(log_folder):
    """The hypervisor starts within the reservation, and is told of no other memory."""
    dom0 = kernel("6.1-amd64")
    files = {**kexec_files(), "/xen": foreign.fetched(foreign.XEN), "/dom0": dom0.image,
             "/initramfs": initramfs({"": "facts\nproof dom0\nshow /sys/hypervisor/type"})}
    load = xen_job(2, "", "").splitlines()[1].replace("kexec -l", "kexec -p")
    job = f"facts\n{load}\nwrite /proc/sysrq-trigger c"
    with Guest(Machine(cpu="qemu64", memory=2048), kernel(FIRST), initramfs({"": job}, files),
               "loglevel=4 crashkernel=768M", log=log_folder) as guest:
        guest.facts()
        guest.expect(r"\[multiboot/crash\]")
        guest.expect(r"kexec: \d segments intact", allow=r"Kernel panic|---\[ end")
        guest.expect(r"Xen version 4\.17")
        guest.expect(r"Command line: elfcorehdr=0x[0-9a-f]+ console=com1")
        after = guest.facts()
        assert after["release"] == dom0.release
        guest.expect(r"NG-PROOF dom0 ")
        guest.expect(r"^xen$")


def screen(guest):
    """The text on a VGA in text mode: each other byte is a color."""
    return guest.memory(0xb8000, 80 * 25 * 2)[::2].decode("cp437")


@pytest.mark.parametrize("what", [foreign.MEMTEST_64, foreign.MEMTEST_32], ids=["64", "32"])
def test_memtest(what, log_folder):
    """A bzImage that is no Linux, cannot be moved and has no payload: it draws its screen, and tests."""
    files = {**kexec_files(), "/memtest": foreign.fetched(what)}
    job = "run /sbin/kexec -l /memtest\nrun /sbin/kexec -e"
    with Guest(Machine(memory=512, vga="std"), kernel(FIRST), initramfs({"": job}, files),
               "loglevel=4", log=log_folder) as guest:
        guest.qmp()
        guest.expect(r"NG-RUN /sbin/kexec -e")
        deadline = time.monotonic() + STEP_LIMIT
        seen = set()
        while time.monotonic() < deadline and len(seen) < 2:
            text = screen(guest)
            found = re.search(r"Time:\s*(\d+:\d\d:\d\d)", text)
            if found and "Memtest86+ v6" in text:
                seen.add(found[1])
            time.sleep(0.5)
        assert len(seen) == 2, screen(guest)  # its clock goes on
