# SPDX-License-Identifier: GPL-2.0-or-later
"""What is loaded: kernels, the images inside them, and initrds made by code."""

import dataclasses
import functools
import gzip
import itertools
import pathlib
import random
import resource
import struct
import subprocess

import guest

WORK = guest.BUILD / "bench"
CODE_LEN = 24          # bytes of an entry by which phases.c knows it
SECTOR, ENTRY_64 = 512, 0x200
UNPACKERS = {          # magic -> name, command
    b"\xfd7zXZ\0": ("xz", ["xz", "-dc"]),
    b"\x02\x21\x4c\x18": ("lz4", ["lz4", "-dc"]),
    b"\x28\xb5\x2f\xfd": ("zstd", ["zstd", "-dcq"]),
    b"\x1f\x8b": ("gzip", ["gzip", "-dc"]),
}


@dataclasses.dataclass(frozen=True)
class Second:
    """The kernel that is loaded."""

    kernel: guest.Kernel
    compression: str
    vmlinux: pathlib.Path
    unpack_s: float     # CPU seconds of the command line tool, the least of five runs
    stub: bytes         # the first code of the 64-bit entries
    entry: bytes

    def payload_facts(self):
        packed = WORK / f"payload-{self.kernel.name}"
        return {"compression": self.compression, "packed_len": packed.stat().st_size,
                "len": self.vmlinux.stat().st_size, "unpack_s": self.unpack_s}


def payload(image):
    """The compressed kernel inside a bzImage, and how long it says it is unpacked."""
    start = ((image[0x1f1] or 4) + 1) * SECTOR
    offset, length = struct.unpack_from("<II", image, 0x248)
    data = image[start + offset:start + offset + length]
    return start, data, struct.unpack("<I", data[-4:])[0]


def entry_code(vmlinux):
    """The code at the entry of an ELF image, which is a physical address."""
    entry, headers = struct.unpack_from("<QQ", vmlinux, 24)
    size, count = struct.unpack_from("<HH", vmlinux, 54)
    for at in range(headers, headers + size * count, size):
        kind, _, offset, _, address, in_file = struct.unpack_from("<IIQQQQ", vmlinux, at)
        if kind == 1 and 0 <= entry - address < in_file:
            return vmlinux[offset + entry - address:][:CODE_LEN]
    raise ValueError("the entry lies in no segment")


def cpu_seconds(command, path):
    """User and system time of a command that reads the file and throws away what it makes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with path.open("rb") as data:
        subprocess.run(command, stdin=data, stdout=subprocess.DEVNULL, check=False,
                       stderr=subprocess.DEVNULL, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@functools.cache
def second(name):
    kernel = guest.kernel(name)
    image = kernel.image.read_bytes()
    start, data, length = payload(image)
    compression, command = next(v for magic, v in UNPACKERS.items() if data.startswith(magic))
    WORK.mkdir(parents=True, exist_ok=True)
    packed, vmlinux = WORK / f"payload-{name}", WORK / f"vmlinux-{name}"
    packed.write_bytes(data[:-4])
    unpacked = subprocess.run(command, input=data[:-4], capture_output=True, check=True,
                              timeout=300).stdout
    if len(unpacked) != length:
        raise ValueError(f"{name}: {len(unpacked)} bytes, {length} expected")
    vmlinux.write_bytes(unpacked)
    return Second(kernel, compression, vmlinux, min(cpu_seconds(command, packed) for _ in range(5)),
                  image[start + ENTRY_64:][:CODE_LEN], entry_code(unpacked))


# ------------------------------------------------------------------------------------- programs


def program(name, *flags):
    """A C file of this folder, compiled."""
    source, out = pathlib.Path(__file__).with_name(name + ".c"), WORK / name
    WORK.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", out,
                    source, *flags], check=True, timeout=300)
    return out


# --------------------------------------------------------------------------------------- initrds


@dataclasses.dataclass(frozen=True)
class Initrd:
    name: str
    path: pathlib.Path
    plain: pathlib.Path     # unpacked, for a loader that cannot do it itself
    files: int              # below /data, and their bytes
    data_len: int


def words(rng, size):
    """Bytes that gzip makes about three times shorter, as it does with programs and modules."""
    vocabulary = [rng.randbytes(rng.randint(4, 28)) for _ in range(1500)]
    sums = list(itertools.accumulate(1 / (rank + 4) for rank in range(len(vocabulary))))
    while True:
        yield b"".join(rng.choices(vocabulary, cum_weights=sums, k=size // 16))


def members(rng, total, source):
    """Files below /data, of the sizes that files have: few large ones, many small."""
    files, left = [], total
    while left > 0:
        size = min(left, int(rng.paretovariate(1.1) * 4096), 1 << 22)
        left -= size
        files.append((f"data/{len(files):05}", guest.MODE_FILE, source(size)))
    return files


def with_init(actor, files):
    return guest.newc([("dev", guest.MODE_DIR, b""), ("data", guest.MODE_DIR, b""),
                       ("init", guest.MODE_PROGRAM, actor.read_bytes()), *files])


def keep(name, archive, compressed=None):
    plain = WORK / f"initrd-{name}.cpio"
    plain.write_bytes(archive)
    path = plain
    if compressed:
        path = plain.with_suffix(".cpio.gz")
        path.write_bytes(compressed)
    found = guest.read_newc(archive)
    data = [body for member, mode, body in found if member.startswith("data/")]
    return Initrd(name, path, plain, len(data), sum(map(len, data)))


@functools.cache
def tiny_initrd(actor):
    return keep("tiny", with_init(actor, []))


@functools.cache
def large_initrd(actor, total=120 << 20):
    """About 120 MB of files; gzip -6 makes about 40 MB of them."""
    rng = random.Random(40)
    stream, text = words(rng, 1 << 20), bytearray()

    def source(size):
        while len(text) < size:
            text.extend(next(stream))
        part = bytes(text[:size])
        del text[:size]
        return part

    archive = with_init(actor, members(rng, total, source))
    return keep("large", archive, gzip.compress(archive, 6, mtime=0))


def incompressible_initrd(actor, total=60 << 20):
    """60 MB that nothing can make smaller, as of compressed modules."""
    rng = random.Random(60)
    return keep("60MB", with_init(actor, members(rng, total, rng.randbytes)))
