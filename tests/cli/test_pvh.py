# SPDX-License-Identifier: GPL-2.0-or-later
"""--enter=pvh and --subarch on real kernels: plans by an independent reading, and refusals."""

import pytest

import images
import plans
from kexec_run import run


@pytest.mark.parametrize("name", images.NAMES)
def test_plan(pc, folder, name):
    """plans.py compares it with the notes and the PT_LOADs of the kernel inside."""
    (folder / "initrd").write_bytes(b"x" * 5000)
    plan = plans.of(pc, images.path(name), "--enter=pvh", f"--initrd={folder / 'initrd'}",
                    "--append=quiet")
    assert plan.is_pvh and plan["subarch"] == "pc"
    assert ("pvh/as-linked" in plan.notes) == name.startswith("6.1-")
    assert "pvh/no-kaslr" in plan.notes
    assert ("pvh/32-bit" in plan.notes) == ("686" in name)


def test_the_table_decides(pc):
    path = images.path("6.12-amd64")
    asked = plans.of(pc, path, "--enter=pvh", "--seed=1")
    chosen = plans.of(pc, path, "--subarch=xen", "--seed=1")
    assert chosen["subarch"] == "xen"
    assert chosen["segments"] == asked["segments"]
    plan = plans.of(pc, path, "--subarch=intel-mid", "--subarch-data=0x1234")
    assert plan.is_direct and plan["subarch"] == "intel-mid"
    assert plans.of(pc, path, "--subarch=99")["subarch"] == "number 99"
    assert plans.of(pc, path)["subarch"] == "pc"


@pytest.mark.parametrize("name, words, why", [
    ("6.1-cloud", ["--subarch=lguest"], "subarch/not-here"),
    ("6.1-cloud", ["--subarch=ce4100"], "subarch/needs-32-bit"),
    ("6.1-cloud", ["--subarch=xen", "--enter=direct"], "subarch/entry"),
    ("6.1-cloud", ["--subarch=xen", "--real-mode"], "subarch/entry"),
    ("6.1-cloud", ["--subarch=intel-mid", "--enter=16"], "subarch/entry"),
    ("6.1-cloud", ["--subarch=intel-mid", "--enter=pvh"], "subarch/entry"),
    ("6.1-cloud", ["--subarch=xen", "--subarch-data=1"], "subarch/data"),
    # Its PVH entry works at 16 MiB only.
    ("6.1-cloud", ["--enter=pvh", "--mem-min=32M"], "place/no-hole"),
    ("6.12-amd64", ["--enter=pvh", "--mem-min=1G"], "place/no-hole"),
])
def test_refused(pc, name, words, why):
    run("--dry-run", pc, images.path(name), *words).failed(why)


def test_32_bits_read_low_memory_only(pc):
    """What the first page tables of a 32-bit kernel map, it can read: what is below the kernel."""
    for words in ["--enter=pvh"], ["--subarch=xen"]:
        plan = plans.of(pc, images.path("6.1-686-pae"), *words)
        assert plan.is_pvh and plan["jump"]["mode"] == "32"
        at = {s["name"]: (int(s["addr"], 0), s["mem_len"]) for s in plan["segments"]}
        assert sum(at["params"]) <= at["kernel"][0] == 16 << 20
        assert int(plan["jump"]["arg"], 0) == at["params"][0]


@pytest.mark.parametrize("words", [["--subarch=pc"], ["--subarch-data=1"]])
def test_not_by_the_file_call(pc, words):
    run("--dry-run", pc, "-s", "-l", images.path("6.1-cloud"), *words).failed("load/file-subarch")


def test_32_bit_boards(pc):
    plan = plans.of(pc, images.path("6.1-686-pae"), "--subarch=ce4100", warns="subarch/paravirt")
    assert plan.is_direct and plan["jump"]["mode"] == "32"


# What doc/kexec.8 says of each machine: entries that it is started by, and why there are no others.
ROWS = {
    "pc": {"auto": "direct", "direct": "direct", "64": "64", "32": "32", "16": "16", "pvh": "pvh"},
    "lguest": dict.fromkeys(["auto", "direct", "64", "32", "16", "pvh"], "subarch/not-here"),
    "xen": {"auto": "pvh", "direct": "subarch/entry", "64": "subarch/entry", "32": "subarch/entry",
            "16": "subarch/entry", "pvh": "pvh"},
    "intel-mid": {"auto": "direct", "direct": "direct", "64": "64", "32": "32", "16": "subarch/entry",
                  "pvh": "subarch/entry"},
    "ce4100": dict.fromkeys(["auto", "direct", "64", "32", "16", "pvh"], "subarch/needs-32-bit"),
    "77": {"auto": "direct", "direct": "direct", "64": "64", "32": "32", "16": "16",
           "pvh": "subarch/entry"},
}
ROWS_OF_32_BITS = {
    "pc": {"auto": "direct", "direct": "direct", "32": "32", "16": "16", "pvh": "pvh"},
    "xen": {"auto": "pvh", "32": "subarch/entry", "pvh": "pvh"},
    "intel-mid": {"auto": "direct", "32": "32", "16": "subarch/entry", "pvh": "subarch/entry"},
    "ce4100": {"auto": "direct", "direct": "direct", "32": "32", "16": "subarch/entry",
               "pvh": "subarch/entry"},
}


def check_row(pc, kernel, machine, row):
    for enter, expected in row.items():
        words = [f"--subarch={machine}", f"--enter={enter}", "--append=edd=off"]
        if "/" in expected:
            text = run("--dry-run", pc, images.path(kernel), *words).failed(expected)
            assert "cannot be started here: " in text or " is not entered by " in text or \
                "only 32-bit ones know" in text, "without a reason"
            continue
        is_warned = "686" in kernel and machine not in ("pc", "xen")
        plan = plans.of(pc, images.path(kernel), *words,
                        warns="subarch/paravirt" if is_warned else None)
        assert plan["entry_name"] == expected, (machine, enter)
        assert plan["subarch"] == (f"number {machine}" if machine.isdigit() else machine)


@pytest.mark.parametrize("machine", ROWS)
def test_every_row(pc, machine):
    check_row(pc, "6.1-cloud", machine, ROWS[machine])


@pytest.mark.parametrize("machine", ROWS_OF_32_BITS)
def test_every_row_of_32_bits(pc, machine):
    check_row(pc, "6.1-686-pae", machine, ROWS_OF_32_BITS[machine])
