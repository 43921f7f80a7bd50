# SPDX-License-Identifier: GPL-2.0-or-later
"""Initrds that are unpacked ahead, and those that must stay as they are."""

import bz2
import gzip
import hashlib
import lzma
import random
import subprocess

import pytest

import images
import plans
from kexec_run import run
from machines import GIB, MIB, Machine, pc as pc_map

KERNEL = "6.1-cloud"


# Laid out as Documentation/driver-api/early-userspace/buffer-format.rst has it.
def entry(name, data=b"", mode=0o100644):
    name = name.encode() + b"\0"
    numbers = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % number for number in numbers) + name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def cpio(**files):
    return b"".join(entry(name.replace("__", "/"), data) for name, data in files.items()) + \
        entry("TRAILER!!!")


def noise(length, seed=1):
    return random.Random(seed).randbytes(length)


def through(*command):
    return lambda data: subprocess.run(command, input=data, capture_output=True, check=True,
                                       timeout=60).stdout


PACK = {
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
    "zstd": through("zstd", "-qc"),
    "lz4": through("lz4", "-lqc"),
    "lz4 frame": through("lz4", "-qc"),
    "bzip2": bz2.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "lzo": through("lzop", "-qc"),
}
HAVE_CHECKSUMS = ("gzip", "xz", "zstd", "bzip2", "lzo")

SMALL = cpio(init=b"#!/bin/sh\n", etc__noise=noise(5000), zeros=bytes(300000))
OTHER = cpio(other=noise(777, 2))
EARLY = cpio(**{"kernel__x86__microcode__GenuineIntel.bin": noise(4096, 3)})
ACPI = cpio(**{"kernel__firmware__acpi__dsdt.aml": noise(100, 4)})


def aligned(data, to=4):
    return data + bytes(-len(data) % to)


@pytest.fixture
def host(folder):
    (folder / "host").mkdir()
    return Machine(pc_map(16 * GIB), available=15 * GIB).write(folder / "host")


def plan_of(host, folder, parts, *words, warns=None):
    options = []
    for i, data in enumerate(parts):
        where = folder / f"part{i}"
        where.write_bytes(data)
        options.append(f"--initrd={where}")
    plan = plans.of(host, images.path(KERNEL), "--enter=64", *options, *words, warns=warns)
    assert plan["initrd"]["files"] == len(parts)
    return plan


def assert_initrd(plan, data, *notes):
    """Exactly these bytes, and of all that can be noted of an initrd exactly this."""
    segment = plan.segment("initrd")
    assert plan["initrd"]["len"] == segment["len"] == len(data)
    assert segment["sha256"] == hashlib.sha256(data).hexdigest()
    assert [note for note in plan.notes if note.startswith("load/initrd")] == list(notes)


def assert_packed(plan, data, reason):
    assert_initrd(plan, data, "load/initrd-packed")
    text, = [note["text"] for note in plan["notes"] if note["id"] == "load/initrd-packed"]
    assert reason in text


@pytest.mark.parametrize("name", PACK)
@pytest.mark.parametrize("words", [(), ("--initrd-unpack=auto",), ("--initrd-unpack=yes",)])
def test_unpacked(host, folder, name, words):
    assert_initrd(plan_of(host, folder, [PACK[name](SMALL)], *words), SMALL,
                  "load/initrd-unpacked")


@pytest.mark.parametrize("name", PACK)
def test_not_unpacked(host, folder, name):
    packed = PACK[name](SMALL)
    assert_initrd(plan_of(host, folder, [packed], "--initrd-unpack=no"), packed)


def test_the_plain_contents_are_what_is_loaded_directly(host, folder):
    where = folder / "initrd"
    where.write_bytes(PACK["zstd"](SMALL))
    plan = plans.of(host, images.path(KERNEL), f"--initrd={where}")
    assert plan.is_direct
    assert_initrd(plan, SMALL, "load/initrd-unpacked")


@pytest.mark.parametrize("how", ["auto", "yes", "no"])
@pytest.mark.parametrize("data", [SMALL, EARLY + aligned(SMALL, 512), aligned(SMALL, 512)],
                         ids=["cpio", "early", "padded"])
def test_plain(host, folder, how, data):
    """There is nothing to unpack, and nothing to say."""
    assert_initrd(plan_of(host, folder, [data], f"--initrd-unpack={how}"), data)


