# SPDX-License-Identifier: GPL-2.0-or-later
"""Damaged images are refused by name before anything else happens; whole ones are not."""

import gzip
import os
import random
import socket
import stat
import subprocess
import threading

import pytest

import images
import machines
import plans
from images import Image
from kexec_run import NOBODY, run


def set_to(field, value):
    return lambda image: image.with_fields({field: value})


def out_len(image):
    """What the payload unpacks to: its last four bytes."""
    return int.from_bytes(image[image.payload_end - 4:image.payload_end], "little")


def kernel_len(image):
    return 16 * image.at(images.SYSSIZE)


# What is done to a whole image without anything behind its kernel; the id; what the text tells:
# what was found, and what was expected.
DAMAGE = {
    "half": (lambda i: Image(i[:len(i) // 2]), "bzimage/kernel-truncated",
             lambda i: (str(kernel_len(i)), str(len(i) // 2 - i.setup_len))),
    "cut by 16 bytes": (lambda i: Image(i[:-16]), "bzimage/kernel-truncated",
                        lambda i: (str(kernel_len(i)), str(kernel_len(i) - 16))),
    "setup code only": (lambda i: Image(i[:i.setup_len]), "bzimage/setup-truncated",
                        lambda i: (str(i.setup_len),)),
    "setup code cut": (lambda i: Image(i[:0x300]), "bzimage/setup-truncated",
                       lambda i: (str(i.setup_len), str(0x300))),
    "syssize one more": (
        lambda i: i.with_fields({images.SYSSIZE: i.at(images.SYSSIZE) + 1}),
        "bzimage/kernel-truncated", lambda i: (str(kernel_len(i) + 16), str(kernel_len(i)))),
    "syssize largest": (set_to(images.SYSSIZE, 0xffffffff), "bzimage/kernel-truncated",
                        lambda i: (str(16 * 0xffffffff), str(kernel_len(i)))),
    "syssize 0": (set_to(images.SYSSIZE, 0), "bzimage/no-kernel", lambda i: ("0",)),
    "setup_data": (set_to(images.SETUP_DATA, 0x1234000), "bzimage/foreign-setup-data",
                   lambda i: ("must be 0", "0x1234000")),
    "setup_data high": (set_to(images.SETUP_DATA, 1 << 63), "bzimage/foreign-setup-data",
                        lambda i: ("0x8000000000000000",)),
    "alignment 3": (set_to(images.KERNEL_ALIGNMENT, 3), "bzimage/alignment",
                    lambda i: ("power of two", "0x3")),
    "alignment 0": (set_to(images.KERNEL_ALIGNMENT, 0), "bzimage/alignment",
                    lambda i: ("power of two", "found 0")),
    "min_alignment above": (
        lambda i: i.with_fields({images.MIN_ALIGNMENT: 22}), "bzimage/min-alignment",
        lambda i: ("22", "0x200000")),
    "min_alignment 64": (set_to(images.MIN_ALIGNMENT, 64), "bzimage/min-alignment",
                         lambda i: ("64",)),
    "jump 0x80": (set_to(images.JUMP + 1, 0x80), "bzimage/jump-backwards", lambda i: ("0x80",)),
    "jump 0xff": (set_to(images.JUMP + 1, 0xff), "bzimage/jump-backwards", lambda i: ("0xff",)),
    "no jump": (set_to(images.JUMP, 0x90), "bzimage/no-jump", lambda i: ("0xeb", "0x90")),
    "header short for 2.15": (set_to(images.JUMP + 1, 0x69), "bzimage/header-short",
                              lambda i: ("2.15", "0x26c", "0x26b")),
    "header short for 2.10": (
        lambda i: i.with_fields({images.VERSION: 0x20a, images.JUMP + 1: 0x61}),
        "bzimage/header-short", lambda i: ("2.10", "0x264", "0x263")),
    "header without length": (set_to(images.JUMP + 1, 0), "bzimage/header-short",
                              lambda i: ("0x26c", "0x202")),
    "init_size below payload": (
        lambda i: i.with_fields({images.INIT_SIZE: out_len(i) - 1}),
        "bzimage/init-size-below-payload", lambda i: (str(out_len(i) - 1), str(out_len(i)))),
    "init_size below kernel": (
        lambda i: i.with_fields({images.INIT_SIZE: kernel_len(i) - 1}),
        "bzimage/init-size-too-small", lambda i: (str(kernel_len(i) - 1), str(kernel_len(i)))),
    "init_size 0": (set_to(images.INIT_SIZE, 0), "bzimage/init-size-too-small",
                    lambda i: ("0", str(kernel_len(i)))),
    "init_size above 1 GiB": (set_to(images.INIT_SIZE, (1 << 30) + 1),
                              "bzimage/init-size-too-large",
                              lambda i: (str((1 << 30) + 1), "1 GiB")),
    "payload_offset 0": (set_to(images.PAYLOAD_OFFSET, 0), "bzimage/payload-incomplete",
                         lambda i: ("payload_offset is 0 ", "both, or none")),
    "payload_length 0": (set_to(images.PAYLOAD_LENGTH, 0), "bzimage/payload-incomplete",
                         lambda i: ("payload_length 0:", "both, or none")),
    "payload longer than kernel": (set_to(images.PAYLOAD_LENGTH, 0x7fffffff),
                                   "bzimage/payload-outside",
                                   lambda i: (str(0x7fffffff), str(kernel_len(i)))),
    "payload wraps": (
        lambda i: i.with_fields({images.PAYLOAD_OFFSET: 0xfffffff0,
                                 images.PAYLOAD_LENGTH: 0x20}),
        "bzimage/payload-outside", lambda i: ("0xfffffff0", str(kernel_len(i)))),
    "payload behind kernel": (
        lambda i: i.with_fields({images.PAYLOAD_OFFSET: kernel_len(i)}),
        "bzimage/payload-outside", lambda i: (f"{kernel_len(i):#x}", str(kernel_len(i)))),
    "payload one byte beyond": (
        lambda i: i.with_fields(
            {images.PAYLOAD_LENGTH: kernel_len(i) - i.at(images.PAYLOAD_OFFSET) + 1}),
        "bzimage/payload-outside", lambda i: (str(kernel_len(i)),)),
    "payload of no format": (
        lambda i: i.patched(i.setup_len + i.at(images.PAYLOAD_OFFSET), b"NONE"),
        "bzimage/payload-unknown", lambda i: ("0x454e4f4e",)),
    "payload unpacks to nothing": (lambda i: i.patched(i.payload_end - 4, bytes(4)),
                                   "bzimage/payload-trailer", lambda i: ("found 0",)),
    "zImage": (set_to(images.LOADFLAGS, 0), "bzimage/loads-low", lambda i: ("loadflags 0",)),
    "above 4G without 64-bit": (set_to(images.XLOADFLAGS, 2), "bzimage/xloadflags-disagree",
                                lambda i: ("0x2",)),
    "pref_address unaligned": (set_to(images.PREF_ADDRESS, 0x1000001), "bzimage/pref-address",
                               lambda i: ("0x1000001",)),
    "pref_address wraps": (set_to(images.PREF_ADDRESS, 0xfffffffffffff000),
                           "bzimage/pref-address", lambda i: ("0xfffffffffffff000",)),
    "kernel_info outside": (set_to(images.KERNEL_INFO_OFFSET, 0xfffffff0),
                            "bzimage/kernel-info-outside",
                            lambda i: ("0xfffffff0", str(kernel_len(i)))),
    "kernel_info elsewhere": (set_to(images.KERNEL_INFO_OFFSET, 0x1000), "bzimage/kernel-info",
                              lambda i: ("0x1000", "LToP")),
    "version string outside": (set_to(images.KERNEL_VERSION, 0xffff), "bzimage/version-string",
                               lambda i: (f"{0xffff + 0x200:#x}", str(i.setup_len))),
    "version string without end": (
        lambda i: i.patched(i.version_off, b"x" * (i.setup_len - i.version_off)),
        "bzimage/version-string", lambda i: (f"{i.version_off:#x}",)),
    "protocol 2.01": (set_to(images.VERSION, 0x201), "bzimage/protocol-too-old",
                      lambda i: ("2.01", "2.02")),
    "protocol 0": (set_to(images.VERSION, 0), "bzimage/protocol-too-old",
                   lambda i: ("0.00", "2.02")),
    "fixed address below 1 MiB": (
        lambda i: i.with_fields({images.RELOCATABLE_KERNEL: 0, images.PREF_ADDRESS: 0x10000}),
        "bzimage/fixed-address-low", lambda i: ("0x10000", "1 MiB")),
}


# What only the stub has to make sense of: --enter=64 insists.
BY_STUB = ("bzimage/payload-unknown", "bzimage/payload-trailer")


@pytest.mark.parametrize("enter", ["auto", "64", "direct"])
@pytest.mark.parametrize("name", DAMAGE)
def test_damage(folder, pc, name, enter):
    """Told from the header and the payload's first and last bytes, however it is entered."""
    damage, expected, says = DAMAGE[name]
    whole = images.bare()
    where = folder / "damaged"
    where.write_bytes(damage(whole))
    if enter == "direct" and expected == "bzimage/fixed-address-low":
        expected, says = "bzimage/not-direct", lambda image: ("relocatable",)
    if enter == "64" and expected in BY_STUB:
        assert plans.of(pc, where, "--enter=64").segment("kernel")["len"] == len(damage(whole).kernel)
        return
    run("--dry-run", pc, where, f"--enter={enter}").failed(expected, says=says(whole))


@pytest.mark.parametrize("name", images.NAMES)
def test_every_real_one_cut_in_half(folder, pc, name):
    where = folder / "half"
    image = images.real(name)
    where.write_bytes(image[:len(image) // 2])
    run("--dry-run", pc, where).failed("bzimage/kernel-truncated",
                                       says=(str(16 * image.at(images.SYSSIZE)),))


def test_damage_as_json(folder, pc):
    """The failure goes to stdout as JSON, and to stderr as ever."""
    where = folder / "damaged"
    where.write_bytes(images.bare()[:-16])
    failed = run("--dry-run", "--json", pc, where)
    text = failed.failed("bzimage/kernel-truncated", has_out=True)
    error = plans.parse(failed.out)["error"]
    assert error["id"] == "bzimage/kernel-truncated"
    assert error["text"] == text
    assert error["errno"] == 22


def test_neither_offset_nor_length_of_a_payload(folder, pc):
    """Both zero is how an image says that it does not tell."""
    where = folder / "untold"
    image = images.bare().with_fields({images.PAYLOAD_OFFSET: 0, images.PAYLOAD_LENGTH: 0})
    where.write_bytes(image)
    plan = plans.of(pc, where)
    assert plan.segment("kernel")["sha256"] == image.kernel_digest
    assert plan["entry_name"] == "64" and "bzimage/by-stub" in plan.notes
    run("--dry-run", pc, where, "--enter=direct").failed("bzimage/not-direct", says=("payload",))


def test_init_size_of_one_gib_is_the_limit(folder, pc):
    where = folder / "wide"
    where.write_bytes(images.bare().with_fields({images.INIT_SIZE: 1 << 30}))
    assert plans.of(pc, where, "--enter=64").segment("kernel")["reserve_len"] == 1 << 30
    assert plans.of(pc, where).is_direct


def test_init_size_of_just_the_payload(folder, pc):
    where = folder / "narrow"
    image = images.bare()
    where.write_bytes(image.with_fields({images.INIT_SIZE: out_len(image)}))
    assert plans.of(pc, where, "--enter=64").segment("kernel")["reserve_len"] == \
        -(-out_len(image) // 4096) * 4096
    assert plans.of(pc, where).is_direct


def test_what_follows_the_kernel_is_not_loaded(folder, pc):
    """A signature behind the kernel is no part of it."""
    bare, signed = folder / "bare", folder / "signed"
    bare.write_bytes(images.bare())
    signed.write_bytes(images.bare() + b"\xa5" * 4096)
    plain = plans.of(pc, bare, "--enter=64").segment("kernel")
    assert plain["sha256"] == images.bare().kernel_digest
    assert plans.of(pc, signed, "--enter=64").segment("kernel") == plain
    assert plans.of(pc, signed, "--seed=1") == plans.of(pc, bare, "--seed=1")


@pytest.mark.parametrize("minor", range(2, 17))
def test_every_protocol(folder, pc, minor):
    """An image without a field is planned with what its protocol says instead."""
    where = folder / "old"
    image = images.bare().with_fields({images.VERSION: 0x200 + minor})
    where.write_bytes(image)
    stub = "64" if minor >= 12 else "32"
    plan = plans.of(pc, where, "--append=x", f"--enter={stub}")
    kernel = plan.segment("kernel")
    assert plan["entry_name"] == stub
    assert ("bzimage/protocol-newer" in plan.notes) == (minor > 15)
    assert ("bzimage/fixed-address" in plan.notes) == (minor < 5)
    if minor >= 10:
        assert kernel["reserve_len"] >= image.at(images.INIT_SIZE)
        assert kernel["addr"] >= image.at(images.PREF_ADDRESS)
    else:
        assert kernel["reserve_len"] >= out_len(image)
    if minor >= 5:
        assert kernel["addr"] % image.at(images.KERNEL_ALIGNMENT) == 0
    else:
        assert kernel["addr"] == image.at(images.CODE32_START)


@pytest.mark.parametrize("minor", [2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
def test_every_protocol_by_default(folder, pc, minor):
    """Direct where the header tells all that takes, and never refused for its age."""
    where = folder / "old"
    where.write_bytes(images.bare().with_fields({images.VERSION: 0x200 + minor}))
    plan = plans.of(pc, where)
    assert plan["entry_name"] == ("direct" if minor >= 12 else "32")
    if minor < 12:
        assert {"bzimage/by-stub", "bzimage/fixed-address"} & set(plan.notes)


@pytest.mark.parametrize("minor, limit", [(5, 255), (6, 2047), (15, 2047)])
def test_length_of_the_command_line(folder, pc, minor, limit):
    """Nothing is cut off: one character too many is refused."""
    where = folder / "old"
    where.write_bytes(images.bare().with_fields({images.VERSION: 0x200 + minor}))
    plan = plans.of(pc, where, "--append=" + "x" * limit)
    assert plan["cmdline"] == "x" * limit
    for n, advice in ((1, b"by 1 character;"), (2, b"by 2 characters;")):
        result = run("--dry-run", pc, where, "--append=" + "x" * (limit + n))
        result.failed("params/cmdline-too-long", says=(str(limit), str(limit + n)))
        assert advice in result.err, result


def test_fixed_address(folder, pc):
    where = folder / "fixed"
    where.write_bytes(images.bare().with_fields(
        {images.RELOCATABLE_KERNEL: 0, images.PREF_ADDRESS: 0x3000000}))
    plan = plans.of(pc, where)
    assert plan.segment("kernel")["addr"] == 0x3000000
    assert {"bzimage/fixed-address", "bzimage/by-stub"} <= set(plan.notes)
    run("--dry-run", pc, where, "--enter=direct").failed("bzimage/not-direct",
                                                         says=("relocatable",))


def test_fixed_address_that_is_no_ram(folder, pc):
    where = folder / "fixed"
    where.write_bytes(images.bare().with_fields(
        {images.RELOCATABLE_KERNEL: 0, images.PREF_ADDRESS: 0xf0000000}))
    run("--dry-run", pc, where).failed("place/no-hole", says=("kernel", "0xf0000000"))


# ------------------------------------------------------------------------- files that are no image


def test_no_file(folder, pc):
    run("--dry-run", pc, folder / "nothing").failed("file/open", says=("nothing", "No such file"))


def test_dev_null(pc):
    run("--dry-run", pc, "/dev/null").failed("file/empty", says=("/dev/null",))


def test_directory(folder, pc):
    run("--dry-run", pc, folder).failed("file/directory", says=(str(folder),))


def test_empty_file(folder, pc):
    where = folder / "void"
    where.touch()
    run("--dry-run", pc, where).failed("file/empty", says=("void",))


def test_unreadable_file(folder, pc):
    where = folder / "secret"
    where.write_bytes(images.bare())
    where.chmod(0)
    run("--dry-run", pc, where, user=NOBODY).failed("file/open", says=("secret", "denied"))


def test_not_a_directory(folder, pc, small):
    run("--dry-run", pc, small / "x").failed("file/open", says=("Not a directory",))


def test_loop_of_links(folder, pc):
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    run("--dry-run", pc, folder / "a").failed("file/open", says=("symbolic links",))


def test_text(folder, pc):
    where = folder / "text"
    where.write_text("#!/bin/sh\nexit 0\n" * 100)
    run("--dry-run", pc, where).failed("probe/unknown-type", says=("text", "0xaa55", "0x"))


@pytest.mark.parametrize("length, expected", [
    *((length, "probe/unknown-type") for length in (1, 2, 511, 512, 0x205)),
    (0x206, "bzimage/version-outside"), (0x207, "bzimage/version-outside"),
    (0x208, "bzimage/setup-truncated")])
def test_short_file(folder, pc, length, expected):
    where = folder / "short"
    where.write_bytes(b"\0" + images.bare()[1:length])
    run("--dry-run", pc, where).failed(expected)


def test_container(folder, pc):
    """What could hold a kernel is called by its name."""
    where = folder / "container"
    where.write_bytes(b"MZ" + bytes(4096))
    run("--dry-run", pc, where).failed("unwrap/unsupported", says=("container", "PE"))


def filtered(*command):
    return lambda data: subprocess.run(command, input=data, capture_output=True, check=True,
                                       timeout=120).stdout


PACKERS = {
    "gzip": filtered("gzip", "-1"), "bzip2": filtered("bzip2", "-1"),
    "lzma": filtered("xz", "--format=lzma", "-0"), "xz": filtered("xz", "-0"),
    "lzo": filtered("lzop", "-1"), "lz4": filtered("lz4", "-l", "-1"),
    "lz4-frame": filtered("lz4", "-1"), "zstd": filtered("zstd", "-1"),
}


@pytest.mark.parametrize("name", PACKERS)
def test_compressed(folder, pc, name):
    """By content, whatever it is called; the plan is that of the kernel itself."""
    where, inside = folder / "vmlinuz.bin", folder / "inside"
    inside.write_bytes(images.bare())
    where.write_bytes(PACKERS[name](images.bare()))
    packed = plans.Plan(run("--dry-run", "--json", "--seed=1", pc, where).done().out)
    plain = plans.of(pc, inside, "--seed=1")
    assert packed["type"] == "bzImage" and packed["type_text"] == f"bzImage in {name}"
    assert packed | {"type_text": "bzImage"} == plain


def test_compressed_twice(folder, pc):
    where = folder / "twice"
    where.write_bytes(PACKERS["xz"](PACKERS["gzip"](images.small())))
    plan = plans.Plan(run("--dry-run", "--json", pc, where, "--type=bzImage").done().out)
    assert plan["type_text"] == "bzImage in gzip in xz"


def test_compressed_too_often(folder, pc):
    data = images.small()
    for _ in range(5):
        data = PACKERS["gzip"](data)
    where = folder / "onion"
    where.write_bytes(data)
    run("--dry-run", pc, where).failed("unwrap/too-deep", says=("onion", "4 times", "gzip"))


@pytest.mark.parametrize("name", PACKERS)
def test_half_of_a_compressed_kernel(folder, pc, name):
    where = folder / "half"
    packed = PACKERS[name](images.bare())
    where.write_bytes(packed[:len(packed) // 2])
    failed = run("--dry-run", pc, where)
    assert failed.status == 255 and failed.reasons()[0]["id"] in \
        ("unpack/truncated", "unpack/damaged"), failed


def test_compressed_damage(folder, pc):
    """A bit in the middle is found by the checksum of the file, before the kernel is looked at."""
    packed = bytearray(PACKERS["gzip"](images.bare()))
    packed[len(packed) // 2] ^= 4
    where = folder / "damaged"
    where.write_bytes(packed)
    run("--dry-run", pc, where).failed("unpack/damaged", says=("gzip",))


def test_something_behind_a_compressed_kernel(folder, pc):
    packed = PACKERS["gzip"](images.small())
    where = folder / "signed"
    where.write_bytes(packed + bytes(512))
    assert run("--dry-run", pc, where).status == 0
    where.write_bytes(packed + b"~Module signature appended~\n")
    run("--dry-run", pc, where).failed("compressed/trailing", says=(str(len(packed)),))


def test_bomb(folder):
    """What explodes ends at half of the machine's spare memory, and takes no more on the way."""
    root = folder / "lean"
    root.mkdir()
    lean = machines.Machine(machines.pc(machines.GIB), available=256 << 20).write(root)
    where = folder / "bomb"
    where.write_bytes(PACKERS["xz"](bytes(200 << 20)))
    run("--dry-run", lean, where, between=("prlimit", f"--as={300 << 20}")).failed(
        "unpack/too-large", says=(str(128 << 20),))


def test_text_in_a_compressed_file(folder, pc):
    where = folder / "text.gz"
    where.write_bytes(gzip.compress(b"no kernel\n" * 100))
    run("--dry-run", pc, where).failed("probe/unknown-content", says=("text.gz", "gzip"))


@pytest.mark.parametrize("name, expected", [
    ("bzImage", None), ("bzImage64", None), ("bzimage", "probe/unknown-name")])
def test_type(pc, small, name, expected):
    if expected:
        run("--dry-run", pc, small, f"--type={name}").failed(expected, says=(name, "bzImage64"))
    else:
        assert run("--dry-run", pc, small, "-t", name).done()


@pytest.mark.parametrize("seed", range(4))
def test_noise(folder, pc, seed):
    """Random bytes, some of which begin like an image."""
    noise = random.Random(seed)
    where = folder / "noise"
    for _ in range(50):
        data = Image(noise.randbytes(noise.choice((1, 600, 1000, 5000, 100000))))
        if len(data) > 0x280 and noise.random() < 0.8:
            data = data.with_fields({images.BOOT_FLAG: 0xaa55, images.MAGIC: 0x53726448})
        if len(data) > 0x280 and noise.random() < 0.7:
            data = data.with_fields({images.VERSION: noise.randrange(0x200, 0x211),
                                     images.JUMP: 0xeb, images.JUMP + 1: 0x6a,
                                     images.SETUP_SECTS: 1, images.LOADFLAGS: 1})
        where.write_bytes(data)
        failed = run("--dry-run", pc, where)
        assert failed.status in (0, 255), failed
        assert len(failed.reasons()) == (failed.status == 255), failed
        if failed.status == 0:
            plans.of(pc, where)


@pytest.mark.parametrize("seed", range(4))
def test_bent_header(folder, pc, seed):
    """A header with some wrong bits gives a plan that keeps every promise, or a reason."""
    chance = random.Random(seed)
    where = folder / "bent"
    n_planned = 0
    for _ in range(100):
        data = bytearray(images.small())
        for _ in range(chance.choice((1, 1, 2, 4))):
            field = chance.choice(list(images.LENGTHS))
            data[field + chance.randrange(images.LENGTHS[field])] ^= 1 << chance.randrange(8)
        where.write_bytes(data)
        result = run("--dry-run", "--json", pc, where)
        assert result.status in (0, 255), result
        assert len(result.reasons()) == (result.status == 255), result
        if result.status == 0:
            n_planned += 1
            plans.Plan(result.out).check(Image(data))
        else:
            assert plans.parse(result.out)["error"]["id"] == result.reasons()[0]["id"]
    assert 0 < n_planned < 100


@pytest.mark.parametrize("seed", range(2))
def test_bent_header_of_a_whole_image(folder, pc, seed):
    """The same where what the header says is held against what is in the payload."""
    chance = random.Random(seed)
    where = folder / "bent"
    seen = set()
    for _ in range(15):
        data = bytearray(images.bare())
        field = chance.choice(list(images.LENGTHS))
        data[field + chance.randrange(images.LENGTHS[field])] ^= 1 << chance.randrange(8)
        where.write_bytes(data)
        result = run("--dry-run", "--json", pc, where)
        assert result.status in (0, 255), result
        assert len(result.reasons()) == (result.status == 255), result
        if result.status == 0:
            plan = plans.Plan(result.out)
            plan.check(Image(data))
            seen.add(plan["entry_name"])
        else:
            seen.add("refused")
    assert {"direct", "refused"} <= seen


# ----------------------------------------------------------------------------- files to read once


def test_kernel_from_stdin(pc):
    image = images.bare()
    plan = plans.Plan(run("--dry-run", "--json", "--enter=64", pc, "/dev/stdin",
                          input=image).done().out)
    assert plan.segment("kernel")["sha256"] == image.kernel_digest


def test_kernel_from_fifo(folder, pc):
    where = folder / "fifo"
    os.mkfifo(where)
    image = images.bare()
    writer = threading.Thread(target=where.write_bytes, args=(image,))
    writer.start()
    plan = plans.of(pc, where, "--enter=64")
    writer.join()
    assert plan.segment("kernel")["sha256"] == image.kernel_digest


def test_half_a_kernel_from_stdin(pc):
    image = images.bare()
    run("--dry-run", pc, "/dev/stdin", input=image[:len(image) // 2]).failed(
        "bzimage/kernel-truncated")


def test_nothing_from_stdin(pc):
    run("--dry-run", pc, "/dev/stdin", input=b"").failed("file/empty", says=("/dev/stdin",))


def test_socket(folder, pc):
    """open() refuses it; what matters is that this is said."""
    where = folder / "socket"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(where))
        assert stat.S_ISSOCK(where.stat().st_mode)
        run("--dry-run", pc, where).failed("file/open", says=("socket",))


def test_kernel_through_a_shell_pipe(pc):
    """cat KERNEL | kexec: what reads from a pipe reads all of it."""
    with subprocess.Popen(["cat", images.path("6.1-amd64")], stdout=subprocess.PIPE) as cat:
        plan = plans.Plan(run("--dry-run", "--json", "--enter=64", pc, "/dev/stdin",
                              stdin=cat.stdout).done().out)
    assert plan.segment("kernel")["sha256"] == images.bare().kernel_digest
