# SPDX-License-Identifier: GPL-2.0-or-later
"""Every case of the corpus: bytes, and what a loader has to make of them.

    REFUSE  the defect shows in header, structure, length or checksum
    ACCEPT  odd, and valid
    EITHER  nothing in the file shows the defect: a loader cannot be blamed for either

Each case is one change to a whole image, so that the name says all that is wrong with it.
"""

import dataclasses
import functools
import gzip
import struct
import zlib

import bases
from bases import FIELDS, MIB, BzImage, Elf, bzimage, field, pe, with_fields

REFUSE, ACCEPT, EITHER = "refuse", "accept", "either"


@dataclasses.dataclass(frozen=True)
class Case:
    name: str       # "GROUP/WHAT"
    expect: str
    make: object    # called without arguments, gives the bytes

    @property
    def data(self):
        return self.make()


def case(name, expect, make, *args, **kwargs):
    return Case(name, expect, functools.partial(make, *args, **kwargs))


@functools.lru_cache(maxsize=None)
def whole(pack="gzip", is_64=True):
    return BzImage(Elf(is_64), pack).image()


# -------------------------------------------------------------------------------- valid, and whole


def valid():
    for pack in bzimage.FORMATS:
        yield case(f"valid/bzimage-{pack}", ACCEPT, whole, pack)
    yield case("valid/bzimage-i386", ACCEPT, whole, "gzip", False)
    for is_64 in (True, False):
        yield case(f"valid/vmlinux-{64 if is_64 else 32}", ACCEPT, lambda b=is_64: Elf(b).elf())
        yield case(f"valid/vmlinux-{64 if is_64 else 32}-relocations", ACCEPT,
                   lambda b=is_64: Elf(b).payload())
    yield case("valid/uki", ACCEPT, bases.uki)
    yield case("valid/multiboot", ACCEPT, bases.multiboot)
    yield case("valid/multiboot2", ACCEPT, bases.multiboot2)
    yield case("valid/signature-behind", ACCEPT, lambda: whole() + bases.pattern(1500, 9))
    yield case("valid/gzip-of-bzimage", ACCEPT, lambda: gzip.compress(whole(), mtime=0))


# ----------------------------------------------------------------------- each field of the header


# What is refused of each field; every other value of edges() is accepted. None: all of them are.
REFUSED = {
    "setup_sects": lambda v: True,         # the payload is not where it says any more
    "syssize": lambda v: v != 0x538,       # 16 bytes less: nothing that matters is lost
    "boot_flag": lambda v: True,
    "jump": lambda v: True,
    "jump_distance": lambda v: not 0x6a <= v < 0x80,
    "header": lambda v: True,
    "version": lambda v: v < 0x202,        # newer than known is no defect
    "kernel_version": lambda v: v + 0x200 >= 2048 and v != 0,
    "loadflags": lambda v: v & 1 == 0,
    "kernel_alignment": lambda v: v.bit_count() != 1 or v < 1 << 21,
    "relocatable_kernel": lambda v: False,
    "min_alignment": lambda v: v > 21,
    "xloadflags": lambda v: v & 1 == 0,    # the payload is a 64-bit kernel
    "cmdline_size": lambda v: False,
    "payload_offset": lambda v: True,
    "payload_length": lambda v: True,
    "setup_data": lambda v: v != 0,
    "pref_address": lambda v: v != 0x1000000,  # the kernel in it is linked for that address
    "init_size": lambda v: v < 0x408000 or v > 1 << 30,
    "kernel_info_offset": lambda v: v != 0,
    "initrd_addr_max": lambda v: False,
}


def edges(form, value):
    """Values at the borders of a field and around the one that is right, but not that one."""
    top = (1 << 8 * struct.calcsize(form)) - 1
    wanted = (0, 1, 2, value - 1, value + 1, value ^ 0x80, top >> 1, (top >> 1) + 1, top - 1, top)
    return sorted({v for v in wanted if 0 <= v <= top} - {value})


