# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole images that no kernel build made: small, every number known, valid in every field.

What is in them is never executed; a loader that reads an image only has to believe it. The kernels'
code and data are a fixed pattern, so that these files are the same bytes wherever they are built.

Sources: Documentation/arch/x86/boot.rst; System V ABI, chapters 4 and 5; arch/x86/tools/relocs.c
for the table behind the ELF file; the multiboot specifications.
"""

import pathlib
import struct
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import bzimage  # noqa: E402
import pe  # noqa: E402

MIB = 1 << 20
BANNER = b"Linux version 6.1.0-corpus (corpus@example) #1 SMP\n\0"
PT_LOAD, PT_NOTE = 1, 4


def pattern(length, seed=1):
    """Bytes that neither compress to nothing nor look like anything."""
    out, state = bytearray(), seed
    while len(out) < length:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        out += struct.pack("<Q", state)[2:6] + b"\x90\x90\x00\x00"
    return bytes(out[:length])


# ------------------------------------------------------------------------------------ ELF kernels


class Elf:
    """A kernel as an ELF file. headers: a dict a program header; every field may be changed before
    the file is put together."""

    def __init__(self, is_64):
        self.is_64 = is_64
        self.base = 0xffffffff81000000 if is_64 else 0xc1000000
        text, data, tail = pattern(0x3000, 1), pattern(0x2000, 2), pattern(0x1800, 3)
        text = text[:0x100] + BANNER + text[0x100 + len(BANNER):]
        self.header = {"magic": b"\x7fELF", "class": 2 if is_64 else 1, "data": 1, "version": 1,
                       "type": 2, "machine": 62 if is_64 else 3,
                       "entry": 0x1000000, "phoff": 64 if is_64 else 52,
                       "phentsize": 56 if is_64 else 32, "shentsize": 64 if is_64 else 40}
        self.segments = [self.segment(0x1000, text, 0, len(text), 5),
                         self.segment(0x4000, data, 0x200000, 0x3000, 6),
                         self.segment(0x6000, tail, 0x400000, 0x8000, 7)]
        if is_64:  # per-CPU data, linked at 0
            percpu = self.segment(0x8000, pattern(0x800, 4), 0x203000, 0x1000, 6)
            self.segments.insert(2, percpu | {"vaddr": 0})
        self.bss = (self.base + 0x400000 + len(tail), 0x8000 - len(tail))
        self.changes = {}    # of the ELF header, last
        self.lists = self.relocations()
        self.table = None    # bytes instead of the lists

    def segment(self, off, data, where, memsz, flags):
        return {"at": off, "type": PT_LOAD, "flags": flags, "off": off, "vaddr": self.base + where,
                "paddr": 0x1000000 + where, "filesz": len(data), "memsz": memsz, "align": 0x1000,
                "bytes": data}  # at: where they are, whatever off says

    def relocations(self):
        low = self.base & 0xffffffff
        if not self.is_64:
            return [[low + 0x400 + 8 * i for i in range(40)]]
        return [[low + 0x200000 + 16 * i for i in range(30)],
                [low + 0x800 + 12 * i for i in range(10)],
                [low + 0x1000 + 8 * i for i in range(50)]]

    def program_header(self, s):
        if self.is_64:
            return struct.pack("<IIQQQQQQ", s["type"], s["flags"], s["off"], s["vaddr"] % (1 << 64),
                               s["paddr"], s["filesz"], s["memsz"], s["align"])
        return struct.pack("<IIIIIIII", s["type"], s["off"], s["vaddr"] % (1 << 32), s["paddr"],
                           s["filesz"], s["memsz"], s["flags"], s["align"])

    def sections(self, names_at, names):
        form = "<IIQQQQIIQQ" if self.is_64 else "<IIIIIIIIII"
        rows = [(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
                (1, 1, 6, self.base, 0x1000, 0x3000, 0, 0, 16, 0),
                (7, 8, 3, self.bss[0], 0, self.bss[1], 0, 0, 16, 0),
                (12, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)]
        return b"".join(struct.pack(form, *row) for row in rows)

    def elf(self):
        h = self.header
        end = max(s["at"] + len(s["bytes"]) for s in self.segments)
        body = bytearray(end)
        for s in self.segments:
            body[s["at"]:s["at"] + len(s["bytes"])] = s["bytes"]
        headers = b"".join(self.program_header(s) for s in self.segments)
        names = b"\0.text\0.bss\0.shstrtab\0"
        names_at = len(body)
        body += names + bytes(-len(names) % 16)
        h = {**h, "phnum": len(self.segments), "shoff": len(body), "shnum": 4, "shstrndx": 3,
             **self.changes}
        body += self.sections(names_at, names)
        body[h["phoff"]:h["phoff"] + len(headers)] = headers
        ident = h["magic"] + bytes((h["class"], h["data"], h["version"], 0)) + bytes(8)
        form = "<HHIQQQIHHHHHH" if self.is_64 else "<HHIIIIIHHHHHH"
        head = ident + struct.pack(form, h["type"], h["machine"], 1, h["entry"], h["phoff"],
                                   h["shoff"], 0, len(ident) + struct.calcsize(form),
                                   h["phentsize"], h["phnum"], h["shentsize"], h["shnum"],
                                   h["shstrndx"])
        body[:len(head)] = head
        return bytes(body)

    def payload(self):
        """The ELF file and its relocation table, as a kernel's build packs it."""
        if self.table is not None:
            return self.elf() + self.table
        return self.elf() + b"".join(struct.pack(f"<{1 + len(words)}I", 0, *words)
                                     for words in self.lists)


