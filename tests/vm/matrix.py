# SPDX-License-Identifier: GPL-2.0-or-later
"""doc/matrix.md: which cells it has, and how it is read and written."""

import datetime
import fcntl
import os
import re
import subprocess
import textwrap

from guest import QEMU, TOP, Machine

DOCUMENT = TOP / "doc" / "matrix.md"
ENTRIES = ("direct", "64", "32", "16", "file")
DEBIANS = ("5.10-amd64", "5.10-rt-amd64", "6.1-amd64", "6.1-cloud", "6.1-rt-amd64", "6.1-686-pae",
           "6.12-amd64", "7-amd64")
SMALL = tuple(f"small-{name}" for name in (
    "gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "zstd", "no-kaslr", "fixed", "4-level", "32", "32-pae"))
KERNELS = DEBIANS + SMALL
BASE = Machine(memory=1024)     # of the first table

# With ACPI it has no clock but the CPU's, and no first kernel comes up in TCG; without, no second CPU is seen.
MICROVM = "microvm,acpi=off"

# Of the second one: each is entered directly on each machine.
THREE = ("6.1-cloud", "7-amd64", "5.10-amd64")

# Each two values of kind, firmware, memory, CPU and number of CPUs are together on one machine, unless
# there is no such machine; and each other entry is tried with each value.
MACHINES = {
    Machine("seabios", "max", 2048, 4): ("64", "32"),
    Machine("ovmf", "qemu64", 512, 1): ("64", "32"),
    Machine("ovmf", "max,la57=off", 6144, 4): ("16", "file"),
    Machine("seabios", "qemu64", 6144, 4, kind="pc"): ("64", "16"),
    Machine("ovmf", "max", 512, 4, kind="pc"): ("16", "file"),
    Machine("ovmf", "max,la57=off", 2048, 1, kind="pc"): ("32", "16"),
    Machine("seabios", "max,la57=off", 512, 1, kind=MICROVM): ("64", "32"),
    Machine("seabios", "qemu64", 2048, 1, kind=MICROVM): ("16", "file"),
    Machine("seabios", "max", 6144, 1, kind=MICROVM): ("32", "file"),
}
FACTORS = {"kind": ("q35", "pc", MICROVM), "firmware": ("seabios", "ovmf"),
           "memory": (512, 2048, 6144), "cpu": ("max", "qemu64", "max,la57=off"), "smp": (1, 4)}


def is_machine(values):
    """OVMF has no way to start on a microvm, and without ACPI that has one CPU."""
    return MICROVM not in values or not {"ovmf", 4} & set(values)


NOT_RUN = "not run"

# Why a cell is not green, by what kexec said when it refused it.
REASONS = {
    "bzimage/no-64-bit-entry": "a 32-bit kernel has none.",
    "bzimage/not-direct": "it was built for one place, and only its own stub puts it there.",
    "kernel/file-format": "kexec_file_load takes relocatable 64-bit bzImages only; `-c` or `-a` loads this one.",
    "real-mode/no-bios": "where EFI started the machine, no BIOS answers the setup code.",
}

TEXT = """\
# Kernels and machines

`tests/vm/test_matrix.py --long` writes these tables and, unless told to write, holds what it sees against them. A
`yes` is a kernel that was entered in a virtual machine (QEMU, TCG), and told its release, the command line to the
letter, and that memory map, ACPI, CPUs and EFI are those of before. That it was entered by that entry is seen by a
debugger: the CPU comes there in the mode that belongs to the entry, and what it finds is the code that a second
reading of the image has for it. By `file`, which is `-s`, the running kernel's loader does it, and says so in the
new kernel's boot loader type; that of 5.10 cuts the memory map at setup_data, so there it is the amount of memory
that has to be the same. An id stands where kexec refuses; the reasons are below. `not run` means just that.

Last written on {date}, with {qemu}.
"""

KERNELS_TEXT = """\
## Kernels by entries

On a q35 machine with SeaBIOS, 1 GiB and one CPU, from a 6.1 kernel or from the same kernel. The `small` ones are
6.1 kernels that `tests/vm/build-small-kernels` builds: one for each compression of the payload, without KASLR,
not relocatable (`fixed`), without 5-level paging, and for 32 bits without and with PAE.
"""

MACHINES_TEXT = """\
## Machines by kernels and entries

Each kernel is entered directly on each machine. Each two values of type, firmware, memory, CPU and number of CPUs
are together on one machine; each other entry was tried with each of the values.
"""


class Table:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows     # {key: [a cell for each column]}

    def text(self):
        lines = [self.columns, ["---"] * len(self.columns)]
        lines += [[key, *cells] for key, cells in self.rows.items()]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def key_of(machine):
    cpu = machine.cpu.replace(",la57=off", " without 5-level paging")
    firmware = {"seabios": "BIOS", "ovmf": "OVMF"}[machine.firmware]
    cpus = "1 CPU" if machine.smp == 1 else f"{machine.smp} CPUs"
    return f"{machine.kind.replace(',acpi=', ' with acpi=')}, {firmware}, {machine.memory} MiB, {cpu}, {cpus}"


MACHINE_COLUMNS = [*(f"{name}" for name in THREE), *ENTRIES[1:]]


def empty():
    """The tables with nothing in them."""
    return {
        "kernels": Table(["kernel", "release", *ENTRIES],
                         {name: [NOT_RUN] * (1 + len(ENTRIES)) for name in KERNELS}),
        "machines": Table(["machine", *MACHINE_COLUMNS],
                          {key_of(m): [NOT_RUN if c in THREE or c in entries else "" for c in MACHINE_COLUMNS]
                           for m, entries in MACHINES.items()}),
    }


def read():
    """The tables as the document has them; what it has no row or column of is as if it were empty."""
    tables = empty()
    if not DOCUMENT.exists():
        return tables
    for line in DOCUMENT.read_text().splitlines():
        key, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        for table in tables.values():
            if key in table.rows and len(cells) == len(table.rows[key]):
                table.rows[key] = cells
    return tables


def reasons(tables):
    """What is said of the cells that are not green."""
    ids = {cell.removeprefix("no: ").strip("`") for table in tables.values()
           for cells in table.rows.values() for cell in cells if cell.startswith("no: ")}
    return "".join(textwrap.fill(f"- `{name}`: {REASONS[name]}", 118, subsequent_indent="  ",
                                 break_on_hyphens=False) + "\n" for name in sorted(ids))


def text_of(tables):
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True, check=True).stdout
    qemu = "QEMU " + re.search(r"version (\d+\.\d+\.\d+)", version)[1]
    parts = [TEXT.format(date=datetime.date.today(), qemu=qemu),
             KERNELS_TEXT, tables["kernels"].text(), MACHINES_TEXT, tables["machines"].text(),
             "## Reasons\n", reasons(tables)]
    return "\n".join(parts)


def write(name, key, cells):
    """Puts {column: text} into a row of a table of the document."""
    with open(TOP / "build" / "matrix.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tables = read()
        table = tables[name]
        for column, text in cells.items():
            table.rows[key][table.columns.index(column) - 1] = text
        part = DOCUMENT.with_suffix(f".{os.getpid()}")
        part.write_text(text_of(tables))
        part.rename(DOCUMENT)


def settle(name, key, cells):
    """Writes the cells if that is wanted; else the document must have them, where it has any."""
    if os.environ.get("NG_MATRIX") == "write":
        write(name, key, cells)
        return
    table = read()[name]
    for column, text in cells.items():
        assert table.rows[key][table.columns.index(column) - 1] in (text, NOT_RUN), (key, column)
