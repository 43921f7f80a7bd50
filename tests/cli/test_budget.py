# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a capture kernel that does not fit into its reservation told apart from one that does?"""

import json

import pytest

import images
from kexec_run import run
from machines import GIB, MIB, Machine, pc as pc_map
from test_initrd import PACK, cpio

KERNEL = "6.1-cloud"


def of(folder, size, *words, initrd=b"", high=False, cpus=(0,)):
    """What kexec says of a machine with size MiB for a crash kernel."""
    start = 5 * GIB if high else GIB
    machine = Machine(pc_map(16 * GIB), crash_kernel=(start, start + size * MIB), cpus=cpus)
    (folder / "initrd").write_bytes(initrd)
    if initrd:
        words += (f"--initrd={folder / 'initrd'}",)
    return run("--dry-run", machine.write(folder / "host"), "-p", str(images.path(KERNEL)), *words)


def budget(result):
    found = json.loads(result.out)["budget"]
    found["lens"] = {item["name"]: item["len"] for item in found["items"]}
    at = [sum(item["len"] for item in found["items"] if item[moment])
          for moment in ("at_boot", "at_dump")]
    assert found["needed_len"] == max(at)
    assert found["fits"] == (found["needed_len"] <= found["reserved_len"])
    assert found["recommended_len"] >= found["needed_len"]
    assert found["largest"] in found["lens"]
    return found


@pytest.mark.parametrize("packing", PACK)
def test_initrd(folder, packing):
    """Files count in whole pages, whatever packs them."""
    plain = cpio(a=bytes(4097), b=b"x", c=b"", d=bytes(30 * MIB))
    packed = PACK[packing](plain)
    found = budget(of(folder, 512, "--json", initrd=packed).done())
    n_files, pages = 4, 2 + 1 + 30 * 256
    assert found["lens"]["initrd, unpacked"] == pages * 4096 + n_files * 1024
    assert found["lens"]["initrd"] == -(-len(packed) // 4096) * 4096


def test_initrd_that_nobody_can_read(folder):
    found = budget(of(folder, 512, "--json", initrd=b"\x55" * (4 * MIB)).done())
    assert found["lens"]["initrd, unpacked"] == 12 * MIB
    assert [i["estimate"] for i in found["items"] if i["name"] == "initrd, unpacked"] == [True]


def test_fits(folder):
    found = budget(of(folder, 512, "--json").done())
    assert found["fits"] and found["reserved_len"] == 512 * MIB
    assert b"fits" in of(folder, 512).done().out


def test_does_not_fit(folder):
    """A warning that names the largest item and what to do; the load goes on."""
    plain = cpio(big=bytes(200 * MIB))
    result = of(folder, 256, "--json", initrd=PACK["gzip"](plain))
    assert result.status == 0
    assert result.reasons() == []
    assert b"[crash/over-budget]" in result.err
    assert b"initrd, unpacked, 200" in result.err
    found = budget(result)
    assert not found["fits"] and found["largest"] == "initrd, unpacked"
    assert b"crashkernel=%dM" % (found["recommended_len"] // MIB) in result.err


def test_strict(folder):
    packed = PACK["gzip"](cpio(big=bytes(200 * MIB)))
    of(folder, 256, "--strict", initrd=packed).failed("crash/over-budget", says=["200"])
    of(folder, 512, "--strict", initrd=packed).done()


def test_what_is_recommended_fits(folder):
    packed = PACK["gzip"](cpio(big=bytes(200 * MIB)))
    size = budget(of(folder, 256, "--json", initrd=packed))["recommended_len"] // MIB
    assert budget(of(folder, size, "--json", initrd=packed).done())["fits"]


def test_cpus_and_bounce_buffers(folder):
    one = budget(of(folder, 512, "--json").done())
    many = budget(of(folder, 512, "--json", cpus=tuple(range(32))).done())
    told = budget(of(folder, 512, "--json", "--append=nr_cpus=1", cpus=tuple(range(32))).done())
    assert many["lens"]["per-CPU areas"] == 32 * one["lens"]["per-CPU areas"]
    assert told["lens"]["per-CPU areas"] == one["lens"]["per-CPU areas"]
    assert "swiotlb" not in one["lens"]
    assert budget(of(folder, 512, "--json", high=True).done())["lens"]["swiotlb"] == 64 * MIB


def test_only_for_a_panic(folder):
    (folder / "host").mkdir()
    host = Machine(pc_map(16 * GIB)).write(folder / "host")
    result = run("--dry-run", "--json", host, "-l", "--strict", str(images.path(KERNEL)))
    assert result.status == 0
    assert "budget" not in json.loads(result.out)