PARTS = {
    "microcode": ([EARLY, "xz SMALL"], [aligned(EARLY, 4096), SMALL]),
    "microcode in one file": ([aligned(EARLY, 512) + PACK["gzip"](SMALL)],
                              [aligned(EARLY, 512), SMALL]),
    "microcode and ACPI": ([EARLY, ACPI, "zstd SMALL"],
                           [aligned(EARLY, 4096), aligned(ACPI, 4096), SMALL]),
    "two packed": (["gzip SMALL", "lz4 OTHER"], [SMALL, OTHER]),
    "two packed in one file": ([aligned(PACK["gzip"](SMALL)) + PACK["xz"](OTHER)],
                               [SMALL, OTHER]),
    "packed, then plain": (["zstd SMALL", OTHER], [SMALL, OTHER]),
    "all sorts": ([EARLY, "gzip SMALL", OTHER, "lzo OTHER"],
                  [aligned(EARLY, 4096), SMALL, OTHER, OTHER]),
}


@pytest.mark.parametrize("name", PARTS)
def test_several(host, folder, name):
    """One after the other; early archives stay first and where they were."""
    parts, expected = PARTS[name]
    contents = {"SMALL": SMALL, "OTHER": OTHER}
    parts = [part if isinstance(part, bytes) else PACK[part.split()[0]](contents[part.split()[1]])
             for part in parts]
    assert_initrd(plan_of(host, folder, parts), b"".join(map(aligned, expected)),
                  "load/initrd-unpacked")


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]


KEPT = {
    "cut": (lambda: PACK["gzip"](SMALL)[:-100], "unpack/truncated"),
    "cut xz": (lambda: PACK["xz"](SMALL)[:-100], "unpack/truncated"),
    "only a magic number": (lambda: b"\x1f\x8b", "unpack/truncated"),
    "no cpio in it": (lambda: PACK["xz"](b"hello" * 1000), "initramfs/not-cpio"),
    "only zeros in it": (lambda: PACK["gzip"](bytes(5000)), "initramfs/not-cpio"),
    "nothing in it": (lambda: PACK["gzip"](b""), "initramfs/not-cpio"),
    "half a cpio in it": (lambda: PACK["zstd"](SMALL[:3000]), "initramfs/cpio-truncated"),
    "damaged cpio in it": (lambda: PACK["gzip"](SMALL.replace(b"070701", b"07070x", 1)),
                           "initramfs/cpio-header"),
    "old cpio in it": (lambda: PACK["gzip"](SMALL.replace(b"070701", b"070707", 1)),
                       "initramfs/cpio-header"),
    "packed twice": (lambda: PACK["gzip"](PACK["xz"](SMALL)), "initramfs/not-cpio"),
    "microcode that is packed": (lambda: PACK["gzip"](EARLY), "initramfs/early-files"),
    "ACPI tables that are packed": (lambda: PACK["gzip"](SMALL + ACPI), "initramfs/early-files"),
    "microcode behind what is packed": (
        lambda: aligned(PACK["gzip"](SMALL)) + EARLY, "initramfs/early-files"),
    "text behind it": (lambda: PACK["gzip"](SMALL) + b"junk", "initramfs/unknown-member"),
    "text": (lambda: b"junk" * 1000, "initramfs/unknown-member"),
    "squashfs": (lambda: b"hsqs" + noise(5000), "initramfs/unknown-member"),
    "cpio that is cut, then packed": (
        lambda: aligned(SMALL[:200]) + PACK["gzip"](OTHER), "initramfs/"),
    "damaged microcode": (lambda: flipped(EARLY, 3) + PACK["gzip"](SMALL),
                          "initramfs/cpio-header"),
}


@pytest.mark.parametrize("how", ["auto", "yes"])
@pytest.mark.parametrize("name", KEPT)
def test_kept(host, folder, name, how):
    """Whatever a kernel makes of it, it gets what was given. Who asked for more is told."""
    make, reason = KEPT[name]
    data = make()
    plan = plan_of(host, folder, [data], f"--initrd-unpack={how}",
                   warns="load/initrd-packed" if how == "yes" else None)
    assert_packed(plan, data, f"[{reason}")


