# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel images: real ones, and what becomes of them when one thing is changed."""

import functools
import hashlib
import os
import pathlib

import bzimage

SETUP_SECTS = 0x1f1
SYSSIZE = 0x1f4
BOOT_FLAG = 0x1fe
JUMP = 0x200
MAGIC = 0x202
VERSION = 0x206
KERNEL_VERSION = 0x20e
LOADFLAGS = 0x211
CODE32_START = 0x214
INITRD_ADDR_MAX = 0x22c
KERNEL_ALIGNMENT = 0x230
RELOCATABLE_KERNEL = 0x234
MIN_ALIGNMENT = 0x235
XLOADFLAGS = 0x236
CMDLINE_SIZE = 0x238
PAYLOAD_OFFSET = 0x248
PAYLOAD_LENGTH = 0x24c
SETUP_DATA = 0x250
PREF_ADDRESS = 0x258
INIT_SIZE = 0x260
KERNEL_INFO_OFFSET = 0x268

LENGTHS = {
    SETUP_SECTS: 1, SYSSIZE: 4, BOOT_FLAG: 2, JUMP: 1, JUMP + 1: 1, MAGIC: 4, VERSION: 2,
    KERNEL_VERSION: 2, LOADFLAGS: 1, CODE32_START: 4, INITRD_ADDR_MAX: 4, KERNEL_ALIGNMENT: 4,
    RELOCATABLE_KERNEL: 1, MIN_ALIGNMENT: 1, XLOADFLAGS: 2, CMDLINE_SIZE: 4, PAYLOAD_OFFSET: 4,
    PAYLOAD_LENGTH: 4, SETUP_DATA: 8, PREF_ADDRESS: 8, INIT_SIZE: 4, KERNEL_INFO_OFFSET: 4,
}


class Image(bytes):
    """The bytes of an image and its header's fields, by offset: image[INIT_SIZE] is bytes' own."""

    def at(self, field):
        return int.from_bytes(self[field:field + LENGTHS[field]], "little")

    def with_fields(self, fields):
        data = bytearray(self)
        for field, value in fields.items():
            data[field:field + LENGTHS[field]] = value.to_bytes(LENGTHS[field], "little")
        return Image(data)

    def patched(self, offset, new):
        return Image(self[:offset] + new + self[offset + len(new):])

    @property
    def setup_len(self):
        return ((self.at(SETUP_SECTS) or 4) + 1) * 512

    @property
    def kernel(self):
        """The protected mode part, as the header gives its length."""
        return self[self.setup_len:self.setup_len + 16 * self.at(SYSSIZE)]

    @property
    def kernel_digest(self):
        return hashlib.sha256(self.kernel).hexdigest()

    @property
    def payload_end(self):
        return self.setup_len + self.at(PAYLOAD_OFFSET) + self.at(PAYLOAD_LENGTH)

    @property
    def payload(self):
        return self[self.setup_len + self.at(PAYLOAD_OFFSET):self.payload_end]

    @property
    def is_64(self):
        return self.at(VERSION) >= 0x20c and self.at(XLOADFLAGS) & 1 == 1

    @property
    def version_off(self):
        return self.at(KERNEL_VERSION) + 0x200


def cache():
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return pathlib.Path(os.environ.get("KEXEC_NG_CACHE") or home / "kexec-ng")


NAMES = ("6.1-amd64", "6.1-cloud", "6.12-amd64", "7-amd64", "6.1-686-pae")


def path(name):
    """Where tests/vm/fetch has put it."""
    where = cache() / "kernels" / name / "vmlinuz"
    if not where.exists():
        raise FileNotFoundError(f"{where}: run tests/vm/fetch first")
    return where


@functools.lru_cache(maxsize=2)
def real(name="6.1-amd64"):
    """As the distribution ships it, with its signature behind the kernel."""
    return Image(path(name).read_bytes())


@functools.lru_cache(maxsize=2)
def bare(name="6.1-amd64"):
    """Without what follows the kernel."""
    image = real(name)
    return Image(image[:image.setup_len + 16 * image.at(SYSSIZE)])


@functools.lru_cache(maxsize=1)
def unpacked(name):
    """What is in it, by a reading of its own: an ELF file and its relocations."""
    return bzimage.Vmlinux(bzimage.unpack(real(name).payload))


class Shape:
    """What a payload needs when it is entered directly."""

    def __init__(self, vmlinux):
        self.is_64 = vmlinux.is_64
        self.link_paddr = vmlinux.link_paddr
        self.window_len = vmlinux.window_len
        self.entry_off = vmlinux.entry_off


@functools.lru_cache(maxsize=16)
def shape(payload):
    return Shape(bzimage.Vmlinux(bzimage.unpack(payload)))


@functools.lru_cache(maxsize=1)
def small():
    """The header of a real one and 64 KiB of its kernel: quick, for runs by the hundred."""
    image = real()
    return Image(image[:image.setup_len + (64 << 10)]).with_fields(
        {SYSSIZE: (64 << 10) // 16, PAYLOAD_OFFSET: 0, PAYLOAD_LENGTH: 0, KERNEL_INFO_OFFSET: 0})
