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
