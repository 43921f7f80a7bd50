# SPDX-License-Identifier: GPL-2.0-or-later
"""Multiboot images and other ELF programs that are no Linux: the plans for made-up ones."""

import gzip
import struct

import pytest

import images
import plans
from kexec_run import run
from machines import GIB, Machine, pc as pc_map

LINK = 0x200000
HEADER1, HEADER2 = 0x1badb002, 0xe85250d6
MASK = 0xffffffff


def header_1(flags=3):
    return struct.pack("<III", HEADER1, flags, -(HEADER1 + flags) & MASK)


def header_2(*tags):
    body = b"".join(tags) + struct.pack("<HHI", 0, 0, 8)
    length = 16 + len(body)
    return struct.pack("<IIII", HEADER2, 0, length, -(HEADER2 + length) & MASK) + body


def tag(kind, flags, *words):
    data = struct.pack("<HHI", kind, flags, 8 + 4 * len(words)) + struct.pack(f"<{len(words)}I",
                                                                              *words)
    return data + bytes(-len(data) % 8)


def elf(header=b"", bits=32, memory=0x6000, at=LINK):
    """One PT_LOAD of 4 KiB and some .bss, entered 16 bytes behind its start, with a header in it."""
    body = (bytes(64) + header).ljust(0x1000, b"\xcc")
    if bits == 64:
        head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, at + 16, 64, 0, 0, 64,
                           56, 1, 0, 0, 0)
        load = struct.pack("<IIQQQQQQ", 1, 5, 0x1000, at, at, len(body), memory, 0x1000)
    else:
        head = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\1\1\1", 2, 3, 1, at + 16, 52, 0, 0, 52,
                           32, 1, 0, 0, 0)
        load = struct.pack("<IIIIIIII", 1, 0x1000, at, at, len(body), memory, 5, 0x1000)
    return (head + load).ljust(0x1000, b"\0") + body


@pytest.fixture
def plan_of(folder, pc):
    def planned(data, *words):
        where = folder / "image"
        where.write_bytes(data)
        return plans.Plan(run("--dry-run", "--json", pc, where, *words).done().out)

    return planned


@pytest.mark.parametrize("header, name", [
    (header_1(), "multiboot-x86"), (header_2(), "multiboot2-x86"),
    (header_1() + bytes(4) + header_2(), "multiboot2-x86")])
def test_multiboot(folder, plan_of, header, name):
    modules = [folder / "one", folder / "two"]
    modules[0].write_bytes(b"1" * 5000)
    modules[1].write_bytes(b"2")
    plan = plan_of(elf(header), f"--module={modules[0]} a b", "--module", modules[1],
                   "--append=x y")
    kernel = plan.segment("kernel")
    assert plan["type"] == name and plan["entry_name"] == "multiboot"
    assert plan["jump"]["mode"] == "32"
    assert kernel["addr"] == LINK and kernel["mem_len"] == 0x6000 and kernel["len"] == 0x1000
    assert int(plan["jump"]["entry"], 16) == LINK + 16
    assert plan.segment("modules")["len"] == 8192 + 1
    assert int(plan["jump"]["arg"], 16) == plan.segment("params")["addr"]
    assert plan.windows[-1][1] <= 4 << 30
    assert len(plan["e820"]["entries"]) > 3


def test_heads_says_it_with_a_blank(folder, plan_of):
    """--module "FILE ": what is behind the blank is nothing, and no part of the name."""
    module = folder / "module"
    module.write_bytes(b"1" * 5000)
    one, other = (plan_of(elf(header_1()), "--command-line", " no-real-mode reboot=no vga=current",
                          "--module", f"{module}{blank}") for blank in ("", " "))
    assert one.segment("modules")["len"] == other.segment("modules")["len"] == 5000
    assert other["cmdline"].endswith(" no-real-mode reboot=no vga=current")


@pytest.mark.parametrize("header", [header_1(), header_2()], ids=["1", "2"])
def test_reuse_cmdline(folder, header):
    where = folder / "image"
    where.write_bytes(elf(header))
    host = Machine(pc_map(2 * GIB), cmdline="BOOT_IMAGE=/x root=/dev/vda1 quiet").write(folder)
    plan = plans.Plan(run("--dry-run", "--json", host, where, "--reuse-cmdline",
                          "--append=more").done().out)
    assert plan["cmdline"].split()[-3:] == ["root=/dev/vda1", "quiet", "more"]


