# SPDX-License-Identifier: GPL-2.0-or-later
"""Unified kernel images and addons, made by the programs that people make them with."""

import pathlib
import subprocess
import sys

from guest import HERE, cache

LIMIT = 60  # seconds for one of them

# The stub that bookworm has, which knows neither profiles nor .ucode.
OLD_STUB = pathlib.Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")


def tool(name):
    """A file of the newer suite's ukify; fetches it if it is not there."""
    where = cache() / "tools" / "ukify" / name
    if not where.exists() and subprocess.run([HERE / "fetch", "ukify"], timeout=600).returncode:
        raise FileNotFoundError("no ukify: tests/vm/fetch failed")
    return where


def ukify(out, stub="linuxx64.efi.stub", **options):
    """Runs ukify build; options by their names, a list for one that is given several times."""
    words = [f"--stub={tool(stub)}", f"--output={out}"]
    for name, values in options.items():
        for value in values if isinstance(values, list) else [values]:
            words.append(f"--{name.replace('_', '-')}={value}")
    subprocess.run([sys.executable, "-B", tool("ukify"), "build", *words], check=True,
                   capture_output=True, timeout=LIMIT)
    return out


def addon(out, **options):
    return ukify(out, stub="addonx64.efi.stub", **options)


def with_profiles(out, profiles, **options):
    """profiles: {ID: options of it}; each is made as a file of its own, and then joined."""
    parts = [addon(out.with_name(f"{out.name}.{name}"), profile=f"ID={name}\nTITLE=The {name} one",
                   **more) for name, more in profiles.items()]
    return ukify(out, join_profile=parts, **options)


def by_objcopy(out, sections):
    """By objcopy, as it was done before ukify, from bookworm's own stub: {name: file}."""
    listed = subprocess.run(["objdump", "-h", OLD_STUB], check=True, capture_output=True,
                            text=True, timeout=LIMIT).stdout
    rows = [line.split() for line in listed.splitlines() if line.split()[:1] and
            line.split()[0].isdigit()]
    align, words = 4096, []
    at = max(int(row[3], 16) + int(row[2], 16) for row in rows)
    for name, file in sections.items():
        at += -at % align
        words += [f"--add-section={name}={file}", f"--change-section-vma={name}={at:#x}"]
        at += file.stat().st_size
    subprocess.run(["objcopy", *words, OLD_STUB, out], check=True, timeout=LIMIT)
    return out
