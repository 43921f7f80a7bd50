# SPDX-License-Identifier: GPL-2.0-or-later
"""Crashes: a kernel that panics, the capture kernel that it starts, and its core on the host.

    with crashed("6.1-amd64", capture_job, log) as guest:
        guest.expect(r"NG-PROOF capture")

The first kernel loads a capture kernel with kexec -p, leaves marks in its memory and panics. What
the capture kernel's init does is the test's.
"""

import dataclasses
import os
import pathlib
import re
import struct
import subprocess

from guest import (BUILD, HERE, Guest, GuestFailed, Machine, cache, initramfs, kernel, kexec_files,
                   libraries_of)

# Debian's suites, and the test kernels from them.
SUITE = {"5.10-amd64": "bookworm", "6.1-686-pae": "bookworm", "6.1-amd64": "bookworm",
         "6.1-cloud": "bookworm", "6.12-amd64": "trixie", "7-amd64": "sid"}

LOG_MARK = "NG-MARK-LOG this-was-logged"
KERNEL_MARK = "NG-MARK-KERNEL.%p"   # in the kernel's data, as its core_pattern
FILE_MARK = "NG-MARK-FILE-in-memory"

CAPTURE_APPEND = "console=ttyS0 panic=-1 ng.job=capture nr_cpus=1 irqpoll reset_devices"
PANIC = r"Kernel panic|---\[ end "


def vmcore_dmesg_binary():
    path = pathlib.Path(os.environ.get("VMCORE_DMESG") or BUILD / "bin" / "vmcore-dmesg")
    if not path.exists():
        raise FileNotFoundError(f"{path}: build it first, or set VMCORE_DMESG")
    return path


@dataclasses.dataclass(frozen=True)
class Tools:
    """makedumpfile and kexec-tools' vmcore-dmesg of a suite of Debian, with their libraries."""

    folder: pathlib.Path

    @staticmethod
    def of(suite):
        folder = cache() / "tools" / suite
        if not (folder / "versions").exists():
            if subprocess.run([HERE / "fetch-tools", suite], timeout=1800).returncode != 0:
                raise FileNotFoundError(f"no tools of {suite}: tests/vm/fetch-tools failed")
        return Tools(folder)

    def command(self, tool, *words):
        """What runs a tool on the host."""
        return [self.folder / "ld.so", "--library-path", self.folder / "lib", self.folder / tool,
                *words]

    @property
    def guest_files(self):
        """makedumpfile for a guest's initramfs."""
        libraries = {f"/tools/lib/{path.name}": path for path in (self.folder / "lib").iterdir()}
        return {"/tools/ld-linux": self.folder / "ld.so", **libraries,
                "/tools/makedumpfile": self.folder / "makedumpfile"}

    @staticmethod
    def in_guest(*words):
        """The words of a job's run command for makedumpfile: errors only, no progress."""
        return " ".join(["/tools/ld-linux --library-path /tools/lib /tools/makedumpfile",
                         "--message-level 4", *words])


def crashed(first, capture_job, log, files=None, append="", machine=None, trigger=None,
            reserve="256M", options=""):
    """A guest whose kernel is about to panic; capture_job is what its capture kernel does.

    options are more words for kexec -p.
    """
    program = vmcore_dmesg_binary()
    capture = initramfs({"capture": capture_job}, {"/sbin/vmcore-dmesg": program,
                                                   **libraries_of(program), **(files or {}),
                                                   "/tmp/for-makedumpfile": b""})
    job = "\n".join([
        f"run /sbin/kexec -p {options} /crash/vmlinuz --initrd=/crash/initrd '--append={CAPTURE_APPEND}'",
        "expect-file /sys/kernel/kexec_crash_loaded",
        f"write /proc/sys/kernel/core_pattern '{KERNEL_MARK}'",
        f"write /file-mark '{FILE_MARK}'",
        f"write /dev/kmsg '{LOG_MARK}'",
        "proof first",
        *(trigger or ["write /proc/sysrq-trigger c"]),
        "sleep 60",
    ])
    contents = {**kexec_files(), "/crash/vmlinuz": kernel(first).image, "/crash/initrd": capture}
    return Guest(machine or Machine(memory=768), kernel(first), initramfs({"": job}, contents),
                 f"crashkernel={reserve} {append}".strip(), log=log)