def test_version_by_type(plan_of):
    both = header_1() + bytes(4) + header_2()
    assert plan_of(elf(both), "--type=multiboot-x86")["type"] == "multiboot-x86"
    assert plan_of(elf(both), "--type=multiboot2-x86")["type"] == "multiboot2-x86"
    assert plan_of(gzip.compress(elf(both)))["type_text"] == "multiboot2-x86 in gzip"


@pytest.mark.parametrize("preference, place", [(1, 0x1000000), (2, 0x2000000 - 0x6000)])
def test_relocatable(plan_of, preference, place):
    header = header_2(tag(10, 1, 0x1000000, 0x1ffffff, 0x1000, preference))
    plan = plan_of(elf(header))
    assert plan.segment("kernel")["addr"] == place
    assert int(plan["jump"]["entry"], 16) == place + 16


@pytest.mark.parametrize("header, words, expected", [
    (header_1(8), (), "multiboot/flags"),
    (header_2(tag(99, 0)), (), "multiboot2/tag"),
    (header_2(tag(7, 0)), (), "multiboot2/boot-services"),
    (header_2(tag(1, 0, 4, 99)), (), "multiboot2/request"),
    (header_2(tag(10, 0, 0, 0, 3, 0)), (), "multiboot2/relocatable"),
    (header_1(), ("--initrd=IMAGE",), "multiboot/initrd"),
    (header_1(), ("--enter=64",), "multiboot/enter"),
    (header_1(), ("--module=/nonexistent a",), "file/open"),
    (header_1(), ("--mem-min=16M",), "place/no-hole"),
    (header_1(), ("--type=bzImage",), "probe/type-differs"),
    (header_1(), ("--type=elf-x86",), "elf/not-linux"),
    (b"", (), "elf/not-linux"), (b"", ("--module=IMAGE",), "load/modules"),
    (b"", ("--args-elf", "--initrd=IMAGE"), "elf/linux-only")])
def test_refused(folder, pc, header, words, expected):
    where = folder / "image"
    where.write_bytes(elf(header))
    words = [word.replace("IMAGE", str(where)) for word in words]
    run("--dry-run", pc, where, *words).failed(expected)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("how", ["elf", "none"])
def test_program(plan_of, bits, how):
    plan = plan_of(elf(bits=bits), f"--args-{how}", "--append=x")
    assert plan["type"] == ("elf-x86_64" if bits == 64 else "elf-x86")
    assert plan["entry_name"] == how and plan["jump"]["mode"] == str(bits)
    assert int(plan["jump"]["entry"], 16) == LINK + 16
    assert plan.names[:-1] == ["kernel", "params"][:2 if how == "elf" else 1]
    assert int(plan["jump"]["arg"], 16) == (plan.segment("params")["addr"] if how == "elf" else 0)


def test_many_pieces_are_refused(folder, pc):
    """More than the kernel has segments for."""
    loads = [(LINK + (i << 22), 0x100) for i in range(12)]
    head = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\1\1\1", 2, 3, 1, LINK, 52, 0, 0, 52, 32,
                       len(loads), 0, 0, 0)
    table = b"".join(struct.pack("<IIIIIIII", 1, 0x1000, at, at, size, size, 5, 1)
                     for at, size in loads)
    where = folder / "image"
    where.write_bytes((head + table).ljust(0x1000, b"\0") + header_1().ljust(0x100, b"\0"))
    run("--dry-run", pc, where).failed("flat/too-many-pieces")


def test_args_of_others(pc, small):
    """A bzImage takes arguments in one way; that is no reason to fail."""
    result = run("--dry-run", "-d", pc, small, "--args-linux")
    assert result.status == 0 and b"[options/no-effect]" in result.err


def test_module_for_linux(pc):
    kernel = images.path("6.1-cloud")
    run("--dry-run", pc, kernel, f"--module={kernel}").failed("load/modules", says=("bzImage",))
