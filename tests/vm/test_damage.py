# SPDX-License-Identifier: GPL-2.0-or-later
"""Every range of what is staged is damaged in turn, between the jump and purgatory's first instruction.

Damage in what is verified is found and named, and the machine resets itself; nothing damaged is started.
What is not verified has to make no difference. In the check core (doc/handoff.md) damage may end in any
way but in a boot. The long form prints the table that doc/handoff.md has. A unit test of purgatory does the
same with every bit of its image, in a process.
"""

import collections
import pathlib
import tempfile

import pytest

from guest import kernel
from snapshots import Snapshots, symbols
from stopped import contents, load_command

SECOND = "6.12-amd64"

# What purgatory says what is wrong with: with damage in it there is a reset, and a report as far as it goes.
REPORTERS = {
    "report", "report_handoff", "report_image", "distrust_handoff", "refuse_handoff", "refuse",
    "crc32c_start", "crc32c_add", "by_instruction", "console_start", "console_finish", "uart_put", "put",
    "say", "say_bounded", "say_number", "say_digits", "say_hex", "say_bytes", "say_crc", "say_damaged",
    "failure_end", "wait_ms", "memcpy", "memset", "memcmp", "memmove", "",
}
BOOTS_AS_EVER = "kexec: 3 segments intact, starting kernel"


class Places:
    """All that is staged, as (range, address, kind); kinds are core, code, reporter, data, zeros, gap."""

    def __init__(self, at):
        self.at = at
        self.file_end = at.at["image_file_end"]
        self.image_end = at.at["image_end"]
        self.core_end = at.at["core_end"]
        self.names = [(at.start + address, name) for address, name in symbols()]

    def symbol_of(self, address):
        return [name for start, name in self.names if start <= address][-1].partition(".")[0]

    def code(self, step):
        """Purgatory's file: head, check core, code, constants."""
        for address in range(self.at.start, self.file_end, step):
            name = self.symbol_of(address)
            is_core = self.at.at["purgatory_entry"] <= address < self.core_end
            is_text = address < self.at.at["padding.0"]
            kind = "core" if is_core else "reporter" if name in REPORTERS or not is_text else "data"
            what = "purgatory, check core" if is_core else "purgatory, code" if is_text else \
                "purgatory, constants"
            yield what, address, kind

    def handoff(self, step):
        """All that the loader wrote into it. A wrong magic or length is a handoff of another version."""
        start = self.at.at["handoff"]
        for address in range(start, start + 0x2d4, step):
            yield "purgatory, handoff", address, "data"

    def zeros(self, step):
        handoff = range(self.at.at["handoff"], self.at.at["handoff"] + 0x2d4)
        for address in range(self.file_end, self.image_end, step):
            if address not in handoff:
                yield "purgatory, zeros", address, "zeros"

    def tables(self, step):
        """Digests, from the next page on page tables."""
        start, length, _ = self.at.segment("purgatory")
        first = -(-(self.image_end + 1) // 4096) * 4096
        for address in range(self.image_end, start + length, step):
            yield ("purgatory, page tables" if address >= first else "purgatory, digests"), address, "data"

    def segment(self, name, n):
        start, length, _ = self.at.segment(name)
        for i in range(n):
            yield name, start + i * (length - 1) // max(n - 1, 1), "data"

    def gaps(self):
        for name in ("kernel", "initrd", "params", "purgatory"):
            start, length, in_memory = self.at.segment(name)
            if in_memory > length:
                yield f"{name}, rest of its last page", start + length, "gap"


def judge(kind, what, outcome):
    """Why this must not be; None if it is as it should be."""
    if kind in ("zeros", "gap"):
        is_right = outcome.is_booted and BOOTS_AS_EVER in outcome.words
        return None if is_right else "this made a difference"
    if outcome.is_booted:
        return "it was started"
    if kind == "core":
        return None
    if not outcome.is_reset:
        return "no reset"
    named = outcome.named
    if kind == "reporter":
        return None
    if what.startswith("purgatory"):
        return None if named in ("purgatory", "handoff is unusable") else f"named {named}"
    return None if named == what else f"named {named}"


def sweep(at, places):
    """Damages each; returns how often each range ended in what, and what was wrong."""
    table, wrong = collections.defaultdict(collections.Counter), []
    for n, (what, address, kind) in enumerate(places):
        outcome = at.damage(address, 1 << n % 8)
        why = judge(kind, what, outcome)
        table[what][outcome.end] += 1
        if why:
            wrong.append((what, hex(address), hex(address - at.start), 1 << n % 8, why, outcome.words))
    return table, wrong


@pytest.fixture
def at_purgatory(log_folder):
    with tempfile.TemporaryDirectory(prefix="kexec-ng-vm.") as folder, \
            Snapshots(log_folder, contents(kernel(SECOND)), pathlib.Path(folder),
                      load_command()) as at:
        yield at


def show(table):
    ends = ("named", "exception", "last words", "reset", "hang", "booted")
    print("\n| range | places | " + " | ".join(ends) + " |\n|---" * 1 + "|---" * (len(ends) + 1) + "|")
    for what, counts in table.items():
        print(f"| {what} | {counts.total()} | " + " | ".join(str(counts[end]) for end in ends) + " |")


def check(at, places):
    table, wrong = sweep(at, places)
    show(table)
    assert not wrong, wrong
    return table


def test_some_ranges(at_purgatory):
    """One place of each range."""
    at, places = at_purgatory, Places(at_purgatory)
    some = [
        ("purgatory, code", at.start, "data"),  # its head
        ("purgatory, check core", at.at["core_crc"] + 2, "core"),
        ("purgatory, code", at.at["purgatory_go_on"] + 40, "data"),
        ("purgatory, code", at.at["verify_each"] + 17, "data"),
        ("purgatory, code", at.at["say"] + 4, "reporter"),
        ("purgatory, constants", at.at["gdt"] + 25, "data"),
        ("purgatory, handoff", at.at["handoff"] + 0x28, "data"),    # where to jump
        ("purgatory, handoff", at.at["handoff"] + 0x2d0, "data"),   # its own checksum
        ("purgatory, zeros", at.at["stack_end"] - 8, "zeros"),
        ("purgatory, zeros", at.at["handoff"] + 0x340, "zeros"),    # n_runs
        ("purgatory, digests", at.at["image_end"], "data"),
        *list(places.tables(4096))[-1:],
        *places.segment("kernel", 2), *places.segment("initrd", 1), *places.segment("params", 2),
        *list(places.gaps())[:1],
    ]
    table = check(at, some)
    assert table["kernel"]["named"] == 2


@pytest.mark.long_form
@pytest.mark.parametrize("part", ["code", "core", "handoff", "zeros", "tables", "segments"])
def test_each_range(part, at_purgatory):
    places = Places(at_purgatory)
    chosen = {
        "code": lambda: [p for p in places.code(61) if p[2] != "core"],
        "core": lambda: [p for p in places.code(3) if p[2] == "core"],
        "handoff": lambda: places.handoff(5),
        "zeros": lambda: places.zeros(409),
        "tables": lambda: places.tables(509),
        "segments": lambda: [*places.segment("kernel", 40), *places.segment("initrd", 30),
                             *places.segment("params", 100), *places.gaps()],
    }[part]
    check(at_purgatory, chosen())
