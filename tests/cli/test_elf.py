# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels as ELF files: what the plan makes of real ones, and what is refused."""

import shutil
import struct

import pytest

import images
import plans
from kexec_run import run

P_PADDR = {64: 24, 32: 12}


def stripped(name):
    """As the kernel's build has it before it is packed, without the relocations behind it."""
    found = images.unpacked(name)
    return found.data[:found.elf_len]


def plan_of(where, *more):
    return plans.Plan(run("--dry-run", "--json", *more, where).done().out)


@pytest.mark.parametrize("name", ["6.1-cloud", "7-amd64", "6.1-686-pae"])
def test_as_linked(folder, pc, name):
    model = images.unpacked(name)
    where = folder / "vmlinux"
    where.write_bytes(stripped(name))
    plan = plan_of(where, pc, "--append=console=ttyS0")
    kernel = plan.segment("kernel")
    assert plan["type"] == ("elf-x86_64" if model.is_64 else "elf-x86")
    assert plan["entry_name"] == "direct" and "vmlinux/as-linked" in plan.notes
    assert plan["jump"]["mode"] == ("64" if model.is_64 else "32")
    assert kernel["addr"] == model.link_paddr == 0x1000000
    assert int(plan["jump"]["entry"], 16) == kernel["addr"] + model.entry_off
    assert kernel["reserve_len"] == -(-model.window_len // 4096) * 4096
    assert plan["kaslr"] == {"drawn": False, "vaddr_delta": "0x0"}
    assert plan["kernel_version"].startswith(images.real(name)[
        images.real(name).version_off:].split(b" ")[0].decode())


@pytest.mark.parametrize("name", ["6.1-cloud", "6.1-686-pae"])
def test_same_as_the_bzimage(folder, pc, name):
    """With its relocations it goes where its bzImage would with the same seed."""
    where = folder / "vmlinux"
    where.write_bytes(images.unpacked(name).data)
    plan = plan_of(where, pc, "--seed=5", "--append=quiet")
    other = plan_of(images.path(name), pc, "--seed=5", "--append=quiet")
    assert plan["kaslr"]["drawn"] and other["kaslr"]["drawn"]
    if name == "6.1-cloud":  # the header of the other one has an alignment of its own
        assert plan.segment("kernel") == other.segment("kernel")
        assert plan["kaslr"] == other["kaslr"]


@pytest.mark.parametrize("words", [
    ("--args-linux",), ("--type=elf-x86_64",), ("-t", "elf-x86_64", "--enter=direct"), ("-c",)])
def test_accepted(folder, pc, words):
    where = folder / "vmlinux"
    where.write_bytes(stripped("6.1-cloud"))
    plan_of(where, pc, *words)


@pytest.mark.parametrize("words, expected", [
    (("--type=bzImage",), "probe/type-differs"), (("--type=elf-x86",), "probe/type-differs"),
    (("--enter=64",), "vmlinux/no-stub"), (("--enter=32",), "vmlinux/no-stub"),
    (("--append=mem_encrypt=on",), "vmlinux/needs-stub"),
    (("--mem-min=64M",), "place/no-hole")])
def test_refused(folder, pc, words, expected):
    where = folder / "vmlinux"
    where.write_bytes(stripped("6.1-cloud"))
    run("--dry-run", pc, where, *words).failed(expected)


def test_half(folder, pc):
    where = folder / "half"
    data = stripped("6.1-cloud")
    where.write_bytes(data[:len(data) // 2])
    run("--dry-run", pc, where).failed("elf/load-outside")


def test_loads_that_overlap(folder, pc):
    data = bytearray(stripped("6.1-cloud"))
    first, = struct.unpack_from("<Q", data, 64 + P_PADDR[64])
    struct.pack_into("<Q", data, 64 + 56 + P_PADDR[64], first)
    where = folder / "overlap"
    where.write_bytes(data)
    run("--dry-run", pc, where).failed("elf/loads-overlap")


def test_program(pc):
    """One that wants a dynamic loader and a running system."""
    run("--dry-run", pc, shutil.which("true")).failed("probe/unknown-type", says=("interpreter",))


def test_static_program(pc):
    """It could be jumped into; it is no kernel."""
    run("--dry-run", pc, "/sbin/ldconfig").failed("elf/not-linux", says=("ldconfig",))
