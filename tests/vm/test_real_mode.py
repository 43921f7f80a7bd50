# SPDX-License-Identifier: GPL-2.0-or-later
"""--enter=16: the image's own setup code runs in real mode, asks the BIOS, and boots its kernel.

That it ran is seen from what only it does: with earlyprintk and debug on the command line it says
so on the serial port, by its own instructions (arch/x86/boot/main.c); a debugger finds the CPU in
real mode at its first byte; and a text mode that is asked for by vga= is there afterwards.
"""

import pytest

from guest import Guest, Machine, initramfs, initrd_parts, kernel, kexec_files
from test_boot import check_facts
from test_crash import symbol
from test_integrity import AtPurgatory, RESET_LIMIT

FIRST = "6.1-cloud"
SETUP = 0x10000  # where the lowest 64 KiB are that are no BIOS's; test_state looks there
SAYS = "earlyprintk=ttyS0 debug loglevel=4"
SAID = r"early console in setup code"


def load_command(second, command_line, options, status=0):
    words = ["/sbin/kexec", "-l", "/k2", "--initrd=/i2", *options, f"--append={command_line}"]
    return f"run-expect {status} " + " ".join(f"'{word}'" for word in words)


def guest(machine, second, command_line, options, log, status=0):
    (part,) = initrd_parts({"": "facts\nproof second"}, 1, second.bits)
    load = load_command(second, command_line, options, status)
    then = "" if status else "run /sbin/kexec -e"
    initrd = initramfs({"": f"facts\n{load}\n{then}"}, {
        **kexec_files(), "/k2": second.image, "/i2": part})
    return Guest(machine, kernel(FIRST), initrd, "loglevel=4", log=log)


@pytest.mark.parametrize("second, machine, option", [
    ("6.1-amd64", Machine(), "--enter=16"),
    ("6.12-amd64", Machine(memory=2048, smp=4, vga="std"), "--real-mode"),
    ("7-amd64", Machine(cpu="qemu64", memory=5120, smp=4), "--enter=16"),
    ("6.1-686-pae", Machine(memory=2048, smp=4), "--enter=16"),
    ("6.1-686-pae", Machine(cpu="qemu64"), "--enter=16"),
], ids=str)
def test_boot(second, machine, option, log_folder):
    second = kernel(second)
    line = f"console=ttyS0 panic=-1 {SAYS} ng.text=\"two words\""
    with guest(machine, second, line, [option], log_folder) as here:
        before = here.facts()
        assert not any(SAID in text for _, text in here.lines[:here.n_used])
        here.expect(r"NG-RUN /sbin/kexec -e")
        here.expect(r"kexec: 3 segments intact, starting kernel")
        here.expect(SAID)
        here.expect(rf"Linux version {second.release} ".replace("+", r"\+"))
        after = here.facts()
        here.expect(r"NG-PROOF second")
    check_facts(before, after, machine, second, line, 1)
    # What the BIOS says to the setup code, it said to the first one.
    assert after["memmap_digest"] == before["memmap_digest"]
    assert after["loader"] == "0xd1"


def test_state(log_folder):
    """The registers at the setup code's first instruction, as the boot protocol has them."""
    with AtPurgatory(log_folder, options="--enter=16") as at:
        setup, = (s for s in at.plan["segments"] if s["name"] == "setup")
        assert int(setup["addr"], 0) == SETUP
        entry = SETUP + 0x200
        at.gdb.break_at(entry)
        at.gdb.resume()
        at.gdb.wait_stop(entry, 60)
        cpu = at.gdb.registers()
        assert cpu.is_real_mode and (cpu.cs, cpu.rip) == (entry >> 4, 0)
        assert {cpu.ds, cpu.es, cpu.fs, cpu.gs, cpu.ss} == {SETUP >> 4}
        assert cpu.rsp == 0xe000
        assert not any(getattr(cpu, name) for name in cpu.GENERAL if name != "rsp")
        assert not cpu.eflags & 0x600  # IF, DF
        assert not cpu.cr0 >> 31 and cpu.cr4 == 0 and not cpu.efer & 0x500  # PG, LME, LMA
        at.gdb.unbreak(entry)
        at.gdb.resume()
        at.guest.expect("NG-PROOF second")


