# SPDX-License-Identifier: GPL-2.0-or-later
"""What doc/differences.md says of kexec-tools' bugs: each has a test that they are not ours."""

import re

from kexec_run import TOP


def shown_by():
    text = (TOP / "doc" / "differences.md").read_text()
    _, _, section = text.partition("## Bugs of kexec-tools that are not here")
    rows = [row.split(" | ") for row in section.splitlines() if row.startswith("| ")][1:]
    return [re.fullmatch(r"`(.*)` \|", row[-1])[1] for row in rows]


def assert_exists(shown):
    """"line: WORDS", "FILE TEST" or "FILE"."""
    if shown.startswith("line: "):
        lines = (TOP / "tests" / "vm" / "side_by_side.lines").read_text().splitlines()
        assert shown.removeprefix("line: ") in lines, shown
        return
    path, _, name = shown.partition(" ")
    text = (TOP / path).read_text()
    assert not name or re.search(rf"^(static void|def) {name}\(", text, re.M), shown


def test_every_bug_has_its_test():
    found = shown_by()
    assert len(found) > 40
    for shown in found:
        assert_exists(shown)
