# SPDX-License-Identifier: GPL-2.0-or-later
"""Every range of what is staged is damaged in turn, between the jump and purgatory's first instruction.

Damage in what is verified is found and named, and the machine resets itself; nothing damaged is started.
What is not verified has to make no difference. In the check core (doc/handoff.md) damage may end in any
way but in a boot. The long form prints the table that doc/handoff.md has. A unit test of purgatory does the
same with every bit of its image, in a process.
"""

import collections
import contextlib
import pathlib
import re
import tempfile

import pytest

from guest import Machine, kernel
from snapshots import Snapshots
from stopped import contents, load_command

SECOND = "6.12-amd64"

BOOTS_AS_EVER = re.compile(r"^kexec: \d segments intact, starting kernel\r?$", re.M)
PAGE_LEN = 4096
HANDOFF_VERIFIED = 0x2d4    # bytes of struct handoff that the loader writes, its own checksum among them


class Places:
    """All that is staged, as (range, address, kind); kinds are core, report, data, zeros, gap."""

    def __init__(self, at):
        self.at = at
        self.file_end = at.at["image_file_end"]
        self.image_end = at.at["image_end"]
        self.core_end = at.at["core_end"]

    def code(self, step):
        """Purgatory's file: head, check core, what makes reports, all else."""
        for address in range(self.at.start, self.file_end, step):
            is_core = self.at.at["purgatory_entry"] <= address < self.core_end
            is_report = self.at.at["report_start"] <= address < self.at.at["report_end"]
            kind = "core" if is_core else "report" if is_report else "data"
            what = {"core": "purgatory, check core", "report": "purgatory, what makes reports"}
            yield what.get(kind, "purgatory, all else of its file"), address, kind

    def handoff(self, step):
        """All that the loader wrote into it. A wrong magic or length is a handoff of another version."""
        start = self.at.at["handoff"]
        for address in range(start, start + HANDOFF_VERIFIED, step):
            yield "purgatory, handoff", address, "data"

    def zeros(self, step):
        handoff = range(self.at.at["handoff"], self.at.at["handoff"] + HANDOFF_VERIFIED)
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
        is_right = outcome.is_booted and BOOTS_AS_EVER.search(outcome.words)
        return None if is_right else "this made a difference"
    if outcome.is_booted:
        return "it was started"
    if kind == "core":
        return None
    if not outcome.is_reset:
        return "no reset"
    named = outcome.named
    if kind == "report":
        return None if outcome.end == "last words" else "no last words"
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


@contextlib.contextmanager
def snapshots(log_folder, load, **how):
    with tempfile.TemporaryDirectory(prefix="kexec-ng-vm.") as folder, \
            Snapshots(log_folder, contents(kernel(SECOND)), pathlib.Path(folder), load, **how) as at:
        yield at


@pytest.fixture
def at_purgatory(log_folder):
    with snapshots(log_folder, load_command()) as at:
        yield at


def after_a_panic(log_folder, first):
    """A capture kernel's purgatory, that of a kernel which panicked."""
    return snapshots(log_folder, load_command().replace(" -l ", " -p "), machine=Machine(memory=768),
                     first=first, leave="write /proc/sysrq-trigger c\nsleep 60", append="crashkernel=256M")


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
        ("purgatory, what makes reports", at.at["say"] + 4, "report"),
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


# The running kernel writes the elfcorehdr anew when memory or CPUs come and go: 6.12 does, 6.1 does not.
CAPTURES = [pytest.param("6.12-amd64", "gap", id="6.12"), pytest.param("6.1-cloud", "data", id="6.1")]


def crash_places(at, n, elfcorehdr):
    places = Places(at)
    for name in ("kernel", "initrd", "params"):
        yield from places.segment(name, n)
    for what, address, _ in places.segment("elfcorehdr", n):
        yield what, address, elfcorehdr
    yield from places.gaps()


@pytest.mark.parametrize("first, elfcorehdr", CAPTURES[:1])
def test_some_ranges_after_a_panic(first, elfcorehdr, log_folder):
    """What the running kernel itself may change is not verified, and damage there lets the jump go on."""
    with after_a_panic(log_folder, first) as at:
        check(at, list(crash_places(at, 1, elfcorehdr))[:4])


@pytest.mark.long_form
@pytest.mark.parametrize("first, elfcorehdr", CAPTURES)
def test_each_range_after_a_panic(first, elfcorehdr, log_folder):
    with after_a_panic(log_folder, first) as at:
        places = Places(at)
        check(at, [*crash_places(at, 30, elfcorehdr), *(p for p in places.code(509) if p[2] != "core"),
                   *places.handoff(29), *places.tables(1021)])


def verified(at, name):
    """Ranges of a segment that are verified, by offset; of purgatory those that it does not run first."""
    start, length, _ = at.segment(name)
    if name != "purgatory":
        return [(0, length)]
    found = {symbol: at.at[symbol] - start for symbol in ("core_end", "image_file_end", "handoff", "image_end")}
    return [(found["core_end"], found["image_file_end"]),
            (found["handoff"], found["handoff"] + HANDOFF_VERIFIED), (found["image_end"], length)]


def staged_pages(at, n):
    """Pages of each segment: its name, the page, and where it is verified up to."""
    for name in ("kernel", "initrd", "params", "purgatory"):
        start, length, _ = at.segment(name)
        n_pages = -(-length // PAGE_LEN)
        for i in sorted({k * (n_pages - 1) // max(n - 1, 1) for k in range(n)}):
            page = at.guest.memory(start + i * PAGE_LEN, PAGE_LEN)
            begin = i * PAGE_LEN
            ends = [min(to - begin, PAGE_LEN) for at_begin, to in verified(at, name)
                    if at_begin + 64 < begin + PAGE_LEN and begin + 64 < to]
            # One that has nothing in it is everywhere.
            if ends and page.strip(b"\0"):
                yield name, page, ends[-1]


def damage_before_the_jump(at, n):
    """Damages pages while they wait to be copied; where that is they do not tell, so they are looked for."""
    wrong, n_damaged = [], 0
    for i, (name, page, length) in enumerate(list(staged_pages(at, n))):
        offset = length - 1 - 7 * i % 64
        n_found, outcome = at.damage_before((offset, page), 1 << i % 8)
        n_damaged += 1
        if n_found == 0 or outcome.is_booted or not outcome.is_reset or outcome.named != name:
            wrong.append((name, n_found, outcome))
    assert not wrong, wrong
    print(f"{n_damaged} pages damaged before the jump, each named")
    return n_damaged


def test_before_the_jump(at_purgatory):
    assert damage_before_the_jump(at_purgatory, 1) == 4


@pytest.mark.long_form
def test_before_the_jump_each(at_purgatory):
    assert damage_before_the_jump(at_purgatory, 12) > 24
