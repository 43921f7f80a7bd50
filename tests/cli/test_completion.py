# SPDX-License-Identifier: GPL-2.0-or-later
"""What the shells offer is what the command takes: options by --help, values by the manual page."""

import os
import re
import shutil
import subprocess

import pytest

import images
from kexec_run import TOP, binary, confine, run

BASH = TOP / "completion" / "kexec.bash"
ZSH = TOP / "completion" / "_kexec"
OWN_VALUES = {"serial-baud": "9600 19200 38400 57600 115200"}  # the manual says them in a sentence


def options():
    """{name: whether it takes a value} of all that are not refused."""
    text, _, _ = run("--help").done().out.decode().partition("\nOptions of kexec-tools that this")
    found = re.findall(r"^  (?:-.,|   ) --([a-z0-9-]+)(=?)", text, re.M)
    assert len(found) > 40
    return {name: bool(equals) for name, equals in found}


def values():
    """{option: words} as the manual page has them, and the image types as the program says."""
    page = (TOP / "doc" / "kexec.8").read_text()
    found = {}
    for line in re.findall(r"^\.It Fl .*$", page, re.M):
        listed = re.search(r"Fl -([a-z-]+) Ns = Ns Cm (.*)$", line)
        if listed:
            words = re.sub(r"\| Ns Ar \w+", "", listed[2]).split("|")
            found[listed[1]] = " ".join(word.strip() for word in words if word.strip())
    assert {"enter", "digest", "serial"} <= set(found)
    said = run("--dry-run", "--type=nosuch", images.path("6.1-cloud")).failed("probe/unknown-name")
    types = re.search(r"known types are (.*)", said)[1].replace(" and ", ", ").split(", ")
    return {**found, **OWN_VALUES, "type": " ".join(types)}


def shell(*command, stdin=None):
    path = f"{binary().parent}:{os.environ['PATH']}"
    return subprocess.run([*confine(), *command], capture_output=True, text=True, timeout=60,
                          check=True, input=stdin, env={"PATH": path, "HOME": "/"}).stdout


def bash(*words):
    """What bash offers for the last of these words."""
    # As bash splits them: "=" is a word of its own.
    words = [part for word in ("kexec", *words)
             for part in ([*word.partition("=")] if "=" in word else [word])]
    words = words[:-1] if words[-2:] == ["=", ""] else words
    quoted = " ".join(f"'{word}'" for word in words)
    return shell("bash", "--norc", "-c", f"""
        . {BASH}
        COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}
        _kexec kexec '{words[-1]}' '{words[-2]}'
        printf '%s\\n' "${{COMPREPLY[@]}}" """).split()


def zsh_specs():
    """What zsh's _arguments is told."""
    if not shutil.which("zsh"):
        pytest.skip("no zsh")
    return shell("zsh", "-f", "-c",
                 f"_arguments() {{ print -rl -- \"$@\" }}; words=(kexec); . {ZSH}").splitlines()


def test_bash_offers_every_option():
    expected = {f"--{name}=" if has_value else f"--{name}" for name, has_value in options().items()}
    assert set(bash("--")) == expected
    assert bash("--mem-ma") == ["--mem-max="]
    assert bash("-l", "--dig") == ["--digest="]


def test_bash_offers_every_value():
    for name, words in values().items():
        assert bash(f"--{name}=") == words.split(), name
        assert bash(f"--{name}", "") == words.split(), name
    assert bash("--enter=d") == ["direct"]
    assert bash("-t", "bzImage6") == ["bzImage64"]
    assert bash("--append=") == []


def test_a_value_that_may_be_left_out():
    assert bash("--rehearse=") == ["vm"]
    assert bash("--rehearse=v") == ["vm"]
    assert bash("--rehearse", "-") == bash("-")
    assert bash("--rehears") == ["--rehearse"]


def test_zsh_offers_a_value_that_may_be_left_out():
    assert [spec for spec in zsh_specs() if "-rehearse" in spec and spec.endswith("::KIND:(vm)") and
            spec.startswith("--rehearse=-[")]


def test_bash_offers_files(tmp_path):
    (tmp_path / "kernel").touch()
    (tmp_path / "folder").mkdir()
    files = [str(tmp_path / "folder"), str(tmp_path / "kernel")]
    assert sorted(bash(f"{tmp_path}/")) == files
    assert sorted(bash("-l", f"--initrd={tmp_path}/")) == files
    assert bash(f"--host-root={tmp_path}/") == files[:1]
    assert bash(f"--boot-root={tmp_path}/") == files[:1]


LISTED = """*s bls       debian-6.1+b.conf
    title     Debian
   grub      $(touch /tmp/x)
   grub      two words
"""


def listing(folder):
    """A kexec that lists these entries."""
    program = folder / "kexec"
    program.write_text(f"#!/bin/sh\n[ \"$1\" = --list ] && cat <<'E'\n{LISTED}E\n")
    program.chmod(0o755)
    return program


def test_bash_offers_entries(tmp_path):
    said = shell("bash", "--norc", "-c", f"""
        . {BASH}
        COMP_WORDS=(kexec -l @) COMP_CWORD=2
        _kexec {listing(tmp_path)} @ -l
        printf '%s\\n' "${{COMPREPLY[@]}}" """).split()
    assert sorted(said) == ["@debian-6.1+b.conf", "@default", "@saved"]


def test_zsh_offers_entries(tmp_path):
    if not shutil.which("zsh"):
        pytest.skip("no zsh")
    said = shell("zsh", "-f", "-c", f"""
        _arguments() {{ PREFIX=@; _kexec_kernels }}
        compadd() {{ print -rl -- ${{(P)2}} }}
        words=({listing(tmp_path)}); . {ZSH}""").split()
    assert sorted(said) == ["@debian-6.1+b.conf", "@default", "@saved"]


def test_zsh_offers_every_option():
    specs = zsh_specs()
    expected = {(name, "=" if has_value or name == "rehearse" else "")
                for name, has_value in options().items()}
    assert {(s[1], s[2]) for s in (re.match(r"\*?--([a-z0-9-]+)(=?)-?\[.*\]", spec) for spec in specs)
            if s} == expected
    letters = {s[1] for s in (re.match(r"\*?-([a-zA-Z])\+?\[", spec) for spec in specs) if s}
    assert letters == set("lefuSphvtiascxydo")


def test_zsh_offers_every_value():
    specs = zsh_specs()
    for name, words in values().items():
        assert any(re.match(rf"\*--{name}=\[.*\]:[A-Z]+:\({re.escape(words)}\)$", spec)
                   for spec in specs), name
    assert [spec for spec in specs if spec.startswith("*--host-root=")][0].endswith(":_files -/")
    for name in ("initrd", "ramdisk", "dtb"):
        assert any(spec.startswith(f"*--{name}=") and spec.endswith(":_files") for spec in specs)