def test_video_mode(log_folder):
    """The setup code sets the mode that vga= asks for: nobody else does that here."""
    line = "console=ttyS0 panic=-1 loglevel=4 vga=0x0f01"  # 80x50
    machine = Machine(memory=512, vga="std")
    with guest(machine, kernel("6.1-amd64"), line, ["--enter=16"], log_folder) as here:
        assert here.facts()["text_lines"] == 25
        assert here.facts()["text_lines"] == 50


def test_efi(log_folder):
    """No BIOS, no real mode: refused before anything is loaded."""
    with guest(Machine("ovmf"), kernel("6.1-amd64"), "quiet", ["--enter=16"], log_folder,
               status=255) as here:
        assert here.facts()["efi"]
        here.expect(r"needs a BIOS.*EFI firmware.*\[real-mode/no-bios\]")
        here.expect(r"NG-STATUS 255")


@pytest.mark.parametrize("offset", [0x1f1, 0x3000, 0x10000])
def test_damage(offset, log_folder):
    """One flipped bit in the setup code or its command line."""
    with AtPurgatory(log_folder, options="--enter=16") as at:
        at.flip(SETUP + offset)
        at.gdb.resume()
        at.guest.expect(r"kexec: segment setup is damaged", seconds=RESET_LIMIT)
        at.guest.wait_reset(RESET_LIMIT)
        assert not any("Linux version" in text for _, text in at.guest.lines)


@pytest.mark.parametrize("vector", [0x10, 0x15])
def test_bios_is_gone(vector, log_folder):
    """Interrupt vectors that lead nowhere: purgatory says so and resets, the setup code would hang."""
    with AtPurgatory(log_folder, options="--enter=16") as at:
        at.gdb.write(4 * vector, bytes(4))
        at.gdb.resume()
        at.guest.expect(rf"kexec: no BIOS for the real mode entry: interrupt {vector:#x} leads to",
                        seconds=RESET_LIMIT)
        at.guest.wait_reset(RESET_LIMIT)


class A20:
    """The line by which the machine tells an odd MiB from an even one, switched as firmware does it."""

    def __init__(self, at):
        self._at = at

    def switch(self, is_on):
        self._at.guest.monitor("human-monitor-command", **{"command-line": f"o /b 0x92 {2 * is_on}"})

    @property
    def is_on(self):
        """Does the CPU, which has no page tables, see two places in memory, not one twice?"""
        self._at.gdb.address_virtually(True)
        found = [self._at.gdb.read(address, 64) for address in (0x400, 0x100400)]
        self._at.gdb.address_virtually(False)
        return found[0] != found[1]


def test_a20_off(log_folder):
    """The setup code finds the line off, and switches it on before it jumps to its kernel."""
    with AtPurgatory(log_folder, options="--enter=16") as at:
        at.run_to_kernel()
        assert at.gdb.registers().is_real_mode
        line = A20(at)
        assert line.is_on
        line.switch(False)
        assert not line.is_on
        kernel_segment, = (s for s in at.plan["segments"] if s["name"] == "kernel")
        at.run_to(int(kernel_segment["addr"], 0))
        assert not at.gdb.registers().is_real_mode
        assert line.is_on
        at.gdb.resume()
        at.guest.expect("NG-PROOF second")


@pytest.mark.long_form
@pytest.mark.parametrize("limit, is_named", [("--mem-max=0x1e100000", True), ("--mem-max=0x1e000000", False)])
def test_a20_off_in_purgatory(limit, is_named, log_folder):
    """No running kernel is without that line: it lives in both halves of memory. Where purgatory itself is in the
    half that is left, it names what it does not see. Else the CPU finds neither code nor tables, and resets."""
    with AtPurgatory(log_folder, options=limit) as at:
        purgatory, = (int(s["addr"], 0) for s in at.plan["segments"] if s["name"] == "purgatory")
        assert purgatory >> 20 & 1 != is_named
        at.run_to(purgatory + symbol("verify_regions"))     # by its own page tables
        A20(at).switch(False)
        at.gdb.resume()
        if is_named:
            at.guest.expect("kexec: segment kernel is damaged", seconds=RESET_LIMIT)
        at.guest.wait_reset(RESET_LIMIT)
        text = "\n".join(line for _, line in at.guest.lines)
        assert ("is damaged" in text) == is_named and "intact" not in text
