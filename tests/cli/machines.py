# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines as kexec sees them: trees of /proc and /sys for --host-root."""

import dataclasses
import struct

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40

RAM, RESERVED, ACPI = 1, 2, 3
NAMES = {RAM: "System RAM", RESERVED: "Reserved", ACPI: "ACPI Tables"}

FLAGS = "fpu pse tsc msr pae cx8 apic lm pdpe1gb nx"


def pc(total):
    """The memory map of a PC with this much RAM: a hole below 4 GiB, the rest above it."""
    low = min(total, 3 * GIB)
    entries = [(0, 0x9fc00, RAM), (0x9fc00, 0xa0000, RESERVED), (0xf0000, 0x100000, RESERVED),
               (MIB, low - 128 * KIB, RAM), (low - 128 * KIB, low - 64 * KIB, ACPI),
               (low - 64 * KIB, low, RESERVED), (0xfeffc000, 0xff000000, RESERVED)]
    if total > low:
        entries.append((4 * GIB, 4 * GIB + total - low, RAM))
    return entries


def in_pieces(n):
    """2 GiB in which n pieces are reserved: more entries than a zero page has room for."""
    entries = [(0, 0x9fc00, RAM), (0x9fc00, 0xa0000, RESERVED)]
    at = MIB
    for i in range(n):
        end = 256 * MIB + i * MIB
        entries += [(at, end, RAM), (end, end + 64 * KIB, RESERVED)]
        at = end + 64 * KIB
    return [*entries, (at, 2 * GIB, RAM)]


