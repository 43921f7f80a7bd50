# SPDX-License-Identifier: GPL-2.0-or-later
"""Jumps that the first kernel comes back from, on a kernel with CONFIG_KEXEC_JUMP."""

import re

import pytest

from guest import Guest, Machine, compiled, initramfs, jump_kernel, kexec_files

WORDS = re.compile(r"^kexec_jump_back_entry=0x[0-9a-f]{16} kexec_jump_back_gdt=0xf[0-9a-f]{15} ")


def payload():
    """payload.S as a 64-bit ELF program, linked where the first kernel has its own code."""
    program = compiled("payload", "payload.S", "-nostdlib", "-static",
                       "-Wl,-Ttext=0x1000000,--build-id=none")
    return program.read_bytes()


@pytest.mark.long_form
@pytest.mark.parametrize("cpu", ["max", "max,la57=off"])
def test_program(cpu, log_folder):
    """Another CPU is switched off meanwhile, and the window is where the kernel is."""
    job = "\n".join([
        "facts",
        "run /sbin/kexec --load-preserve-context --args-none --mem-max=0x7ffffff /payload",
        "run /sbin/kexec -e",
        "proof once",
        "run /sbin/kexec -e",
        "facts",
        "run /sbin/kexec -u",
        "run-expect 1 /sbin/kexec -e",
        "proof twice",
    ])
    files = {**kexec_files(), "/payload": payload()}
    machine = Machine(memory=512, smp=2, cpu=cpu)
    with Guest(machine, jump_kernel(), initramfs({"": job}, files), "loglevel=4 nokaslr",
               log=log_folder) as guest:
        before = guest.facts()
        assert before["kernel_code"] == "0x1000000"
        guest.expect(r"kexec: \d segments? intact, starting program")
        guest.expect(r"NG-PAYLOAD call 1")
        guest.expect(r"NG-PROOF once")
        guest.expect(r"kexec: once more, starting program")
        guest.expect(r"NG-PAYLOAD call 2")
        after = guest.facts()
        assert after["cpus"] == before["cpus"] == 2
        assert after["la57"] == before["la57"] == (cpu == "max")
        guest.expect(r"NG-PROOF twice")


@pytest.mark.long_form
def test_kernel(log_folder):
    """To and fro between two kernels, each of which goes on where it was."""
    first = "\n".join([
        "facts",
        "run /sbin/kexec --load-preserve-context --mem-max=0xfffffff /k --initrd=/second "
        "'--append=console=ttyS0 panic=-1 loglevel=4 nr_cpus=1 ng.job=second'",
        "run /sbin/kexec -e",
        "proof first-again",
        "run /sbin/kexec -e",
        "proof first-at-last",
    ])
    second = "\n".join([
        "facts",
        "run /sbin/kexec --load-jump-back-helper",
        "run-expect 255 /sbin/kexec --load-jump-back-helper",
        "run /sbin/kexec -e",
        "proof second-again",
        "run /sbin/kexec -e",
    ])
    files = {**kexec_files(), "/k": jump_kernel().image,
             "/second": initramfs({"second": second}, kexec_files())}
    with Guest(Machine(memory=1024), jump_kernel(), initramfs({"": first}, files), "loglevel=4",
               log=log_folder) as guest:
        before = guest.facts()
        guest.expect(r"kexec: \d segments intact, starting kernel")
        after = guest.facts()
        assert WORDS.match(after["cmdline"])
        assert after["mem_kib"] < 256 * 1024 < before["mem_kib"]
        guest.expect(r"\[jump/loaded\]")
        guest.expect(r"kexec: intact, jumping back")
        guest.expect(r"NG-PROOF first-again")
        guest.expect(r"NG-PROOF second-again")
        guest.expect(r"kexec: once more, jumping back")
        guest.expect(r"NG-PROOF first-at-last")
