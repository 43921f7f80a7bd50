# SPDX-License-Identifier: GPL-2.0-or-later
"""Every image of the corpus gets its verdict, for the reason on record, within time and memory.

The reasons are in tests/corpus/kexec-ng.ids. RECORD=1 in the environment writes them anew; what
changes there is to be read before it is committed.
"""

import collections
import os
import re
import sys

import pytest

import machines
from kexec_run import TOP, command

CORPUS = TOP / "tests" / "corpus"
sys.path.append(str(CORPUS))

import cases  # noqa: E402
import verdicts  # noqa: E402

IDS = CORPUS / "kexec-ng.ids"
RSS_MAX = 256 << 20  # a bomb of 64 MiB in a header that allows 1 GiB is unpacked before it is refused
FILE_MAX = 1 << 30  # as much comes out of a packed file; nothing in one says beforehand that it is more
ID = re.compile(r"^kexec: (?!warning: |note: ).*\[([a-z0-9-]+/[a-z0-9-]+)\]$", re.M)

CASES = collections.defaultdict(list)
for _case in cases.all_cases():
    CASES[cases.group_of(_case.name)].append(_case)


def recorded():
    rows = [line.split() for line in IDS.read_text().splitlines() if not line.startswith("#")]
    return {name: why for name, why in rows}


def rss_max_of(case, usual=RSS_MAX):
    return usual + (FILE_MAX if case.name.startswith("bomb/file-of-") else 0)


def lost_in_the_cage(reason):
    """A reader that crashed, hung or was killed is no refusal, though its parent ends as one that refuses."""
    return reason.startswith("sandbox/")


@pytest.mark.parametrize("group", CASES)
def test_group(folder, group):
    root = folder / "pc"
    root.mkdir()
    option = machines.Machine(machines.pc(16 * machines.GIB), available=4 << 30).write(root)
    where = folder / "image"
    known, found, wrong = recorded(), {}, []
    for case in CASES[group]:
        where.write_bytes(case.data)
        result = verdicts.judge(command(["--dry-run", option, "{}"]), where)
        reasons = ID.findall(result.output)
        found[case.name] = reasons[0] if reasons else "-"
        if any(lost_in_the_cage(reason) for reason in reasons):
            wrong.append((case.name, "a reader that ends by itself", result))
        elif not result.is_as(case.expect) or result.rss > rss_max_of(case):
            wrong.append((case.name, case.expect, result))
        elif len(reasons) != (result.verdict == verdicts.REFUSED):
            wrong.append((case.name, "one reason for a refusal", result))
        elif "RECORD" not in os.environ and known.get(case.name) != found[case.name]:
            wrong.append((case.name, f"the reason {known.get(case.name)}", result))
    if "RECORD" in os.environ:
        record(known | found)
    assert not wrong, "\n".join(f"{name}: expected {what}, got {result}"
                                for name, what, result in wrong)


# The other ways through the same readers: what is run, the statuses of one that is not refused, and its memory.
# A rehearsal judges the plan, which is made first. What these images have for a stub is int3: that is bad, or unknown
# where the plan does not depend on it.
MODES = {
    "--inspect": (["--inspect", "{host}", "{}"], (0,), 288 << 20),
    "--export": (["--export=elf", "-o", "{out}", "{host}", "{}"], (0,), RSS_MAX),
    "--rehearse": (["--dry-run", "--rehearse", "--time-limit=20", "{host}", "{}"], (0, 1, 2), RSS_MAX),
}
STEP = 23  # of the short form: each so many-th case
ADDRESS_SPACE = 64 << 40  # a rehearsal maps the machine's


def wrong_in(mode, case, result, rss_max, out):
    """What a run of this mode must not do; None if it did well."""
    if mode == "--rehearse" and case.name == "vmlinux64/memsz-above-window":
        rss_max += 1 << 30  # of zeros, which purgatory writes
    reasons = ID.findall(result.output)
    n_reasons = len(reasons)
    is_refused = result.verdict == verdicts.REFUSED
    if result.verdict not in (verdicts.ACCEPTED, verdicts.REFUSED) or result.rss > rss_max_of(case, rss_max):
        return "an end, within the limits"
    if any(lost_in_the_cage(reason) for reason in reasons):
        return "a reader that ends by itself"
    if n_reasons != is_refused and mode != "--rehearse" or is_refused and n_reasons != 1:
        return "one reason for a refusal"
    if mode == "--rehearse" and is_refused != (case.expect == cases.REFUSE) and case.expect != cases.EITHER:
        return f"{case.expect}, as without a rehearsal"
    if mode == "--inspect" and is_refused and case.expect == cases.ACCEPT:
        return "to be told what is in it"
    if out.exists() != (mode == "--export" and not is_refused):
        return "a file if it was made, and none else"
    return None


@pytest.mark.parametrize("mode", MODES)
def test_other_modes(request, folder, mode):
    """No image crashes one of them, hangs it or takes more memory than it may."""
    root = folder / "pc"
    root.mkdir()
    host = machines.Machine(machines.pc(16 * machines.GIB), available=4 << 30).write(root)
    where, made = folder / "image", folder / "made"
    made.mkdir()
    out = made / "out"
    words, statuses, rss_max = MODES[mode]
    argv = command([word.replace("{host}", host).replace("{out}", str(out)) for word in words])
    limits = verdicts.Limits(seconds=120, memory=ADDRESS_SPACE, accept=statuses, refuse=(255,))
    chosen = [case for group in CASES.values() for case in group]
    wrong = []
    for case in chosen if request.config.getoption("long") else chosen[::STEP]:
        where.write_bytes(case.data)
        result = verdicts.judge(argv, where, limits)
        expected = wrong_in(mode, case, result, rss_max, out)
        out.unlink(missing_ok=True)
        if expected or any(made.iterdir()):
            wrong.append((case.name, expected or "no other file", result))
    assert not wrong, "\n".join(f"{name}: expected {what}, got {result}" for name, what, result in wrong)


def record(rows):
    names = {case.name for group in CASES.values() for case in group}
    lines = [f"{name} {why}\n" for name, why in sorted(rows.items()) if name in names]
    IDS.write_text("# Why kexec-ng refuses each image of the corpus, by the id of its message; - is "
                   "one that it takes.\n" + "".join(lines))


def test_every_case_has_a_reason_on_record():
    assert set(recorded()) == {case.name for group in CASES.values() for case in group}


def test_corpus_is_the_same_everywhere():
    """Two makings give the same bytes."""
    for group in ("header", "elf64", "uki", "multiboot2"):
        for one, two in zip(CASES[group], [c for c in cases.all_cases()
                                           if cases.group_of(c.name) == group]):
            assert one.data == two.data, one.name