def fetch_core(guest, where):
    """Writes /proc/vmcore of a guest whose init waits in the capture kernel into a file.

    Its job must have done "head /proc/vmcore 65536 /head", "dump-tree /head" and "wait": from that
    come the headers and the notes; the memory they describe is taken from QEMU, which is faster
    than any way through the guest.
    """
    folder = pathlib.Path(where).with_suffix(".parts")
    guest.dump(folder)
    head = (folder / "head").read_bytes()
    guest.expect("NG-WAIT")
    guest.qmp()
    with open(where, "wb") as out:
        out.write(head)
        for offset, address, length in loads_of(head):
            out.seek(offset)
            out.write(guest.memory(address, length))
    guest.send_line()
    return where


def loads_of(head):
    """(offset, physical address, length) of each PT_LOAD of an ELF64 core."""
    if head[:5] != b"\x7fELF\x02":
        raise GuestFailed(f"/proc/vmcore begins with {head[:5]!r}")
    (start,), (size, n) = struct.unpack_from("<Q", head, 32), struct.unpack_from("<HH", head, 54)
    found = []
    for i in range(n):
        kind, _, offset, _, address, length = struct.unpack_from("<IIQQQQ", head, start + i * size)
        if kind == 1:
            found.append((offset, address, length))
    return found


def make_core(guest, facts, tree, where):
    """Writes the memory of a guest whose init waits into a core as kexec -p would describe it.

    facts are the guest's; tree has its /proc/iomem and /sys/kernel/vmcoreinfo.
    """
    bits = 32 if facts["machine"] == "i686" else 64
    text, code = int(facts["text"], 16), int(facts["kernel_code"], 16)
    guest.qmp()
    guest.monitor("stop")
    address, length = (int(word, 16)
                       for word in (tree / "sys/kernel/vmcoreinfo").read_text().split())
    notes = guest.memory(address, length)
    ram = [(int(start, 16), int(end, 16) + 1) for start, end in re.findall(
        r"^([0-9a-f]+)-([0-9a-f]+) : System RAM$", (tree / "proc/iomem").read_text(), re.M)]
    offset = 0xc0000000 if bits == 32 else 0xffff888000000000
    loads = [(start, end, start + offset) for start, end in ram]
    if bits == 64:
        (end,) = (end for start, end in ram if start <= code < end)
        loads.insert(0, (code, min(end, code + (64 << 20)), text))
    at = 4096
    headers = segment(bits, 4, at, 0, 0, len(notes))
    at += -(-len(notes) // 4096) * 4096
    with open(where, "wb") as out:
        out.seek(4096)
        out.write(notes)
        for start, end, virtual in loads:
            headers += segment(bits, 1, at, start, virtual, end - start)
            out.seek(at)
            out.write(guest.memory(start, end - start))
            at += end - start
        out.seek(0)
        out.write(elf_header(bits, 1 + len(loads)) + headers)
    guest.monitor("cont")
    guest.send_line()
    return where


def elf_header(bits, n_segments):
    ident = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    if bits == 32:
        return ident + struct.pack("<HHIIIIIHHHHHH", 4, 3, 1, 0, 52, 0, 0, 52, 32, n_segments,
                                   0, 0, 0)
    return ident + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, n_segments, 0, 0, 0)


def segment(bits, kind, offset, physical, virtual, length):
    if bits == 32:
        return struct.pack("<8I", kind, offset, virtual, physical, length, length, 7, 0)
    return struct.pack("<IIQQQQQQ", kind, 7, offset, virtual, physical, length, length, 0)