# --------------------------------------------------------------------------------------- bzImages


FIELDS = {  # of the setup header: offset, struct format, value of the base image
    "setup_sects": (0x1f1, "B", 3), "root_flags": (0x1f2, "H", 1), "syssize": (0x1f4, "I", 0),
    "vid_mode": (0x1fa, "H", 0xffff), "boot_flag": (0x1fe, "H", 0xaa55),
    "jump": (0x200, "B", 0xeb), "jump_distance": (0x201, "B", 0x6a),
    "header": (0x202, "I", 0x53726448), "version": (0x206, "H", 0x20f),
    "kernel_version": (0x20e, "H", 0x200), "type_of_loader": (0x210, "B", 0),
    "loadflags": (0x211, "B", 1), "code32_start": (0x214, "I", 0x100000),
    "ramdisk_image": (0x218, "I", 0), "ramdisk_size": (0x21c, "I", 0),
    "heap_end_ptr": (0x224, "H", 0x5600), "cmd_line_ptr": (0x228, "I", 0),
    "initrd_addr_max": (0x22c, "I", 0x7fffffff), "kernel_alignment": (0x230, "I", 0x200000),
    "relocatable_kernel": (0x234, "B", 1), "min_alignment": (0x235, "B", 21),
    "xloadflags": (0x236, "H", 0x7f), "cmdline_size": (0x238, "I", 2047),
    "hardware_subarch": (0x23c, "I", 0), "hardware_subarch_data": (0x240, "Q", 0),
    "payload_offset": (0x248, "I", 0x800), "payload_length": (0x24c, "I", 0),
    "setup_data": (0x250, "Q", 0), "pref_address": (0x258, "Q", 0x1000000),
    "init_size": (0x260, "I", 0x1000000), "handover_offset": (0x264, "I", 0x190),
    "kernel_info_offset": (0x268, "I", 0),
}
STUB_LEN = 0x800


