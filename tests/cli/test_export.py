# SPDX-License-Identifier: GPL-2.0-or-later
"""--export: files that others can use. What is in them is compared with a model of its own, and a checker
of ELF files has nothing to say about them."""

import os
import random
import re
import struct
import subprocess
import zlib

import pytest

import bzimage
import images
import pe
import plans
from kexec_run import NOBODY, command, run

PAGE = 4096
PT_LOAD, PT_NOTE = 1, 4
FORMATS = ("elf", "gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "zstd")
# The only thing that eu-elflint says of any Linux kernel: it does not know these owners' types.
UNKNOWN_NOTE = re.compile(
    r"phdr\[\d+\]: unknown object file note type \d+ with owner name '(Xen|Linux|kexec-ng)' at offset \d+")


def export(kind, out, *words, **options):
    result = run(f"--export={kind}", "-o", out, *words, limit=120, **options)
    assert result.status == 0 and not result.out, result
    return result


class Elf:
    """Just the headers of an ELF file."""

    def __init__(self, data):
        self.data = data
        self.is_64 = data[4] == 2
        fields = struct.unpack_from("<QQQIHHHHHH" if self.is_64 else "<IIIIHHHHHH", data, 24)
        self.entry, off, n, size = fields[0], fields[1], fields[6], fields[5]
        self.phdrs = [self._phdr(off + i * size) for i in range(n)]

    def _phdr(self, at):
        if self.is_64:
            kind, flags, off, vaddr, paddr, file_len, mem_len, align = struct.unpack_from(
                "<IIQQQQQQ", self.data, at)
        else:
            kind, off, vaddr, paddr, file_len, mem_len, flags, align = struct.unpack_from(
                "<IIIIIIII", self.data, at)
        return {"kind": kind, "off": off, "vaddr": vaddr, "paddr": paddr, "file_len": file_len,
                "mem_len": mem_len, "flags": flags, "align": align}

    @property
    def loads(self):
        return [p for p in self.phdrs if p["kind"] == PT_LOAD]

    def memory(self, addr, length):
        out = bytearray(length)
        for p in self.loads:
            start, end = max(addr, p["paddr"]), min(addr + length, p["paddr"] + p["file_len"])
            if start < end:
                off = p["off"] + start - p["paddr"]
                out[start - addr:end - addr] = self.data[off:off + end - start]
        return bytes(out)

    def notes(self):
        found = []
        for p in self.phdrs:
            at = p["off"]
            while p["kind"] == PT_NOTE and at < p["off"] + p["file_len"]:
                owner_len, length, kind = struct.unpack_from("<III", self.data, at)
                owner = self.data[at + 12:at + 12 + owner_len - 1].decode()
                at += 12 + -(-owner_len // 4) * 4
                found.append((owner, kind, self.data[at:at + length]))
                at += -(-length // 4) * 4
        return found


@pytest.mark.parametrize("name", ["6.1-cloud", "7-amd64", "6.1-686-pae", "6.1-amd64"])
def test_vmlinux_is_what_was_packed(folder, name):
    export("vmlinux", folder / "out", images.path(name))
    assert (folder / "out").read_bytes() == images.unpacked(name).data


@pytest.mark.parametrize("name, base, virt", [
    ("6.1-cloud", None, None), ("7-amd64", 0x8000000, 0x4200000), ("6.1-686-pae", 0x5000000, None)])
def test_elf(folder, name, base, virt):
    model, initrd = images.unpacked(name), b"initrd" * 5000
    (folder / "initrd").write_bytes(initrd)
    words = [f"--base={base:#x}"] if base else []
    words += [f"--virt-offset={virt:#x}"] if virt else []
    export("elf", folder / "out", "--append=quiet x", f"--initrd={folder / 'initrd'}", *words,
           images.path(name))
    elf = Elf((folder / "out").read_bytes())
    base = base or model.link_paddr
    delta = virt or 0 if model.is_64 else base - model.link_paddr
    assert elf.is_64 == model.is_64 and elf.entry == base + model.entry_off
    # The kernel: its own segments, each byte of them, nothing between.
    n = len(model.loads)
    assert [(p["paddr"] - base, p["mem_len"]) for p in elf.loads[:n]] == \
        [(load.off, load.mem_len) for load in model.loads]
    image = model.image(delta)
    assert elf.memory(base, len(image)) == image
    # Strictly one after the other, with virtual = physical, and places in the file that go with them.
    for p, after in zip(elf.loads, elf.loads[1:]):
        assert p["paddr"] + p["mem_len"] <= after["paddr"] < 1 << 32
    for p in elf.loads:
        assert p["vaddr"] == p["paddr"] and p["off"] % PAGE == p["paddr"] % PAGE == \
            p["paddr"] % p["align"] and p["file_len"] <= p["mem_len"]
    # What it is handed.
    trampoline, params, disk = elf.loads[n:]
    zero_page = elf.memory(params["paddr"], PAGE)
    fields = {f: struct.unpack_from("<I", zero_page, f)[0] for f in (0x218, 0x21c, 0x228)}
    assert elf.memory(fields[0x228], 8) == b"quiet x\0"
    assert fields[0x218] == disk["paddr"] and elf.memory(disk["paddr"], len(initrd)) == initrd
    assert zero_page[0x210] and zero_page[0x1ef] == 0 and zero_page[0x1e8] == 0
    assert bool(zero_page[0x211] & 2) == bool(virt)
    # Notes: one PVH entry, and the list of all that is needed.
    notes = elf.notes()
    entry, = [d for owner, kind, d in notes if (owner, kind) == ("Xen", 18)]
    assert len(entry) == (8 if elf.is_64 else 4)
    entry = int.from_bytes(entry, "little")
    assert trampoline["paddr"] < entry < trampoline["paddr"] + trampoline["file_len"]
    needs, = [d for owner, kind, d in notes if (owner, kind) == ("kexec-ng", 1)]
    version, count, pvh, direct, zp = struct.unpack_from("<IIQQQ", needs)
    assert (version, count, pvh, direct, zp) == (1, len(elf.loads), entry, elf.entry, params["paddr"])
    assert [struct.unpack_from("<QQ", needs, 32 + 32 * i) for i in range(count)] == \
        [(p["paddr"], p["mem_len"]) for p in elf.loads]
    has_pv = ("Xen", 3) in [(owner, kind) for owner, kind, _ in notes]
    assert has_pv == (not words)
    lint = subprocess.run(["eu-elflint", "--gnu-ld", folder / "out"], capture_output=True, text=True,
                          check=False, timeout=60)
    assert [line for line in (lint.stdout + lint.stderr).splitlines()
            if not UNKNOWN_NOTE.fullmatch(line) and line != "No errors"] == []
    # And our own command takes it.
    found = plans.parse(run("--inspect", "--json", folder / "out", limit=60).done().out)
    assert found["verdicts"][0]["verdict"] == "loads", found["verdicts"]


def crc_of(image, kernel_len):
    data = bytearray(image[:image.setup_len + kernel_len])
    return zlib.crc32(data[:-4]) ^ 0xffffffff, int.from_bytes(data[-4:], "little")


def tiny_kernel(image):
    """An ELF file that is linked as the kernel of that image: packed in no time."""
    code = random.Random(1).randbytes(3000) * 40
    head = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, image.at(images.PREF_ADDRESS) + 0x100, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", PT_LOAD, 7, PAGE, bzimage.KERNEL_MAP + image.at(
        images.PREF_ADDRESS), image.at(images.PREF_ADDRESS), len(code), 1 << 20, PAGE)
    return (head + load).ljust(PAGE, b"\0") + code


@pytest.mark.parametrize("payload, is_real", [*((name, False) for name in FORMATS), ("elf", True)])
def test_bzimage(folder, pc, payload, is_real):
    """A real header and stub, around a real kernel or a tiny one; what it becomes is loaded again."""
    real = bzimage.Image(images.real("7-amd64"))
    plain = real.vmlinux.data if is_real else tiny_kernel(images.real("7-amd64"))
    source = folder / "source"
    source.write_bytes(real.with_payload(bzimage.pack(plain, "lz4")).data)
    result = export("bzimage", folder / "out", f"--payload={payload}", source)
    assert b"[export/direct-only]" in result.err
    out = images.Image((folder / "out").read_bytes())
    again = bzimage.Image(out)
    assert bzimage.format_of(again.payload) == payload
    if payload in ("elf", "gzip", "xz", "lz4", "zstd"):
        assert bzimage.unpack(again.payload) == plain
    if payload == "lzo":
        (folder / "packed.lzo").write_bytes(again.payload[:-4])
        unpacked = subprocess.run(["lzop", "-dc", folder / "packed.lzo"], capture_output=True,
                                  check=True, timeout=60).stdout
        assert unpacked == plain
    assert len(out) == out.setup_len + 16 * out.at(images.SYSSIZE)
    assert out.at(images.INIT_SIZE) >= len(out.kernel)
    info = out.kernel[out.at(images.KERNEL_INFO_OFFSET):]
    assert info[:4] == b"LToP"
    assert out[:2] == b"MZ" and out[0x3c:0x40] == bytes(4) and out[0x264:0x268] == bytes(4)
    plan = plans.Plan(run("--dry-run", "--json", pc, folder / "out").done().out)
    assert plan["entry_name"] == "direct"
    for enter in ("64", "32", "16"):
        run("--dry-run", pc, f"--enter={enter}", folder / "out").failed("bzimage/no-stub")


def test_crc_stays_right(folder):
    """Kernels up to 6.6 or so end with the CRC of all before it, made before they are signed."""
    export("bzimage", folder / "out", "--payload=elf", images.path("6.1-cloud"))
    out = images.Image((folder / "out").read_bytes())
    wanted, found = crc_of(out, 16 * out.at(images.SYSSIZE))
    assert wanted == found


def test_out_of_a_uki(folder):
    """What it brings along goes into the file."""
    image = folder / "image.efi"
    image.write_bytes(pe.image([(".linux", bytes(images.real("6.1-cloud"))), (".cmdline", b"from-uki"),
                                (".initrd", b"cpio" * 100)]))
    export("elf", folder / "out", image)
    elf = Elf((folder / "out").read_bytes())
    params, disk = elf.loads[-2:]
    assert elf.memory(params["paddr"] + PAGE, 9) == b"from-uki\0"
    assert elf.memory(disk["paddr"], 400) == b"cpio" * 100


# ------------------------------------------------------------------------------- where it is written


def test_there_as_a_whole_or_not_at_all(folder):
    out = folder / "out"
    out.write_bytes(b"old")
    export("vmlinux", out, images.path("6.1-cloud"))
    assert out.read_bytes()[:4] == b"\x7fELF" and out.stat().st_mode & 0o777 == 0o644
    assert os.listdir(folder) == ["out"]
    broken = folder / "broken"
    broken.write_bytes(images.real("6.1-cloud")[:3_000_000])
    before = out.read_bytes()
    run("--export=vmlinux", "-o", out, broken).failed("bzimage/kernel-truncated")
    assert out.read_bytes() == before and sorted(os.listdir(folder)) == ["broken", "out"]
    full = run("--export=vmlinux", "-o", "/dev/full", images.path("6.1-cloud"))
    full.failed("write/no-file")
    run("--export=vmlinux", "-o", folder / "no" / "out", images.path("6.1-cloud")).failed("write/create")
    limited = run("--export=vmlinux", "-o", out, images.path("6.1-cloud"),
                  between=("prlimit", "--fsize=1000000", "env", "--ignore-signal=XFSZ"))
    limited.failed("write/failed")
    assert out.read_bytes() == before and sorted(os.listdir(folder)) == ["broken", "out"]


@pytest.mark.parametrize("make", [
    lambda p: os.mkfifo(p), lambda p: p.mkdir(), lambda p: p.symlink_to("elsewhere")])
def test_nothing_else_is_written_over(folder, make):
    make(folder / "out")
    before = (folder / "out").lstat()
    run("--export=vmlinux", "-o", folder / "out", images.path("6.1-cloud")).failed("write/no-file")
    assert (folder / "out").lstat().st_ino == before.st_ino and len(os.listdir(folder)) == 1


def test_to_a_pipe():
    result = run("--export=vmlinux", "-o", "-", images.path("6.1-cloud"))
    assert result.status == 0 and result.out == images.unpacked("6.1-cloud").data


def test_a_secret_initrd_stays_secret(folder):
    initrd = folder / "initrd"
    initrd.write_bytes(b"key" * 100)
    initrd.chmod(0o600)
    export("elf", folder / "out", f"--initrd={initrd}", images.path("6.1-cloud"))
    assert (folder / "out").stat().st_mode & 0o777 == 0o600


def test_anybody_may(folder):
    folder.chmod(0o777)
    (folder / "kernel").write_bytes(images.real("6.1-cloud"))
    export("vmlinux", folder / "out", folder / "kernel", user=NOBODY)


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("words, name, status", [
    (("--export=elf",), "options/no-output", 1),
    (("--export=bzimage", "-o", "OUT"), "options/no-payload", 1),
    (("--export=elf", "-o", "OUT", "--payload=gzip"), "options/export", 1),
    (("--export=vmlinux", "-o", "OUT", "--base=16M"), "options/export", 1),
    (("--export=elf", "-o", "OUT", "--json"), "options/export", 1),
    (("--export=elf", "-o", "OUT", "-p"), "options/export", 1),
    (("--export=elf", "-o", "OUT", "-u"), "options/inspect-unload", 1),
    (("--dry-run", "-o", "OUT"), "options/export", 1),
    (("--export=bzimage", "-o", "OUT", "--payload=rar"), "options/bad-value", 1),
    (("--export=elf", "-o", "OUT", "--base=0x1000"), "export/base", 255),
    (("--export=elf", "-o", "OUT", "--base=4G"), "export/no-room", 255),
    (("--export=elf", "-o", "OUT", "--virt-offset=1G"), "export/virt-offset", 255),
    (("--export=elf", "-o", "OUT", "--append=" + "x" * 3000), "params/cmdline-too-long", 255),
])
def test_refused(folder, words, name, status):
    out = folder / "out"
    words = [str(out) if word == "OUT" else word for word in words]
    run(*words, images.path("6.1-cloud")).failed(name, status)
    assert not out.exists() and os.listdir(folder) == []


def test_options_come_apart():
    """-oFILE and -o FILE are one, and no letter of kexec-tools is taken."""
    assert command(["--export=vmlinux", "-o/dev/null", "x"])
    run("--export=vmlinux", "-o/dev/null", images.path("6.1-cloud")).failed("write/no-file")
