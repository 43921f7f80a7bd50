# SPDX-License-Identifier: GPL-2.0-or-later
"""--enter=pvh: kernels entered by the PHYS32_ENTRY note of the vmlinux inside them.

That it was that entry is seen from what only it does: the kernel makes its boot parameters itself
and calls its loader 0xb0 (arch/x86/platform/pvh/enlighten.c); and a debugger finds the CPU there
with the address of a start info in ebx.
"""

import struct

import pytest

from guest import Guest, Machine, expected_parts, initramfs, initrd_parts, kernel, kexec_files
from test_boot import MAP_SLACK, MEMORY_SLACK_KIB
from test_integrity import AtPurgatory

LOADER = "0xb0"
MAGIC = 0x336ec578
LINE = "console=ttyS0 panic=-1 ng.text=\"two words\""


def boot(first, second, machine, log, options=("--enter=pvh",), n_parts=1):
    first, second = kernel(first), kernel(second)
    parts = initrd_parts({"": "facts\nproof second"}, n_parts, second.bits)
    words = ["/sbin/kexec", "-l", "/k2", *options, f"--append={LINE}",
             *(f"--initrd=/i2.{k}" for k in range(1, n_parts + 1))]
    load = "run " + " ".join(f"'{word}'" for word in words)
    initrd = initramfs({"": f"facts\n{load}\nrun /sbin/kexec -e"}, {
        **kexec_files(), "/k2": second.image,
        **{f"/i2.{k}": part for k, part in enumerate(parts, start=1)}})
    with Guest(machine, first, initrd, "loglevel=4", log=log) as guest:
        before = guest.facts()
        guest.expect(r"NG-STATUS 0$")
        guest.expect(r"NG-RUN /sbin/kexec -e")
        guest.expect(r"kexec: 3 segments intact, starting kernel")
        guest.expect(rf"Linux version {second.release} ".replace("+", r"\+"))
        after = guest.facts()
        guest.expect(r"NG-PROOF second")
    assert after["release"] == second.release
    assert after["cmdline"] == LINE
    assert after["parts"] == expected_parts(n_parts)
    assert after["loader"] == LOADER
    assert after["cpus"] == machine.smp
    assert after["mem_kib"] >= before["mem_kib"] - MEMORY_SLACK_KIB
    assert abs(after["memmap_ram"] - before["memmap_ram"]) <= MAP_SLACK
    assert after["acpi_tables"] == before["acpi_tables"] > 0
    assert not after["efi"] and not after["la57"]


@pytest.mark.parametrize("first, second, machine, n_parts", [
    pytest.param("6.1-cloud", "6.1-686-pae", Machine(memory=1024), 2, marks=pytest.mark.long_form),
    pytest.param("6.12-amd64", "6.1-686-pae", Machine("ovmf", memory=5120, smp=4), 1,
                 marks=pytest.mark.long_form),
    ("6.1-cloud", "6.12-amd64", Machine(memory=2048, smp=4), 2),
    pytest.param("6.12-amd64", "6.1-amd64", Machine(memory=1024), 1,
                 marks=pytest.mark.long_form),
    pytest.param("6.1-cloud", "7-amd64", Machine("ovmf", memory=5120, smp=4, vga="std"), 1,
                 marks=pytest.mark.long_form),
    pytest.param("7-amd64", "7-amd64", Machine(cpu="qemu64"), 3, marks=pytest.mark.long_form),
    pytest.param("7-amd64", "6.1-cloud", Machine("ovmf", memory=2048), 1,
                 marks=pytest.mark.long_form),
    pytest.param("6.1-amd64", "5.10-amd64", Machine(memory=2048), 1, marks=pytest.mark.long_form),
], ids=str)
def test_boot(first, second, machine, n_parts, log_folder):
    boot(first, second, machine, log_folder, n_parts=n_parts)


@pytest.mark.long_form
def test_chosen_by_the_subarchitecture(log_folder):
    boot("6.1-cloud", "6.12-amd64", Machine(memory=2048), log_folder, options=("--subarch=xen",))


@pytest.mark.long_form
def test_state(log_folder):
    """Registers and start info at the kernel's first instruction, as Xen's PVH ABI has them."""
    with AtPurgatory(log_folder, options="--enter=pvh") as at:
        jump = at.plan["jump"]
        entry, info = int(jump["entry"], 0), int(jump["arg"], 0)
        assert jump["mode"] == "32" and at.plan["entry_name"] == "pvh"
        at.gdb.break_at(entry)
        at.gdb.resume()
        at.gdb.wait_stop(entry, 60)
        cpu = at.gdb.registers()
        assert cpu.rbx == info
        assert cpu.cr0 & 1 and not cpu.cr0 >> 31 and cpu.cr4 == 0
        assert not cpu.efer & 0x500 and not cpu.eflags & 0x20300  # LME, LMA; VM, IF, TF
        head = struct.unpack("<4I4Q2I", at.gdb.read(info, 56))
        assert head[:3] == (MAGIC, 1, 0) and head[3] == 1 and head[9] == 0
        initrd, = (s for s in at.plan["segments"] if s["name"] == "initrd")
        assert struct.unpack("<2Q", at.gdb.read(head[4], 16)) == (
            int(initrd["addr"], 0), initrd["len"])
        entries = [struct.unpack("<2QI", at.gdb.read(head[7] + 24 * i, 20))
                   for i in range(head[8])]
        assert entries == [(int(e["start"], 0), int(e["end"], 0) - int(e["start"], 0), e["type"])
                           for e in at.plan["e820"]["entries"]]
        at.gdb.unbreak(entry)
        at.gdb.resume()
        at.guest.expect("NG-PROOF second")
