# SPDX-License-Identifier: GPL-2.0-or-later
"""A plan as --json shows it, and all that must be true of every plan."""

import hashlib
import json
import struct

import bzimage
import images
import schema
from kexec_run import run

PAGE = 4096
GIB = 1 << 30
MIB = 1 << 20
LOWMEM_END = 0x38000000  # of an i386 kernel: 896 MiB
KERNEL_MAP_LEN = GIB     # virtual space of an x86-64 kernel
KASLR_END_32 = 512 * MIB  # an i386 kernel that was moved ends below


def parse(out):
    """Strict JSON: one value, a newline, no NaN, no key twice, no raw control character."""
    def no_doubles(pairs):
        assert len(dict(pairs)) == len(pairs), pairs
        return dict(pairs)

    def no_constant(text):
        raise AssertionError(text)

    assert out.endswith(b"}\n")
    assert not set(out) & (set(range(32)) - {10}), "control characters"
    return schema.check(json.loads(out.decode("utf-8"), object_pairs_hook=no_doubles,
                                   parse_constant=no_constant))


class Plan(dict):
    def __init__(self, out):
        super().__init__(parse(out))
        assert self["format"] == 1

    @property
    def names(self):
        return [s["name"] for s in self["segments"]]

    @property
    def notes(self):
        return [note["id"] for note in self["notes"]]

    def segment(self, name):
        """With its address as a number."""
        found, = [s for s in self["segments"] if s["name"] == name]
        return found | {"addr": int(found["addr"], 16)}

    @property
    def is_direct(self):
        return self["entry_name"] == "direct"

    @property
    def is_pvh(self):
        return self["entry_name"] == "pvh"

    @property
    def is_real_mode(self):
        return self["jump"]["mode"] == "16"

    @property
    def delta(self):
        return int(self["kaslr"]["vaddr_delta"], 16)

    @property
    def windows(self):
        """(start, end, name), ascending."""
        return sorted((s["addr"], s["addr"] + s["reserve_len"], s["name"])
                      for s in map(self.segment, self.names))

    def check(self, image, machine=None, mem_min=0, mem_max=(1 << 64) - 1):
        """The rules of the kernel that loads, of the one that is loaded, and of the options."""
        assert len(set(self.names)) == len(self.names)
        for name in self.names:
            s = self.segment(name)
            assert 0 < s["len"] <= s["mem_len"] <= s["reserve_len"], s
            assert s["mem_len"] % PAGE == s["reserve_len"] % PAGE == s["addr"] % PAGE == 0, s
            assert s["mem_len"] - s["len"] < PAGE or self.is_pvh, s  # .bss is zeroed there
            assert s["align"] & (s["align"] - 1) == 0 and s["addr"] % s["align"] == 0, s
            assert len(bytes.fromhex(s["sha256"])) == 32
            assert s["verified"] == (self["checks"] and name != "purgatory"), s
        assert self["checks"] == (self["digest"] != "none")
        assert self["digest"] in ("crc32c", "sha256", "none")
        for (_, end, name), (start, _, other) in zip(self.windows, self.windows[1:]):
            assert end <= start, f"{name} and {other}"
        self.check_places(machine, mem_min, mem_max)
        self.check_kernel(image)
        if self.is_direct:
            self.check_direct(image, images.shape(image.payload), machine)
        elif self.is_pvh:
            self.check_pvh(image)
        else:
            self.check_by_stub(image)
        self.check_entries(image)

    def check_places(self, machine, mem_min, mem_max):
        for start, end, name in self.windows:
            assert start >= mem_min and end - 1 <= mem_max, name
            if name == "setup":
                assert 64 << 10 <= start and end <= 0x9a000
                continue
            assert start >= 1 << 20, name
            if machine:
                assert any(a <= start and end <= b for a, b in machine.ram), name
        total = sum(self.segment(name)["mem_len"] for name in self.names)
        assert self["memory"]["loaded_len"] == total <= self["memory"]["limit_len"]
        if machine:
            assert self["memory"]["ram_len"] == machine.ram_total // 1024 * 1024
            assert self["memory"]["limit_len"] == machine.ram_total // 2 // PAGE * PAGE
            if machine.has_memmap and not self.is_real_mode:
                assert [(int(e["start"], 16), int(e["end"], 16), e["type"])
                        for e in self["e820"]["entries"]] == sorted(merged(machine.entries))

    def check_kernel(self, image):
        kernel = self.segment("kernel")
        end = kernel["addr"] + kernel["reserve_len"]
        has_fields = image.at(images.VERSION) >= 0x20a
        if has_fields:
            assert kernel["addr"] >= image.at(images.PREF_ADDRESS)
        if has_fields and image.at(images.RELOCATABLE_KERNEL):
            assert kernel["addr"] % image.at(images.KERNEL_ALIGNMENT) == 0
        if not image.is_64:
            assert end <= LOWMEM_END or not image.at(images.RELOCATABLE_KERNEL)
        elif not image.at(images.XLOADFLAGS) & 2:
            assert end <= 4 * GIB

    def check_by_stub(self, image):
        kernel = self.segment("kernel")
        mode = self["jump"]["mode"]
        assert mode == self["entry_name"] and mode in ("16", "32", "64")
        assert kernel["sha256"] == image.kernel_digest
        assert kernel["len"] == len(image.kernel)
        if image.at(images.VERSION) >= 0x20a:
            assert kernel["reserve_len"] >= image.at(images.INIT_SIZE)
        if not self.is_real_mode:
            entry_off = 0x200 if mode == "64" else 0
            assert int(self["jump"]["entry"], 16) == kernel["addr"] + entry_off
        assert self["kaslr"] == {"drawn": False, "vaddr_delta": "0x0"}
        assert self["paging"] == "keep"

    def check_pvh(self, image):
        """The kernel as it is linked, all of it, where its notes let it be."""
        vmlinux = bzimage.Vmlinux(bzimage.unpack(image.payload))
        notes = vmlinux.xen_notes()
        entry = int.from_bytes(notes[18], "little")
        kernel, params = self.segment("kernel"), self.segment("params")
        assert self["jump"]["mode"] == "32"
        assert int(self["jump"]["entry"], 16) - kernel["addr"] == entry - vmlinux.link_paddr
        align, first, last = struct.unpack("<3I", notes[19]) if 19 in notes else (
            PAGE, vmlinux.link_paddr, vmlinux.link_paddr + kernel["mem_len"] - 1)
        assert kernel["addr"] % align == 0 and kernel["addr"] >= first
        assert kernel["addr"] + vmlinux.window_len - 1 <= last
        assert kernel["mem_len"] == kernel["reserve_len"] == -(-vmlinux.window_len // PAGE) * PAGE
        expected = vmlinux.image()
        assert kernel["len"] == len(expected)
        assert kernel["sha256"] == hashlib.sha256(expected).hexdigest()
        assert params["addr"] + params["mem_len"] <= GIB
        assert self["kaslr"] == {"drawn": False, "vaddr_delta": "0x0"}
        assert self["paging"] == "keep" and self["subarch"] in ("pc", "xen")

    def check_direct(self, image, shape, machine):
        """Its own segment is the unpacked kernel in the window of its ELF file, no more."""
        kernel, purgatory = self.segment("kernel"), self.segment("purgatory")
        words = self["cmdline"].split(" ")
        assert image.at(images.VERSION) >= 0x20a and image.at(images.RELOCATABLE_KERNEL)
        assert self["jump"]["mode"] == ("64" if shape.is_64 else "32")
        assert shape.is_64 == image.is_64
        assert kernel["len"] <= shape.window_len
        assert kernel["reserve_len"] == -(-shape.window_len // PAGE) * PAGE
        assert kernel["align"] == max(image.at(images.KERNEL_ALIGNMENT), 2 * MIB)
        assert int(self["jump"]["entry"], 16) == kernel["addr"] + shape.entry_off
        if "nokaslr" in words:
            assert self["kaslr"] == {"drawn": False, "vaddr_delta": "0x0"}
        if shape.is_64:
            knows_5 = image.at(images.XLOADFLAGS) & 0x40 and "no5lvl" not in words
            mode = "5-level" if knows_5 else "4-level"
            running = "5-level" if machine and machine.has_5_level else "4-level"
            assert self["paging"] == ("keep" if mode == running else mode) or \
                not machine and self["paging"] == "keep"
            assert self.delta % kernel["align"] == 0
            assert shape.link_paddr + self.delta + shape.window_len <= KERNEL_MAP_LEN
            # It runs 32-bit code when it changes the mode.
            assert self["paging"] == "keep" or \
                purgatory["addr"] + purgatory["reserve_len"] <= 4 * GIB
        else:
            assert self["paging"] == "keep"
            assert not self["kaslr"]["drawn"] or kernel["addr"] + shape.window_len <= KASLR_END_32

    def check_entries(self, image):
        real = self.is_real_mode
        params, purgatory = map(self.segment, ("setup" if real else "params", "purgatory"))
        mode = self["jump"]["mode"]
        assert int(self["jump"]["arg"], 16) == params["addr"]
        if real:
            assert int(self["jump"]["entry"], 16) == params["addr"] + 512
            assert self["e820"] == {"source": "bios", "entries": []} and self["rsdp"] is None
        assert 0 <= int(self["entry"], 16) - purgatory["addr"] < purgatory["len"]
        cmdline = int(self["cmdline_addr"], 16)
        assert params["addr"] + (64 << 10 if real else 56 if self.is_pvh else 4096) <= cmdline
        assert cmdline + len(self["cmdline"].encode()) < params["addr"] + params["len"]
        assert ("initrd" in self.names) == (self["initrd"]["files"] > 0)
        if mode != "64":
            assert self.windows[-1][1] <= 4 * GIB
        if mode != "64" and "initrd" in self.names and image.at(images.VERSION) >= 0x203:
            initrd = self.segment("initrd")
            assert initrd["addr"] + initrd["len"] - 1 <= image.at(images.INITRD_ADDR_MAX)


def merged(entries):
    """Neighbours of one type that touch are one entry."""
    found = []
    for start, end, kind in sorted(entries):
        if found and found[-1][1] == start and found[-1][2] == kind:
            start = found.pop()[0]
        found.append((start, end, kind))
    return found


def of(host, kernel, *more, machine=None, mem_min=0, mem_max=(1 << 64) - 1, warns=None, **popen):
    """The checked plan for a kernel in a file, or in a FIFO that can be read only once. warns: the
    id of the one warning that must be on stderr."""
    result = run("--dry-run", "--json", host, kernel, *more, **popen)
    if warns:
        assert result.status == 0 and result.reasons() == [], result
        assert result.err.count(b"\n") == 1, result
        assert result.err.endswith(f" [{warns}]\n".encode()), result
    else:
        result.done()
    plan = Plan(result.out)
    if kernel.is_file():
        plan.check(images.Image(kernel.read_bytes()), machine, mem_min, mem_max)
    return plan