class BzImage:
    """fields: of the setup header, by name; what is None there is worked out. Everything may be
    changed before bytes() puts the image together."""

    def __init__(self, elf=None, pack="gzip", payload=None):
        elf = elf or Elf(True)
        self.payload = bzimage.pack(elf.payload(), pack) if payload is None else payload
        self.fields = {name: value for name, (_, _, value) in FIELDS.items()}
        self.fields |= dict.fromkeys(("syssize", "payload_length", "kernel_info_offset"))
        if not elf.is_64:
            self.fields |= {"xloadflags": 0, "initrd_addr_max": 0x37ffffff}
        self.kernel_info = struct.pack("<4sIII", b"LToP", 16, 16, 0x8000000c)
        self.behind = b""

    @property
    def setup_len(self):
        return ((self.fields["setup_sects"] or 4) + 1) * 512

    def kernel(self):
        body = pattern(STUB_LEN, 5) + self.payload
        body += bytes(-len(body) % 16)
        info_at = len(body)
        body += self.kernel_info + pattern(0x200 - len(self.kernel_info), 6)
        return body, info_at

    def image(self):
        kernel, info_at = self.kernel()
        worked_out = {"syssize": len(kernel) // 16, "payload_length": len(self.payload),
                      "kernel_info_offset": info_at}
        setup = bytearray(2048)
        setup[0x400:0x400 + 24] = b"6.1.0-corpus (corpus) #1"
        for name, (at, form, _) in FIELDS.items():
            value = self.fields[name]
            struct.pack_into("<" + form, setup, at, worked_out[name] if value is None else value)
        return bytes(setup) + kernel + self.behind


def with_fields(image, **fields):
    """The finished image with other values in its header."""
    data = bytearray(image)
    for name, value in fields.items():
        at, form, _ = FIELDS[name]
        struct.pack_into("<" + form, data, at, value)
    return bytes(data)


def field(image, name):
    at, form, _ = FIELDS[name]
    return struct.unpack_from("<" + form, image, at)[0]


# ---------------------------------------------------------------------------------- other formats


def uki(**sections):
    """A unified kernel image. sections: in this order, by name without the dot."""
    parts = {"linux": BzImage().image(), "cmdline": b"console=ttyS0 corpus",
             "initrd": cpio(), "osrel": b'NAME="Corpus"\n', "uname": b"6.1.0-corpus", **sections}
    return pe.image([("." + name, data) for name, data in parts.items() if data is not None])


def cpio():
    name = b"TRAILER!!!\0"
    head = b"070701" + b"".join(b"%08x" % n for n in (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(name), 0))
    data = head + name
    return data + bytes(-len(data) % 512)


MULTIBOOT_MAGIC, MULTIBOOT2_MAGIC = 0x1badb002, 0xe85250d6


def multiboot(flags=0x10003, load=0x200000, length=0x2000, checksum=None, **changes):
    """A multiboot image with addresses in its header, which is at 0x100."""
    numbers = {"header_addr": load + 0x100, "load_addr": load, "load_end_addr": load + length,
               "bss_end_addr": load + 2 * length, "entry_addr": load + 0x200, **changes}
    if checksum is None:
        checksum = -(MULTIBOOT_MAGIC + flags) % (1 << 32)
    head = struct.pack("<8I", MULTIBOOT_MAGIC, flags, checksum, *numbers.values())
    data = bytearray(pattern(length, 7))
    data[0x100:0x100 + len(head)] = head
    return bytes(data)


def multiboot2(tags=None, length=None, checksum=None, load=0x200000, size=0x2000):
    """tags: bytes; a header of our own at 0x100."""
    if tags is None:
        tags = (tag2(2, struct.pack("<4I", load + 0x100, load, load + size, load + 2 * size)) +
                tag2(3, struct.pack("<I", load + 0x200)) + tag2(0))
    length = 16 + len(tags) if length is None else length
    if checksum is None:
        checksum = -(MULTIBOOT2_MAGIC + length) % (1 << 32)
    head = struct.pack("<4I", MULTIBOOT2_MAGIC, 0, length, checksum) + tags
    data = bytearray(pattern(size, 8))
    data[0x100:0x100 + len(head)] = head
    return bytes(data)


def tag2(kind, body=b"", flags=0, length=None):
    length = 8 + len(body) if length is None else length
    data = struct.pack("<HHI", kind, flags, length) + body
    return data + bytes(-len(data) % 8)
