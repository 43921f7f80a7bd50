#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The ids that the source has, and doc/errors.md from them.

    tests/lib/ids.py           prints the page
    tests/lib/ids.py --write   writes it
"""

import dataclasses
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "doc" / "errors.md"

ID = r'"([a-z0-9]+(?:-[a-z0-9]+)*/[a-z0-9]+(?:-[a-z0-9]+)*)"'
# A call that says something, up to its id; then what it says, in pieces.
CALL = re.compile(r"\b(fail|fail_errno|note|warn|found|fail_\w+|note_\w+|warn_\w+)\s*\(([^;{}]*?)" + ID)
TEXT = re.compile(r'\s*,\s*(?:[A-Za-z_][\w>.-]*\s*\?\s*)?((?:"(?:[^"\\]|\\.)*"|\s|PRI[a-zA-Z0-9]+)+)')
PRINTED = re.compile(r'(?:"(?:[^"\\]|\\.)*"\s*)*"[^"]*\[[a-z0-9-]+/[a-z0-9-]+\]\\n"')
NOT_IDS = ("proc/", "sys/", "dev/", "etc/", "boot/", "efi/", "usr/", "run/", "loader/", "grub/", "grub2/")
HEAD = """# What can be said, by id

Each failure, warning and note has an id in brackets behind it, and under `error.id` and `notes[].id` in
JSON. Ids are stable: scripts may match them; texts are for people and change. `...` stands for what the
message says of the case at hand. With each failure comes a line of what to do, its own or its kind's.

Exit statuses: 255 the load failed, 253 `-s` and the running kernel did not take the image, 1 the command
line is wrong, or `-e` with nothing loaded (kexec(8) has the whole list).

This page is written by `tests/lib/ids.py --write`; a test compares it with the source.
"""


@dataclasses.dataclass
class Said:
    id: str
    kinds: set
    texts: list


def _strip_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def _join(pieces):
    """One text of string literals and PRI macros."""
    tokens = re.findall(r'"((?:[^"\\]|\\.)*)"|(PRI\w+)', pieces)
    joined = "".join("u" if macro else literal for literal, macro in tokens)
    joined = re.sub(r"%[-+ #0]*[\d.*]*(?:hh|h|ll|l|z|j|t)?[diouxXcsp]?", "...", joined)
    return joined.replace('\\"', '"').replace("\\\\", "\\")


def _kind(call):
    return {"note": "note", "warn": "warning", "found": "check"}.get(call.partition("_")[0], "failure")


def found():
    """{id: Said} of all that the command and vmcore-dmesg can say."""
    said = {}

    def add(name, kind, text):
        one = said.setdefault(name, Said(name, set(), []))
        one.kinds.add(kind)
        # What follows in a list of ids is no text.
        if text and text not in one.texts and not re.fullmatch(ID, f'"{text}"'):
            one.texts.append(text)

    for path in sorted((TOP / "kexec").rglob("*.c")):
        if path.name == "advice.c":
            continue
        source = _strip_comments(path.read_text())
        taken = set()
        for match in CALL.finditer(source):
            taken.add(match.start(3))
            text = TEXT.match(source, match.end())
            add(match[3], _kind(match[1]), _join(text[1]) if text else "")
        for match in re.finditer(ID, source):
            if match.start(1) not in taken and not match[1].startswith(NOT_IDS):
                text = TEXT.match(source, match.end())
                add(match[1], None, _join(text[1]) if text else "")
        for match in PRINTED.finditer(source):
            text, _, name = _join(match[0]).rpartition(" [")
            add(name[:name.index("]")], "failure", text.removeprefix("kexec: "))
    for one in said.values():
        one.kinds.discard(None)
        one.kinds = one.kinds or {"failure"}
    return said


def advised():
    """The beginnings of ids for which the source has advice."""
    source = (TOP / "kexec" / "advice.c").read_text()
    return re.findall(r'\{ "([a-z0-9/-]*)",', source)


def page():
    lines, area = [HEAD], None
    said = found()
    for name in sorted(said):
        one = said[name]
        if name.partition("/")[0] != area:
            area = name.partition("/")[0]
            lines.append(f"\n## {area}\n\n| id | | says |\n|---|---|---|\n")
        text = " / ".join(one.texts).replace("|", "\\|").replace("<", "\\<")
        lines.append(f"| `{name}` | {', '.join(sorted(one.kinds))} | {text} |\n")
    return "".join(lines)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
    elif not sys.argv[1:]:
        print(page(), end="")
    else:
        sys.exit(__doc__)