def header():
    base = whole()
    for name, (_, form, _) in FIELDS.items():
        for value in edges(form, field(base, name)):
            is_bad = REFUSED.get(name, lambda v: False)(value)
            yield case(f"header/{name}={value:#x}", REFUSE if is_bad else ACCEPT,
                       with_fields, base, **{name: value})
    yield case("header/payload-wraps", REFUSE, with_fields, base, payload_offset=0xfffffff0,
               payload_length=0x20)
    yield case("header/no-payload-told", ACCEPT, with_fields, base, payload_offset=0,
               payload_length=0)
    yield case("header/fixed-address-below-1M", REFUSE, with_fields, base, relocatable_kernel=0,
               pref_address=0x10000)
    yield case("header/fixed-address-no-ram", REFUSE, with_fields, base, relocatable_kernel=0,
               pref_address=0xf0000000)
    yield case("header/window-wraps", REFUSE, with_fields, base,
               pref_address=0xffffffffffe00000, init_size=1 << 30)
    for minor in range(0, 18):
        yield case(f"header/version=2.{minor:02}", ACCEPT if minor >= 2 else REFUSE, with_fields,
                   base, version=0x200 + minor)
    for at in range(0x1f1, 0x26c, 4):
        yield case(f"header/zeroed-{at:#x}", REFUSE if at in ZEROED_REFUSED else ACCEPT,
                   lambda o=at: base[:o] + bytes(4) + base[o + 4:])


# Four bytes of zeros from there on take away what a loader needs.
ZEROED_REFUSED = {0x1f1, 0x1f5, 0x1fd, 0x201, 0x205, 0x211, 0x235, 0x249, 0x24d, 0x259, 0x261,
                  0x265, 0x269}


def info():
    """The kernel_info behind the payload."""
    def with_info(*words, magic=b"LToP"):
        image = BzImage()
        image.kernel_info = struct.pack(f"<4s{len(words)}I", magic, *words)
        return image.image()

    yield case("kernel_info/magic", REFUSE, with_info, 16, 16, 0, magic=b"LTop")
    yield case("kernel_info/short", REFUSE, with_info, 15, 16, 0)
    yield case("kernel_info/total-below", REFUSE, with_info, 16, 15, 0)
    yield case("kernel_info/longer", ACCEPT, with_info, 32, 64, 0)
    yield case("kernel_info/types-largest", ACCEPT, with_info, 16, 16, 0xffffffff)


def truncated():
    for pack in ("gzip", "xz", "zstd", "elf"):
        base = whole(pack)
        setup = 2048
        payload = setup + field(base, "payload_offset")
        end = payload + field(base, "payload_length")
        marks = {0x1f0, 0x1f1, 0x1fe, 0x1ff, 0x200, 0x201, 0x202, 0x206, 0x208, 0x210, 0x22c, 0x230,
                 0x238, 0x250, 0x264, 0x26b, 0x26c, setup - 1, setup, setup + 1, setup + 0x1ff,
                 setup + 0x200, payload - 1, payload, payload + 1, payload + 4, (payload + end) // 2,
                 end - 5, end - 4, end - 1, end, end + 1, field(base, "kernel_info_offset") + setup,
                 len(base) - 512, len(base) - 16}
        for at in sorted(marks):
            yield case(f"truncated/{pack}-at-{at:#x}", REFUSE, lambda b=base, n=at: b[:n])
        yield case(f"truncated/{pack}-by-15", ACCEPT, lambda b=base: b[:-15])


# ------------------------------------------------------------------------------------ the payload