@dataclasses.dataclass
class Machine:
    entries: list
    has_iomem: bool = True      # False: as others than root see it
    has_boot_params: bool = True
    is_efi: bool = False
    crash_kernel: tuple = ()    # (start, end)
    crash_low: tuple = ()       # the lower of two reservations
    cpus: tuple = (0, 1)        # numbers, of a machine with a crash_kernel
    elfcorehdr_size: int = 0    # what it wants to keep headers up to date; 0: it does not
    flags: str = FLAGS
    cmdline: str = "root=/dev/vda1 quiet"
    has_memmap: bool = True
    available: int = 0          # MemAvailable; 0: an old kernel, which does not say

    @property
    def ram(self):
        """Where segments may land."""
        ranges = [(max(start, MIB), end) for start, end, kind in self.entries if kind == RAM]
        for start, end in [self.crash_kernel] if self.crash_kernel else []:
            ranges = [part for a, b in ranges
                      for part in ((a, min(b, start)), (max(a, end), b)) if part[0] < part[1]]
        return [(start, end) for start, end in ranges if start < end]

    @property
    def has_5_level(self):
        """The running kernel's paging."""
        return "la57" in self.flags.split()

    @property
    def ram_total(self):
        return sum(end - start for start, end, kind in self.entries if kind == RAM)

    def write(self, root):
        """Makes the tree and returns the option for it."""
        meminfo = f"MemTotal:       {self.ram_total // KIB} kB\nMemFree: 1 kB\n"
        if self.available:
            meminfo += f"MemAvailable:   {self.available // KIB} kB\n"
        files = {
            "proc/cmdline": self.cmdline + "\n",
            "proc/meminfo": meminfo,
            "proc/cpuinfo": f"processor\t: 0\nflags\t\t: {self.flags}\ncpu MHz\t\t: 2000.000\n\n",
            "proc/sys/kernel/osrelease": "6.1.0-test\n",
            "proc/consoles": "tty0                 -WU (EC  p  )    4:7\n",
            "proc/iomem": self.iomem(),
            "proc/sys/kernel/kexec_load_disabled": "0\n",
            "sys/kernel/kexec_loaded": "0\n",
        }
        if self.has_memmap:
            for i, (start, end, kind) in enumerate(self.entries):
                files[f"sys/firmware/memmap/{i}/start"] = f"{start:#x}\n"
                files[f"sys/firmware/memmap/{i}/end"] = f"{end - 1:#x}\n"
                files[f"sys/firmware/memmap/{i}/type"] = NAMES[kind] + "\n"
        if self.is_efi:
            files |= self.efi()
        if self.crash_kernel:
            files |= self.crash()
            (root / "proc").mkdir(parents=True, exist_ok=True)
            (root / "proc/kcore").write_bytes(self.kcore())
        for name, text in files.items():
            where = root / name
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_text(text)
        if self.has_boot_params:
            where = root / "sys/kernel/boot_params/data"
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_bytes(self.boot_params())
        return f"--host-root={root}"

    def iomem(self):
        lines = []
        for start, end, kind in self.entries:
            lines.append((start, end, NAMES[kind], 0))
            lines += [(*kept, "Crash kernel", 2) for kept in (self.crash_low, self.crash_kernel)
                      if kept and start <= kept[0] < end]
        if not self.has_iomem:
            lines = [(0, 1, name, indent) for _, _, name, indent in lines]
        return "".join(f"{'':{indent}}{start:08x}-{end - 1:08x} : {name}\n"
                       for start, end, name, indent in lines)

    def boot_params(self):
        data = bytearray(4096)
        if self.is_efi:
            data[0x1c0:0x1c4] = b"EL64"
            data[0x1c4:0x1c8] = (0x7e000000).to_bytes(4, "little")
            data[0x1c8:0x1cc] = (48).to_bytes(4, "little")
            data[0x1cc:0x1d0] = (1).to_bytes(4, "little")
        table = self.entries[:128]
        data[0x1e8] = len(table)
        for i, (start, end, kind) in enumerate(table):
            data[0x2d0 + 20 * i:0x2d0 + 20 * (i + 1)] = \
                start.to_bytes(8, "little") + (end - start).to_bytes(8, "little") + \
                kind.to_bytes(4, "little")
        return bytes(data)

    def crash(self):
        """What a dump of it is made from. The notes are where nothing else is."""
        files = {"sys/kernel/vmcoreinfo": f"{0x2000000:#018x} 1024\n",
                 "sys/kernel/kexec_crash_loaded": "0\n"}
        for cpu in self.cpus:
            top = f"sys/devices/system/cpu/cpu{cpu}/"
            files |= {top + "crash_notes": f"{self.notes_of(cpu):x}\n",
                      top + "crash_notes_size": "368\n"}
        if self.elfcorehdr_size:
            files |= {"sys/devices/system/cpu/crash_hotplug": "0\n",
                      "sys/kernel/crash_elfcorehdr_size": f"{self.elfcorehdr_size}\n"}
        return files

    @staticmethod
    def notes_of(cpu):
        return 0x3000000 + 0x1000 * cpu

    PAGE_OFFSET, TEXT, TEXT_VADDR, TEXT_LEN = 0xffff9a0f40000000, 0x5200000, 0xffffffffa4200000, 0x2a00000

    def kcore(self):
        """The headers of /proc/kcore; their first is of vmalloc, which has no physical address."""
        loads = [(0xffffb00000000000, 2 ** 64 - 1, 1 << 45),
                 (self.TEXT_VADDR, self.TEXT, self.TEXT_LEN)]
        loads += [(self.PAGE_OFFSET + start, start, end - start)
                  for start, end, kind in self.entries if kind == RAM]
        head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 4, 62, 1, 0, 64, 0, 0, 64, 56,
                           len(loads), 0, 0, 0)
        return head + b"".join(struct.pack("<IIQQQQQQ", 1, 7, 0, vaddr, paddr, size, size, 4096)
                               for vaddr, paddr, size in loads)

    def efi(self):
        top = "sys/firmware/efi/"
        files = {
            top + "fw_platform_size": "64\n",
            top + "fw_vendor": "0x7e010000\n",
            top + "runtime": "0x7e020000\n",
            top + "config_table": "0x7e030000\n",
            top + "systab": "ACPI20=0x7e040014\nACPI=0x7e040000\nSMBIOS=0x7e050000\n",
        }
        for i in range(3):
            entry = f"{top}runtime-map/{i}/"
            files |= {entry + "type": "0x6\n", entry + "phys_addr": f"{0x7e100000 + i * MIB:#x}\n",
                      entry + "virt_addr": f"{0xfffffffeff000000 + i * MIB:#x}\n",
                      entry + "num_pages": "0x10\n", entry + "attribute": "0x800000000000000f\n"}
        return files
