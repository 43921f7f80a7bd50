# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels by entries, and machines by kernels and entries: doc/matrix.md.

That an entry was the one is seen by a debugger: the CPU is there, in the mode that belongs to it, before
code that a reading of the bzImage that shares nothing with kexec has for that entry. By -s, which the
running kernel does, it is seen from that kernel's own boot loader type.

--long runs each cell, and each must be as the document has it. With NG_MATRIX=write it writes what it saw
into the document instead.
"""

import functools
import itertools
import re

import pytest

import matrix
from chain import Chain, Jump
from guest import Gdb, kernel, kernel_named, kexec_binary
from matrix import BASE, DOCUMENT, ENTRIES, KERNELS, MACHINES, MICROVM, THREE

FIRST = "6.1-cloud"
LIMIT = 900               # seconds, of a guest with some jumps
CODE_LEN = 16             # bytes that are looked at; behind those of the setup code are fields for loaders
OWN_LOADER, KERNELS_LOADER = "0xd1", "0xd0"
CR0_PE, CR0_PG, EFER_LMA = 1 << 0, 1 << 31, 1 << 10
REFUSING = "/sbin/refuse"  # the same program by another name, whose runs are no loads


NO_64_BIT_ENTRY, NOT_DIRECT, NOT_OF_THIS_CALL, NO_BIOS = (
    "bzimage/no-64-bit-entry", "bzimage/not-direct", "kernel/file-format", "real-mode/no-bios")
# What kexec exits with.
STATUS = {NO_64_BIT_ENTRY: 255, NOT_DIRECT: 255, NOT_OF_THIS_CALL: 253, NO_BIOS: 255}


@functools.cache
def kernel_of(name):
    return kernel_named(name)


def words_of(entry):
    """Options of kexec; with a seed, so that what is drawn is the same each time."""
    return "-s" if entry == "file" else f"--enter={entry} --seed=1"


@functools.cache
def code_at(name, entry, delta):
    """What is at an entry of the kernel."""
    image = kernel_of(name).bzimage
    if entry == "direct":
        code = image.vmlinux.image(delta)[image.vmlinux.entry_off:]
    else:
        at = {"64": image.setup_len + 0x200, "32": image.setup_len, "16": 0x200}[entry]
        code = image.data[at:]
    return code[:CODE_LEN]


def mode_of(cpu):
    """Bits of the mode that the CPU is in."""
    if cpu.is_real_mode:
        return 16
    if not cpu.cr0 & CR0_PG:
        return 32
    return 64 if cpu.efer & EFER_LMA else 0


class Watched(Chain):
    """A chain in which a debugger stops at each entry."""

    def __init__(self, machine, jumps, entries, log, **options):
        super().__init__(machine, kernel(FIRST), jumps, log, waits=True, gdb=True, limit=LIMIT, **options)
        self._entries = dict(zip(jumps, entries))
        self._gdb = None

    def __exit__(self, *why):
        if self._gdb:
            self._gdb.close()
        super().__exit__(*why)

    def leave(self, jump, plan):
        entry = self._entries[jump]
        if jump.is_file_call:
            super().leave(jump, plan)
            return
        assert plan["entry_name"] == entry
        address = int(plan["jump"]["entry"], 0)
        if self._gdb:
            self._gdb.interrupt()
        else:
            self._gdb = Gdb(self.gdb_path)
        self._gdb.break_at(address)
        self._gdb.resume()
        self.send_line()
        self._gdb.wait_stop(address, 120)
        cpu = self._gdb.registers()
        delta = int(plan["kaslr"]["vaddr_delta"], 0)
        wanted = {"direct": jump.kernel.bits}.get(entry) or int(entry)
        assert mode_of(cpu) == wanted and cpu.cs & 3 == 0
        assert self._gdb.read(address, CODE_LEN) == code_at(jump.kernel.name, entry, delta)
        self._gdb.unbreak(address)
        self._gdb.resume()


def check(arrival, entry, machine, lines):
    """What the kernel that was entered found."""
    arrival.check_same_machine(has_acpi=machine.kind != MICROVM)
    assert arrival.facts["cpus"] == machine.smp
    ours = any("intact, starting kernel" in text for _, text in lines)
    assert ours == (entry != "file")
    assert arrival.facts["loader"] == (KERNELS_LOADER if entry == "file" else OWN_LOADER)
    if entry == "direct":
        assert arrival.is_where_planned


def refusal_steps(refused):
    return [f"run-expect {STATUS[why]} {REFUSING} -l /r.{name} {words_of(entry)} --append=x"
            for (name, entry), why in refused.items()]


def run(machine, cells, log, refused=None):
    """The guest enters the cells, pairs of kernel and entry, each from the one before; yields each that it
    was in and what is to be said of it. What refused has, {cell: id}, the first kernel must refuse so."""
    refused = refused or {}
    jumps = [Jump(kernel_of(name), words_of(entry)) for name, entry in cells]
    files = {f"/r.{name}": kernel_of(name).image for name, _ in refused}
    files[REFUSING] = kexec_binary()
    with Watched(machine, jumps, [entry for _, entry in cells], log, programs=files,
                 steps=refusal_steps(refused)) as guest:
        arrivals, at = guest.arrivals(), 0
        for cell, arrival in zip(cells, arrivals):
            check(arrival, cell[1], machine, guest.lines[at:guest.n_used])
            at = guest.n_used
            yield cell, "yes"
        said = [text for _, text in guest.lines]
    for cell, command in zip(refused, refusal_steps(refused)):
        begin = next(n for n, text in enumerate(said) if text.endswith(command.partition("/sbin")[2]))
        end = next(n for n in range(begin, len(said)) if said[n].startswith("NG-STATUS"))
        ids = re.findall(r"\[([a-z0-9-]+/[a-z0-9-]+)\]", "\n".join(said[begin:end]))
        assert refused[cell] in ids, (cell, said[begin:end])
        yield cell, f"no: {refused[cell]}"


# ------------------------------------------------------------------------------------- kernels by entries


def refused_of(name):
    """{entry: id} of what such a kernel has not."""
    if kernel_of(name).bits == 32:
        return {"64": NO_64_BIT_ENTRY, "file": NOT_OF_THIS_CALL}
    return {"direct": NOT_DIRECT, "file": NOT_OF_THIS_CALL} if name == "small-fixed" else {}


def row_parts(name):
    """Entries of a guest each: no 64-bit kexec runs on a 32-bit kernel, so that is the last one."""
    refused = refused_of(name)
    entries = [entry for entry in ("file", "direct", "64", "32", "16") if entry not in refused]
    if kernel_of(name).bits == 64:
        return [(entries, refused)]
    return [([entry], {} if n else refused) for n, entry in enumerate(entries)]


@pytest.mark.long_form
@pytest.mark.parametrize("name", KERNELS)
def test_kernel(name, log_folder):
    cells = {"release": kernel_of(name).release}
    try:
        for entries, refused in row_parts(name):
            found = run(BASE, [(name, entry) for entry in entries], log_folder,
                        {(name, entry): why for entry, why in refused.items()})
            for (_, entry), text in found:
                cells[entry] = text
    finally:
        matrix.settle("kernels", name, cells)


# ------------------------------------------------------------------------------------- machines by kernels


def machine_cells(machine):
    """What is entered on it, and what is refused."""
    cells = [(name, "direct") for name in THREE]
    refused = {}
    for n, entry in enumerate(MACHINES[machine]):
        cell = (THREE[(n + list(MACHINES).index(machine)) % len(THREE)], entry)
        if entry == "16" and machine.firmware == "ovmf":
            refused[cell] = NO_BIOS
        else:
            cells.append(cell)
    return cells, refused


@pytest.mark.long_form
@pytest.mark.parametrize("machine", MACHINES, ids=str)
def test_machine(machine, log_folder):
    cells, refused = machine_cells(machine)
    found = {}
    try:
        for (name, entry), text in run(machine, cells, log_folder, refused):
            if entry == "direct":
                found[name] = text
            else:
                found[entry] = f"{text} ({name})" if text == "yes" else text
    finally:
        matrix.settle("machines", matrix.key_of(machine), found)


# ---------------------------------------------------------------------------------------- the short form


def test_some_cells(log_folder):
    cells = [(FIRST, "32"), (FIRST, "direct")]
    found = dict(run(BASE, cells, log_folder, {("6.1-686-pae", "64"): NO_64_BIT_ENTRY}))
    table = matrix.read()["kernels"]
    for (name, entry), text in found.items():
        assert table.rows[name][table.columns.index(entry) - 1] == text


def test_document():
    """It has each row and cell, none of them red, and each reason; of Debian's kernels and of PCs all were run."""
    text = DOCUMENT.read_text()
    keys = [*KERNELS, *map(matrix.key_of, MACHINES)]
    assert [line for key in keys for line in text.splitlines() if line.startswith(f"| {key} |")] == \
        [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(
            ("| kernel |", "| machine |", "| --- |"))]
    tables = matrix.read()
    cell = re.compile(r"yes( \(.*\))?|no: [a-z0-9-]+/[a-z0-9-]+|not run|")
    for table in tables.values():
        for key, cells in table.rows.items():
            assert all(cell.fullmatch(text) for text in cells[table.columns[1] == "release":]), key
            assert matrix.NOT_RUN not in cells or key.startswith(("small-", "microvm")), key
    assert matrix.reasons(tables) in text


def test_machines_are_enough():
    """Each two values that can be together are, and each entry is tried with each value."""
    factors = list(matrix.FACTORS)
    there = [tuple(getattr(machine, factor) for factor in factors) for machine in MACHINES]
    wanted = [values for values in itertools.product(*matrix.FACTORS.values())
              if matrix.is_machine(values)]
    assert set(there) <= set(wanted)
    for places in itertools.combinations(range(len(factors)), 2):
        pairs = {tuple(values[place] for place in places) for values in wanted}
        assert pairs == {tuple(values[place] for place in places) for values in there}
    for factor, values in matrix.FACTORS.items():
        tried = {(getattr(machine, factor), entry) for machine, entries in MACHINES.items()
                 for entry in entries}
        assert tried == set(itertools.product(values, ENTRIES[1:]))