def payload():
    for pack, form in bzimage.FORMATS.items():
        plain = Elf(True).payload()
        packed = bzimage.pack(plain, pack)

        def image(data, **fields):
            return with_fields(BzImage(payload=data).image(), **fields)

        def cut(n, data=packed):
            return data[:len(data) // 2] + data[len(data) // 2 + n:]

        yield case(f"payload/{pack}-magic", REFUSE, image, b"\xa5\x5a" + packed[2:])
        yield case(f"payload/{pack}-half", REFUSE,
                   image, packed[:len(packed) // 2] + packed[-4:] * (pack != "elf"))
        yield case(f"payload/{pack}-hole", REFUSE if form.has_checksum else EITHER, image, cut(64))
        if pack == "elf":
            continue
        length = len(plain)
        for wrong in (0, 1, length - 1, length + 1, length + 4096, 0x7fffffff, 0xffffffff):
            yield case(f"payload/{pack}-says-{wrong:#x}", REFUSE,
                       image, packed[:-4] + struct.pack("<I", wrong))
        for part in (1, 3):
            at = len(packed) * part // 4
            flipped = packed[:at] + bytes([packed[at] ^ 0x10]) + packed[at + 1:]
            yield case(f"payload/{pack}-flip-{part}", REFUSE if form.has_checksum else EITHER,
                       image, flipped)
        yield case(f"payload/{pack}-zeros-behind", REFUSE,
                   image, packed[:-4] + bytes(64) + packed[-4:])
        yield case(f"payload/{pack}-twice", REFUSE, image, packed[:-4] + packed)
        yield case(f"payload/{pack}-only-trailer", REFUSE, image, form.magic + packed[-4:])


def bombs():
    """What unpacks to far more than anything in the file says."""
    for pack in ("gzip", "bzip2", "xz", "lzma", "zstd", "lz4", "lzo"):
        form = bzimage.FORMATS[pack]

        def bomb(said, pack=pack, form=form):
            packed = zeros(pack)
            if form.has_trailer or form.has_own_length:
                packed = packed[:-4] + struct.pack("<I", said)
            return with_fields(BzImage(payload=packed).image(), init_size=1 << 30)

        yield case(f"bomb/{pack}-says-16-MiB", REFUSE, bomb, 16 * MIB)
        yield case(f"bomb/{pack}-says-all", REFUSE, bomb, ZEROS_LEN)
        yield case(f"bomb/{pack}-says-1-GiB", REFUSE, bomb, 1 << 30)
    for pack, all_of_it in (("gzip", gigabytes_gzip), ("zstd", gigabytes_zstd)):
        def large(said, pack=pack, all_of_it=all_of_it):
            packed = all_of_it()
            packed = packed[:-4] if pack == "gzip" else packed
            return with_fields(BzImage(payload=packed + struct.pack("<I", said)).image(), init_size=1 << 30)

        yield case(f"bomb/{pack}-3-GiB-says-16-MiB", REFUSE, large, 16 * MIB)
        yield case(f"bomb/{pack}-3-GiB-says-all", REFUSE, large, GIGABYTES_LEN)
        yield case(f"bomb/file-of-3-GiB-in-{pack}", REFUSE, all_of_it)
    yield case("bomb/file-in-gzip", REFUSE, lambda: gzip.compress(bytes(ZEROS_LEN), mtime=0))
    yield case("bomb/file-in-gzip-in-gzip", REFUSE,
               lambda: gzip.compress(gzip.compress(bytes(ZEROS_LEN), mtime=0), mtime=0))


ZEROS_LEN = 64 * MIB


@functools.lru_cache(maxsize=None)
def zeros(pack):
    return bzimage.pack(bytes(ZEROS_LEN), pack)


GIGABYTES_LEN = 3 << 30


@functools.lru_cache(maxsize=None)
def gigabytes_gzip():
    """A MiB that is packed by itself (RFC 1951: a full flush), as often as that takes."""
    packer, one, crc = zlib.compressobj(9, zlib.DEFLATED, -15), bytes(MIB), 0
    block = packer.compress(one) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(GIGABYTES_LEN // MIB):
        crc = zlib.crc32(one, crc)
    return (bytes.fromhex("1f8b0800000000000203") + block * (GIGABYTES_LEN // MIB) + b"\3\0" +
            struct.pack("<2I", crc, GIGABYTES_LEN))


@functools.lru_cache(maxsize=None)
def gigabytes_zstd():
    """Blocks that say how often they have their one byte (RFC 8878, 3.1.1.2), with a window of their size."""
    def block(is_last):
        return struct.pack("<I", is_last | 1 << 1 | (128 << 10) << 3)[:3] + b"\0"

    return (bytes.fromhex("28b52ffd0038") + block(False) * (GIGABYTES_LEN // (128 << 10) - 1) + block(True))


# --------------------------------------------------------------------- the kernel's own ELF headers


def changed(**changes):
    def change(elf):
        elf.header |= {k: v for k, v in changes.items() if k in elf.header}
        elf.changes |= {k: v for k, v in changes.items() if k not in elf.header}
    return change


def segment(i, **changes):
    def change(elf):
        values = {k: v(elf) if callable(v) else v for k, v in changes.items()}
        elf.segments[i] = elf.segments[i] | values
    return change


def drop_loads(elf):
    for s in elf.segments:
        s["type"] = 4


def many_loads(elf):
    one = elf.segments.pop()
    for i in range(200):
        elf.segments.append(one | {"vaddr": one["vaddr"] + 0x1000 * i, "filesz": 16, "memsz": 16,
                                   "paddr": one["paddr"] + 0x1000 * i})


ELF_DAMAGE = {
    "class-0": changed(**{"class": 0}), "class-3": changed(**{"class": 3}),
    "big-endian": changed(data=2), "machine-arm": changed(machine=183),
    "type-relocatable": changed(type=1), "type-core": changed(type=4),
    "no-program-headers": changed(phnum=0), "phnum-65535": changed(phnum=0xffff),
    "phentsize-0": changed(phentsize=0), "phentsize-short": changed(phentsize=31),
    "phoff-beyond": changed(phoff=0x100000), "shoff-beyond": changed(shoff=0x7fffff00),
    "shnum-65535": changed(shnum=0xffff),
    "entry-below": changed(entry=0xffffff), "entry-beyond": changed(entry=0x1408000),
    "entry-0": changed(entry=0), "no-loads": drop_loads, "many-loads": many_loads,
    "filesz-above-memsz": segment(1, memsz=0x1000),
    "off-beyond": segment(1, off=0x100000), "filesz-beyond": segment(-1, filesz=0x7ffffff0,
                                                                     memsz=0x7ffffff0),
    "filesz-wraps": segment(-1, filesz=0xfffffff0, memsz=0xfffffff0),
    "loads-overlap": segment(1, paddr=0x1002000),
    "loads-same-place": segment(1, paddr=0x1000000),
    "first-load-elsewhere": segment(0, paddr=0xe00000),
    "memsz-above-window": segment(-1, memsz=0x3f000000),
    "load-far-away": segment(-1, paddr=0x60000000),
}
ELF_DAMAGE_64 = {
    "phoff-wraps": changed(phoff=0xffffffffffffffe0),
    "shoff-wraps": changed(shoff=0xffffffffffffff80),
    "off-wraps": segment(1, off=0xffffffffffffff00),
    "paddr-wraps": segment(-1, paddr=0xffffffffffffe000),
    "machine-i386": changed(machine=3),
}
# Of a file, not of a payload, it may be one that a loader takes for something else.
ELF_ODD = {"first-load-elsewhere": EITHER, "memsz-above-window": EITHER, "load-far-away": EITHER}


def elf():
    for is_64 in (True, False):
        damage = ELF_DAMAGE | (ELF_DAMAGE_64 if is_64 else {})
        bits = 64 if is_64 else 32
        for name, change in damage.items():
            def payload_of(change=change, is_64=is_64):
                elf = Elf(is_64)
                change(elf)
                return elf.payload()

            yield case(f"elf{bits}/{name}", REFUSE,
                       lambda f=payload_of, b=is_64: BzImage(Elf(b), payload=bzimage.pack(
                           f(), "gzip")).image())
            yield case(f"vmlinux{bits}/{name}", ELF_ODD.get(name, REFUSE), payload_of)
        yield case(f"elf{bits}/other-class", REFUSE,
                   lambda b=is_64: BzImage(Elf(b), payload=bzimage.pack(Elf(not b).payload(),
                                                                        "gzip")).image())
        base = Elf(is_64).elf()
        for at in (4, 5, 16, 40, 51, 52, 63, 64, 100, 0x11f, 0x1000, len(base) - 1):
            yield case(f"vmlinux{bits}/truncated-at-{at:#x}", REFUSE, lambda b=base, n=at: b[:n])


def relocations():
    def with_lists(change, is_64=True):
        elf = Elf(is_64)
        change(elf)
        return BzImage(elf).image()

    def put(i, at, value):
        def change(elf):
            elf.lists[i][at] = value % (1 << 32)
        return change

    def table(data):
        def change(elf):
            elf.table = data
        return change

    def swap(i):
        def change(elf):
            elf.lists[i][3:5] = reversed(elf.lists[i][3:5])
        return change

    def repeat(i):
        def change(elf):
            elf.lists[i][4] = elf.lists[i][3]
        return change

    base = 0x81000000
    for i, name in enumerate(("64", "inverse", "32")):
        yield case(f"relocations/{name}-unsorted", REFUSE, with_lists, swap(i))
        yield case(f"relocations/{name}-twice", REFUSE, with_lists, repeat(i))
        yield case(f"relocations/{name}-before-the-kernel", REFUSE, with_lists,
                   put(i, 0, base - 8))
        yield case(f"relocations/{name}-first-word-1", REFUSE, with_lists, put(i, 0, 1))
        yield case(f"relocations/{name}-behind-the-kernel", REFUSE, with_lists,
                   put(i, -1, base + 0x1000000))
        yield case(f"relocations/{name}-largest", REFUSE, with_lists, put(i, -1, 0xffffffff))
        yield case(f"relocations/{name}-empty", ACCEPT, with_lists,
                   lambda elf, i=i: elf.lists[i].clear())
    yield case("relocations/odd-length", REFUSE, with_lists, table(bytes(4) + b"\1\2\3"))
    yield case("relocations/no-zero-first", REFUSE, with_lists,
               table(struct.pack("<4I", base, 0, 0, 0)))
    yield case("relocations/one-list", REFUSE, with_lists, table(struct.pack("<2I", 0, base)))
    yield case("relocations/two-lists-and-data-at-0", REFUSE, with_lists, table(bytes(8)))
    yield case("relocations/four-lists", REFUSE, with_lists, table(bytes(16)))
    yield case("relocations/zeros", REFUSE, with_lists, table(bytes(4096)))
    yield case("relocations/none", EITHER, with_lists, table(b""))
    for name, change in {
            "unsorted": swap(0), "two-lists": table(struct.pack("<4I", 0, 0xc1000400, 0, 0xc1000500)),
            "before-the-kernel": put(0, 0, 0xbfffffff), "behind-the-kernel": put(0, -1, 0xc2000000),
    }.items():
        yield case(f"relocations/i386-{name}", REFUSE, with_lists, change, False)


# ----------------------------------------------------------------------- containers and multiboot


def patch(data, at, form, value):
    out = bytearray(data)
    struct.pack_into("<" + form, out, at, value)
    return bytes(out)


def ukis():
    base = bases.uki()
    coff = pe.HEADER + 4
    table = pe.HEADER + 24 + pe.OPTIONAL_LEN

    def section(i, at, value):
        return patch(base, table + i * pe.SECTION_LEN + at, "I", value)

    yield case("uki/no-linux", REFUSE, lambda: bases.uki(linux=None))
    yield case("uki/empty-linux", REFUSE, lambda: bases.uki(linux=b""))
    yield case("uki/linux-is-text", REFUSE, lambda: bases.uki(linux=b"#!/bin/sh\n" * 200))
    yield case("uki/linux-cut", REFUSE, lambda: bases.uki(linux=whole()[:-600]))
    yield case("uki/nested", REFUSE, lambda: bases.uki(linux=bases.uki()))
    yield case("uki/two-linux", EITHER, lambda: pe.image([(".linux", whole()), (".linux", whole())]))
    yield case("uki/no-cmdline", ACCEPT, lambda: bases.uki(cmdline=None))
    yield case("uki/cmdline-too-long", REFUSE, lambda: bases.uki(cmdline=b"x" * 5000))
    yield case("uki/cmdline-nul-inside", ACCEPT, lambda: bases.uki(cmdline=b"console=ttyS0\0\0\0"))
    yield case("uki/machine-arm64", REFUSE, patch, base, coff, "H", pe.ARM64)
    yield case("uki/no-sections", REFUSE, patch, base, coff + 2, "H", 0)
    yield case("uki/65535-sections", REFUSE, patch, base, coff + 2, "H", 0xffff)
    yield case("uki/optional-header-0", REFUSE, patch, base, coff + 16, "H", 0)
    yield case("uki/optional-header-beyond", REFUSE, patch, base, coff + 16, "H", 0xffff)
    yield case("uki/optional-magic", REFUSE, patch, base, coff + 20, "H", 0x10c)
    for at in (0, 1, 0x3f, len(base) - 4, len(base), 0x7fffffff, 0xffffffff):
        yield case(f"uki/header-at-{at:#x}", REFUSE, patch, base, 0x3c, "I", at)
    for i, name in ((0, "linux"), (2, "initrd")):
        yield case(f"uki/{name}-off-beyond", REFUSE, section, i, 20, len(base))
        yield case(f"uki/{name}-off-largest", REFUSE, section, i, 20, 0xffffffff)
        yield case(f"uki/{name}-both-lengths-beyond", REFUSE,
                   lambda i=i: patch(section(i, 8, 0x7fffffff),
                                     table + i * pe.SECTION_LEN + 16, "I", 0x7fffffff))
        yield case(f"uki/{name}-virtual-size-largest", ACCEPT, section, i, 8, 0xffffffff)
    for at in (0x3f, 0x44, coff + 20, table - 1, table + 39, len(base) // 2):
        yield case(f"uki/truncated-at-{at:#x}", REFUSE, lambda n=at: base[:n])


def compressed():
    base = whole()
    for pack, form in bzimage.FORMATS.items():
        if pack == "elf":
            continue
        packed = form.pack(base)
        yield case(f"compressed/{pack}", ACCEPT, lambda p=packed: p)
        yield case(f"compressed/{pack}-half", REFUSE, lambda p=packed: p[:len(p) // 2])
        yield case(f"compressed/{pack}-first-bytes", REFUSE, lambda p=packed: p[:12])
        at = len(packed) // 2
        yield case(f"compressed/{pack}-flip", REFUSE if form.has_checksum else EITHER,
                   lambda p=packed, at=at: p[:at] + bytes([p[at] ^ 0x10]) + p[at + 1:])
    yield case("compressed/text", REFUSE, lambda: gzip.compress(b"no kernel\n" * 99, mtime=0))
    yield case("compressed/nothing", REFUSE, lambda: gzip.compress(b"", mtime=0))

    def onion(n):
        data = base
        for _ in range(n):
            data = gzip.compress(data, mtime=0)
        return data

    yield case("compressed/4-times", ACCEPT, onion, 4)
    yield case("compressed/5-times", REFUSE, onion, 5)
    yield case("compressed/100-times", REFUSE, onion, 100)
    yield case("compressed/signature-behind", REFUSE,
               lambda: gzip.compress(base, mtime=0) + b"~Module signature appended~\n")


def multiboots():
    base = bases.multiboot
    yield case("multiboot/checksum", REFUSE, base, checksum=0)
    yield case("multiboot/unknown-flag", REFUSE, base, flags=0x10023)
    yield case("multiboot/load-above-header", REFUSE, base, load_addr=0x300000)
    yield case("multiboot/load-before-file", REFUSE, base, load_addr=0x1ff000)
    yield case("multiboot/load-0", REFUSE, base, load_addr=0)
    yield case("multiboot/end-beyond-file", REFUSE, base, load_end_addr=0x300000)
    yield case("multiboot/end-before-load", REFUSE, base, load_end_addr=0x1ff000)
    yield case("multiboot/end-largest", REFUSE, base, load_end_addr=0xffffffff)
    yield case("multiboot/bss-before-end", REFUSE, base, bss_end_addr=0x201000)
    yield case("multiboot/bss-largest", REFUSE, base, bss_end_addr=0xffffffff)
    yield case("multiboot/entry-outside", REFUSE, base, entry_addr=0x100000)
    yield case("multiboot/entry-0", REFUSE, base, entry_addr=0)
    yield case("multiboot/below-1M", EITHER, base, load=0x8000)
    yield case("multiboot/in-video-memory", REFUSE, base, load=0xa0000)
    yield case("multiboot/over-real-mode-vectors", REFUSE, base, load=0x100, header_addr=0x200)
    yield case("multiboot/header-cut", REFUSE, lambda: base()[:0x110])
    yield case("multiboot/no-elf", REFUSE, base, flags=0x3)
    yield from multiboot2s()


def multiboot2s():
    base, tag = bases.multiboot2, bases.tag2
    address = tag(2, struct.pack("<4I", 0x200100, 0x200000, 0x202000, 0x204000))
    entry, end = tag(3, struct.pack("<I", 0x200200)), tag(0)
    wrong = {
        "no-end-tag": address + entry, "unknown-tag": tag(77) + address + entry + end,
        "no-entry": address + end, "entry-short": address + tag(3) + end,
        "address-short": tag(2, bytes(8)) + entry + end,
        "tag-length-0": address + entry + tag(6, length=0) + end,
        "tag-length-7": address + entry + tag(6, length=7) + end,
        "tag-length-largest": address + entry + tag(6, length=0xffffffff) + end,
        "request-unknown": tag(1, struct.pack("<I", 99)) + address + entry + end,
        "relocatable-alignment-3": address + entry + tag(10, struct.pack("<4I", 0, 1 << 31, 3, 0)) + end,
        "relocatable-empty": address + entry + tag(10, struct.pack("<4I", 1 << 31, 0, 4096, 0)) + end,
        "boot-services": address + entry + tag(7) + end,
        "100-tags": tag(6) * 100 + address + entry + end,
    }
    for name, tags in wrong.items():
        yield case(f"multiboot2/{name}", REFUSE, base, tags=tags)
    yield case("multiboot2/optional-unknown", ACCEPT, base,
               tags=tag(77, flags=1) + address + entry + end)
    yield case("multiboot2/checksum", REFUSE, base, checksum=1)
    for length in (0, 15, 16, 0x7fffffff, 0xffffffff):
        yield case(f"multiboot2/length={length:#x}", REFUSE, base, length=length)


# ------------------------------------------------------------------------------- no image at all


def strangers():
    yield case("stranger/empty", REFUSE, lambda: b"")
    yield case("stranger/one-byte", REFUSE, lambda: b"\0")
    yield case("stranger/zeros", REFUSE, lambda: bytes(65536))
    yield case("stranger/ones", REFUSE, lambda: b"\xff" * 65536)
    yield case("stranger/pattern", REFUSE, bases.pattern, 65536, 10)
    yield case("stranger/script", REFUSE, lambda: b"#!/bin/sh\nexit 0\n")
    yield case("stranger/only-MZ", REFUSE, lambda: b"MZ" + bytes(4096))
    yield case("stranger/boot-sector", REFUSE, lambda: bytes(510) + b"\x55\xaa" + bytes(512))
    yield case("stranger/cpio", REFUSE, bases.cpio)


def all_cases():
    groups = (valid, header, info, truncated, payload, bombs, elf, relocations, ukis, compressed,
              multiboots, strangers)
    found = {}
    for group in groups:
        for one in group():
            if one.name in found:
                raise ValueError(f"two cases are called {one.name}")
            found[one.name] = one
    return list(found.values())


def group_of(name):
    return name.partition("/")[0]
