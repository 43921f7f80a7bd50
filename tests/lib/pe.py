# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes PE files with sections, as unified kernel images and their addons are."""

X86_64, I386, ARM64 = 0x8664, 0x14c, 0xaa64

HEADER, OPTIONAL_LEN, SECTION_LEN, FILE_ALIGN, PAGE = 0x40, 240, 40, 512, 4096


def image(sections, machine=X86_64, shift=0):
    """A PE32+ EFI application of (name, bytes) pairs, or of a dictionary. shift: every section lies
    so many bytes later than where it is aligned."""
    sections = list(sections.items() if isinstance(sections, dict) else sections)
    table = bytearray()
    body = bytearray()
    start = HEADER + 24 + OPTIONAL_LEN + SECTION_LEN * len(sections)
    start += -start % FILE_ALIGN
    address = PAGE
    for name, data in sections:
        body += bytes(-len(body) % FILE_ALIGN + shift)
        padded = len(data) + -len(data) % FILE_ALIGN
        numbers = (len(data), address, padded, start + len(body), 0, 0, 0, 0x40000040)
        table += name.encode().ljust(8, b"\0") + b"".join(n.to_bytes(4, "little") for n in numbers)
        body += data
        address += padded + -padded % PAGE + PAGE
    body += bytes(-len(body) % FILE_ALIGN)
    optional = bytearray(OPTIONAL_LEN)
    for offset, length, value in ((0, 2, 0x20b), (32, 4, PAGE), (36, 4, FILE_ALIGN),
                                  (56, 4, address), (60, 4, start), (68, 2, 10), (108, 4, 16)):
        optional[offset:offset + length] = value.to_bytes(length, "little")
    out = bytearray(b"MZ".ljust(0x3c, b"\0") + HEADER.to_bytes(4, "little") + b"PE\0\0")
    for value, length in ((machine, 2), (len(sections), 2), (0, 4), (0, 4), (0, 4),
                          (OPTIONAL_LEN, 2), (0x22, 2)):
        out += value.to_bytes(length, "little")
    out += optional + table
    return bytes(out + bytes(start - len(out)) + body)


def sign(data, length=1024):
    """Claims to be signed: so many bytes at the end are certificates."""
    out = bytearray(data)
    where = HEADER + 24 + 112 + 4 * 8
    out[where:where + 8] = len(data).to_bytes(4, "little") + length.to_bytes(4, "little")
    return bytes(out + bytes(length))