@pytest.mark.parametrize("name", PACK)
@pytest.mark.parametrize("seed", range(3))
def test_damaged(host, folder, name, seed):
    """A bit is turned: all of it stays as it is, or the damage is where no checksum can see it."""
    packed = PACK[name](SMALL)
    data = flipped(packed, random.Random(seed).randrange(len(packed) // 4, len(packed) * 3 // 4))
    plan = plan_of(host, folder, [data])
    if name in HAVE_CHECKSUMS or "load/initrd-packed" in plan.notes:
        assert_packed(plan, data, "[")
    else:
        assert plan["initrd"]["len"] == len(SMALL)


def test_damage_in_the_second(host, folder):
    """All or nothing: what was unpacked before is not half of it."""
    second = PACK["gzip"](OTHER)[:-9]
    first = PACK["gzip"](SMALL)
    plan = plan_of(host, folder, [first, second])
    assert_packed(plan, aligned(first, 4096) + second, "[unpack/truncated]")


# --------------------------------------------------------------------------------- when it is done


@pytest.mark.parametrize("available, total, is_unpacked", [
    (15 * GIB, 16 * GIB, True), (3 * MIB + 8192, 16 * GIB, True), (3 * MIB - 8192, 16 * GIB, False),
    (MIB // 2, 16 * GIB, False)])
def test_memory(folder, available, total, is_unpacked):
    """Three times what comes out must be available; yes asks for once."""
    large = cpio(zeros=bytes(MIB - 240 - 16))
    assert MIB - 64 < len(large) <= MIB
    packed = PACK["gzip"](large)
    (folder / "host").mkdir()
    host = Machine(pc_map(total), available=available).write(folder / "host")
    plan = plan_of(host, folder, [packed])
    if is_unpacked:
        assert_initrd(plan, large, "load/initrd-unpacked")
    else:
        assert_packed(plan, packed, "[")
    fits = available >= MIB
    plan = plan_of(host, folder, [packed], "--initrd-unpack=yes",
                   warns=None if fits else "load/initrd-packed")
    if fits:
        assert_initrd(plan, large, "load/initrd-unpacked")
    else:
        assert_packed(plan, packed, "[")


def test_machine_that_does_not_say_how_much_is_available(folder):
    packed = PACK["gzip"](SMALL)
    (folder / "host").mkdir()
    host = Machine(pc_map(16 * GIB)).write(folder / "host")
    assert_packed(plan_of(host, folder, [packed]), packed, "[")


def test_it_is_asked_for_all_the_same(folder):
    (folder / "host").mkdir()
    host = Machine(pc_map(16 * GIB)).write(folder / "host")
    assert_initrd(plan_of(host, folder, [PACK["gzip"](SMALL)], "--initrd-unpack=yes"), SMALL,
                  "load/initrd-unpacked")


def test_bomb(folder):
    """What grows a thousandfold stops where memory would."""
    packed = gzip.compress(entry("zeros", bytes(160 * MIB)), 1)
    (folder / "host").mkdir()
    host = Machine(pc_map(512 * MIB), available=500 * MIB).write(folder / "host")
    assert_packed(plan_of(host, folder, [packed]), packed, "[unpack/too-large]")


def test_sha256_is_slower_than_unpacking(host, folder):
    packed = PACK["gzip"](SMALL)
    assert_packed(plan_of(host, folder, [packed], "--digest=sha256"), packed, "SHA-256")
    assert_initrd(plan_of(host, folder, [packed], "--digest=sha256", "--initrd-unpack=yes"), SMALL,
                  "load/initrd-unpacked")
    assert_initrd(plan_of(host, folder, [packed], "--digest=none"), SMALL, "load/initrd-unpacked")


def test_file_call(host, folder):
    """The running kernel reads the file itself."""
    packed = PACK["gzip"](SMALL)
    assert_initrd(plan_of(host, folder, [packed], "-s", warns="options/no-effect"), packed)


def test_no_place_for_it_unpacked(folder, host):
    """Then it goes as it is, unless it was asked for."""
    large = cpio(zeros=bytes(48 * MIB))
    packed = gzip.compress(large, 1)
    limits = (f"--mem-min={64 * MIB}", f"--mem-max={160 * MIB - 1}")
    plan = plan_of(host, folder, [packed], *limits)
    segment = plan.segment("initrd")
    assert segment["sha256"] == hashlib.sha256(packed).hexdigest()
    assert "load/initrd-packed-again" in plan.notes
    run("--dry-run", host, images.path(KERNEL), "--enter=64", f"--initrd={folder / 'part0'}",
        "--initrd-unpack=yes", *limits).failed("place/no-hole", says=("initrd",))
    assert plan_of(host, folder, [packed]).segment("initrd")["len"] == len(large)


def test_equal_input_gives_equal_bytes(host, folder):
    (folder / "part").write_bytes(EARLY + PACK["xz"](SMALL))
    outs = {run("--dry-run", "--json", "--seed=1", host, images.path(KERNEL),
                f"--initrd={folder / 'part'}").done().out for _ in range(3)}
    assert len(outs) == 1


def test_from_a_pipe(host, folder):
    done = run("--dry-run", "--json", "--enter=64", "--initrd-unpack=no", host, images.path(KERNEL),
               "--initrd=/dev/stdin", input=SMALL).done()
    segment = plans.Plan(done.out).segment("initrd")
    assert segment["sha256"] == hashlib.sha256(SMALL).hexdigest()
