# SPDX-License-Identifier: GPL-2.0-or-later
"""bzImages taken apart and put together again: a model of what their stub does, independent of
kexec's own code, and a writer that packs a real kernel's payload another way.

Sources: Documentation/arch/x86/boot.rst; arch/x86/boot/compressed/{mkpiggy,misc,kaslr}.c;
arch/x86/tools/relocs.c; System V ABI, chapters 4 and 5.
"""

import array
import bz2
import dataclasses
import functools
import gzip
import lzma
import pathlib
import struct
import subprocess

KERNEL_MAP = 0xffffffff80000000   # __START_KERNEL_map
PAGE_OFFSET_32 = 0xc0000000       # of Debian's 32-bit kernels
XLF_KERNEL_64, XLF_5LEVEL_ENABLED = 1 << 0, 1 << 6
PT_LOAD = 1
PT_NOTE = 4
SHT_NOBITS = 8
LIMIT = 300                       # seconds for a packer

# Fields of the setup header: offset, struct format.
SETUP_SECTS = (0x1f1, "B")
SYSSIZE = (0x1f4, "I")
KERNEL_ALIGNMENT = (0x230, "I")
RELOCATABLE_KERNEL = (0x234, "B")
XLOADFLAGS = (0x236, "H")
PAYLOAD_OFFSET = (0x248, "I")
PAYLOAD_LENGTH = (0x24c, "I")
PREF_ADDRESS = (0x258, "Q")
INIT_SIZE = (0x260, "I")
KERNEL_INFO_OFFSET = (0x268, "I")


def _filter(*command, data):
    return subprocess.run(command, input=data, capture_output=True, check=True,
                          timeout=LIMIT).stdout


# ---------------------------------------------------------------------------------- the formats


XZ_FILTERS = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 0}]
LZMA_FILTERS = [{"id": lzma.FILTER_LZMA1, "preset": 0, "dict_size": 1 << 23}]


@dataclasses.dataclass(frozen=True)
class Format:
    magic: bytes
    pack: object          # the cheapest way there is: nobody keeps the result
    has_checksum: bool
    has_trailer: bool = True      # the unpacked length, which the kernel's build appends
    has_own_length: bool = False  # the format itself ends with it


FORMATS = {
    "gzip": Format(b"\x1f\x8b", lambda data: gzip.compress(data, 1, mtime=0), True,
                   has_trailer=False, has_own_length=True),
    "bzip2": Format(b"BZh", lambda data: bz2.compress(data, 1), True),
    "lzma": Format(b"\x5d\0\0", lambda data: lzma.compress(
        data, format=lzma.FORMAT_ALONE, filters=LZMA_FILTERS), False),
    "xz": Format(b"\xfd7zXZ\0", lambda data: lzma.compress(
        data, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=XZ_FILTERS), True),
    "lzo": Format(b"\x89LZO", lambda data: _filter("lzop", "-1", "-c", data=data), True),
    "lz4": Format(b"\x02\x21\x4c\x18", lambda data: _filter("lz4", "-l", "-1", "-c", data=data),
                  False),
    "zstd": Format(b"\x28\xb5\x2f\xfd", lambda data: _filter("zstd", "-1", "-c", data=data), True),
    "elf": Format(b"\x7fELF", lambda data: data, False, has_trailer=False),
}


def format_of(payload):
    for name, known in FORMATS.items():
        if payload.startswith(known.magic):
            return name
    raise ValueError(f"no known format: {payload[:6].hex()}")


def pack(data, name):
    """data as the payload of a bzImage."""
    known = FORMATS[name]
    packed = known.pack(data)
    assert packed.startswith(known.magic)
    return packed + struct.pack("<I", len(data)) if known.has_trailer else packed


