# SPDX-License-Identifier: GPL-2.0-or-later
"""The program as a file: hardened, the same bytes wherever it is built, with a bill of materials."""

import hashlib
import json
import os
import re
import stat
import subprocess

import pytest

from kexec_run import TOP, binary

PROGRAMS = ("kexec", "vmcore-dmesg")


def readelf(option, path):
    return subprocess.run(["readelf", "--wide", option, path], capture_output=True, text=True,
                          check=True, timeout=60).stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_hardening(name):
    path = binary().parent / name
    headers, dynamic = readelf("--program-headers", path), readelf("--dynamic", path)
    assert re.search(r"Elf file type is DYN", headers), "no PIE"
    assert re.search(r"GNU_STACK .* RW +0x", headers), "an executable stack"
    assert "GNU_RELRO" in headers, "tables of the linker stay writable"
    assert re.search(r"FLAGS.*(BIND_)?NOW", dynamic), "bound late, so those tables stay writable"
    assert not re.search(r"LOAD .* RWE ", headers), "memory that is writable and executable"
    symbols = readelf("--symbols", path)
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk\b", symbols.replace("__stack_chk_fail", "")), "not fortified"
    assert not os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID)


def names(option, path):
    listed = subprocess.run(["nm", option, path], capture_output=True, text=True, check=True, timeout=60).stdout
    return {line.split()[-1] for line in listed.splitlines()}


def test_the_report_stands_alone():
    """What purgatory reports damage with has a checksum of its own, and so uses nothing that this does not cover:
    no code but what goes back to a process, where nothing would be reset."""
    folder = binary().parent.parent / "purgatory"
    objects = [folder / f"{name}.c.o" for name in ("report", "console", "failure")]
    used = set().union(*(names("--undefined-only", path) for path in objects))
    own = set().union(*(names("--defined-only", path) for path in objects))
    assert used - own == {"handoff", "image_start", "image_end", "leave_to_process"}


def sources():
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "-z", "-c", "-o", "--exclude-standard"],
                            capture_output=True, check=True, timeout=60).stdout
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def build(folder):
    for name in sources():
        where = folder / name
        where.parent.mkdir(parents=True, exist_ok=True)
        if (TOP / name).is_file():
            where.write_bytes((TOP / name).read_bytes())
    subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "CFLAGS=-O1 -g", "all"], cwd=folder,
                   check=True, timeout=600, stdout=subprocess.DEVNULL,
                   env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    return {name: hashlib.sha256((folder / "build/bin" / name).read_bytes()).hexdigest() for name in PROGRAMS}


def test_reproducible(folder):
    """The place where it is built is not in it, nor the time."""
    assert build(folder / "a") == build(folder / "another" / "place" / "of" / "b")


def test_bill_of_materials(folder):
    """It has just the libraries that the program needs at run time."""
    build_folder = folder / "build"
    subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "-C", TOP, f"BUILD={build_folder}",
                    "CFLAGS=-O1", "sbom"], check=True, timeout=600, stdout=subprocess.DEVNULL,
                   env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    bill = json.loads((build_folder / "kexec-ng.spdx.json").read_text())
    needed = set(re.findall(r"NEEDED.*\[(.*?)\.so", readelf("--dynamic", build_folder / "bin/kexec")))
    listed = {one["packageFileName"].partition(".so")[0] for one in bill["packages"][1:]}
    assert needed <= {re.sub(r"-[\d.]+$", "", name) for name in listed} | {"ld-linux-x86-64"}
    assert "libz" in needed and len(listed) == len(bill["packages"]) - 1
    for one in bill["packages"][1:]:
        assert one["versionInfo"] != "NOASSERTION", one
        assert re.fullmatch("[0-9a-f]{64}", one["checksums"][0]["checksumValue"])