def unpack(payload):
    name = format_of(payload)
    if name == "elf":
        return payload
    packed, trailer = payload[:-4], struct.unpack("<I", payload[-4:])[0]
    if name == "xz":
        data = lzma.decompress(packed, format=lzma.FORMAT_XZ)
    elif name == "lz4":
        data = _filter("lz4", "-dc", data=packed)
    elif name == "zstd":
        data = _filter("zstd", "-dc", "--long=31", data=packed)
    elif name == "gzip":
        data = gzip.decompress(payload)
    elif name == "bzip2":
        data = bz2.decompress(packed)
    elif name == "lzma":
        data = lzma.decompress(packed, format=lzma.FORMAT_ALONE)
    else:
        data = _filter("lzop", "-dc", data=packed)
    if len(data) != trailer:
        raise ValueError(f"unpacks to {len(data)} bytes, not to {trailer}")
    return data


# ------------------------------------------------------------------------------------ the image


class Image:
    def __init__(self, data):
        self.data = bytes(data)

    @classmethod
    def read(cls, path):
        return cls(pathlib.Path(path).read_bytes())

    def __getitem__(self, field):
        offset, kind = field
        return struct.unpack_from("<" + kind, self.data, offset)[0]

    def with_fields(self, fields):
        data = bytearray(self.data)
        for (offset, kind), value in fields.items():
            struct.pack_into("<" + kind, data, offset, value)
        return Image(data)

    @property
    def is_64(self):
        return bool(self[XLOADFLAGS] & XLF_KERNEL_64)

    @property
    def knows_5_level(self):
        return bool(self[XLOADFLAGS] & XLF_5LEVEL_ENABLED)

    @property
    def link_text(self):
        """Virtual address of its first byte, not moved."""
        return self[PREF_ADDRESS] + (KERNEL_MAP if self.is_64 else PAGE_OFFSET_32)

    @property
    def setup_len(self):
        return ((self[SETUP_SECTS] or 4) + 1) * 512

    @property
    def payload_at(self):
        return self.setup_len + self[PAYLOAD_OFFSET]

    @property
    def payload(self):
        return self.data[self.payload_at:self.payload_at + self[PAYLOAD_LENGTH]]

    @functools.cached_property
    def vmlinux(self):
        return Vmlinux(unpack(self.payload))

    def with_payload(self, payload):
        """The same image around another payload. Its own stub could not unpack that."""
        old_end = self.payload_at + self[PAYLOAD_LENGTH]
        tail = self.data[old_end:self.setup_len + 16 * self[SYSSIZE]]
        # What follows moves by whole paragraphs, as its own alignment may matter.
        room = len(payload) + (self[PAYLOAD_LENGTH] - len(payload)) % 16
        data = self.data[:self.payload_at] + payload + bytes(room - len(payload)) + tail
        data += bytes((self.setup_len - len(data)) % 16)
        kernel_len = len(data) - self.setup_len
        fields = {PAYLOAD_LENGTH: len(payload), SYSSIZE: kernel_len // 16,
                  INIT_SIZE: max(self[INIT_SIZE], -(-kernel_len // 4096) * 4096)}
        info = self[KERNEL_INFO_OFFSET]
        if info >= self[PAYLOAD_OFFSET] + self[PAYLOAD_LENGTH]:
            fields[KERNEL_INFO_OFFSET] = info + room - self[PAYLOAD_LENGTH]
        return Image(data).with_fields(fields)

    def repacked(self, name):
        return self.with_payload(pack(self.vmlinux.data, name))


# -------------------------------------------------------------------------------- what is in it


@dataclasses.dataclass(frozen=True)
class Load:
    file_off: int
    off: int         # in memory, from the start of the kernel
    file_len: int
    mem_len: int
    vaddr: int


class Vmlinux:
    """The payload unpacked: an ELF file, and behind it the table of what is to relocate."""

    def __init__(self, data):
        self.data = data
        self.is_64 = data[4] == 2
        self._read_header()
        loads = [self._load(i) for i in range(self._phnum)]
        loads = sorted((paddr, rest) for kind, paddr, rest in loads if kind == PT_LOAD)
        self.link_paddr = loads[0][0]
        self.loads = [Load(file_off, paddr - self.link_paddr, file_len, mem_len, vaddr)
                      for paddr, (file_off, file_len, mem_len, vaddr) in loads]
        self.link_vaddr = self.loads[0].vaddr
        self.entry_off = self._entry - self.link_paddr
        self.window_len = max(load.off + load.mem_len for load in self.loads)

    def _read_header(self):
        if self.is_64:
            (self._entry, self._phoff, shoff, _, _, self._phentsize, self._phnum, shentsize,
             shnum, _) = struct.unpack_from("<QQQIHHHHHH", self.data, 24)
        else:
            (self._entry, self._phoff, shoff, _, _, self._phentsize, self._phnum, shentsize,
             shnum, _) = struct.unpack_from("<IIIIHHHHHH", self.data, 24)
        self.elf_len = shoff + shnum * shentsize
        self._shoff, self._shentsize, self._shnum = shoff, shentsize, shnum

    def _load(self, i):
        at = self._phoff + i * self._phentsize
        if self.is_64:
            kind, _, off, vaddr, paddr, file_len, mem_len, _ = struct.unpack_from(
                "<IIQQQQQQ", self.data, at)
        else:
            kind, off, vaddr, paddr, file_len, mem_len, _, _ = struct.unpack_from(
                "<IIIIIIII", self.data, at)
        return kind, paddr, (off, file_len, mem_len, vaddr)

    def lists(self):
        """The table's three lists of offsets from the kernel's start: 64 bits, inverse 32, 32."""
        words = array.array("I", self.data[self.elf_len:])
        if not words:
            return [], [], []
        if words[0] != 0:
            raise ValueError("the table does not begin with 0")
        lists, current = [], None
        for word in words:
            if word == 0:
                current = []
                lists.append(current)
            else:
                current.append((word - self.link_vaddr) % (1 << 32))
        if not self.is_64:
            (r32,) = lists
            return [], [], r32
        if len(lists) == 2:
            return lists[0], [], lists[1]
        r64, inverse, r32 = lists
        return r64, inverse, r32

    def xen_notes(self):
        """{type: contents} of the notes whose owner is Xen."""
        found = {}
        for i in range(self._phnum):
            kind, _, (at, length, _, _) = self._load(i)
            end = at + length
            while kind == PT_NOTE and at < end:
                owner_len, desc_len, number = struct.unpack_from("<3I", self.data, at)
                owner, at = at + 12, at + 12 + -(-owner_len // 4) * 4
                if self.data[owner:owner + owner_len] == b"Xen\0":
                    found[number] = self.data[at:at + desc_len]
                at += -(-desc_len // 4) * 4
        return found

    def image(self, delta=0):
        """Its memory from the kernel's start on when it is entered: bytes of all PT_LOADs, with
        virtual addresses moved by delta. What is between and behind them is zero here."""
        image = bytearray(max(load.off + load.file_len for load in self.loads))
        for load in self.loads:
            image[load.off:load.off + load.file_len] = \
                self.data[load.file_off:load.file_off + load.file_len]
        if delta:
            self._move(image, delta)
        return bytes(image)

    def _move(self, image, delta):
        r64, inverse, r32 = self.lists()
        # In this order, as the stub does it: a place may be in two of them.
        for places, kind, add in ((r32, "<I", delta), (inverse, "<I", -delta), (r64, "<Q", delta)):
            code = struct.Struct(kind)
            mask = (1 << 8 * code.size) - 1
            for off in places:
                value = code.unpack_from(image, off)[0]
                code.pack_into(image, off, (value + add) & mask)

    def gaps(self):
        """Offset and length of what no PT_LOAD has bytes for, between the first and the last."""
        found, at = [], 0
        for load in self.loads:
            if load.off > at:
                found.append((at, load.off - at))
            at = load.off + load.file_len
        return found
