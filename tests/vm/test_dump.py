# SPDX-License-Identifier: GPL-2.0-or-later
"""What a crash leaves is read by the tools that read dumps, and by our vmcore-dmesg.

Each kernel panics for real and starts its capture kernel; makedumpfile is the one of the kernel's
own suite of Debian.
"""

import mmap
import os
import re
import subprocess

import pytest

from dumps import (FILE_MARK, KERNEL_MARK, LOG_MARK, PANIC, SUITE, Tools, crashed, fetch_core,
                   make_core, vmcore_dmesg_binary)
from guest import Guest, HERE, Machine, cache, initramfs, kernel

KERNELS = ["6.1-amd64", "6.12-amd64", "7-amd64"]


def found(guest, path):
    """How often the next search of init, which is of that file, found its text."""
    return int(guest.expect(rf"NG-FOUND (\d+) .* in {path}$")[1])


def compare_logs(name, core):
    """Byte for byte what vmcore-dmesg of kexec-tools prints from the same core; returns it."""
    theirs = subprocess.run(Tools.of(SUITE[name]).command("vmcore-dmesg", core),
                            capture_output=True, timeout=120)
    ours = subprocess.run([vmcore_dmesg_binary(), core], capture_output=True, timeout=120)
    assert theirs.returncode == 0 and ours.returncode == 0
    assert ours.stdout == theirs.stdout and ours.stderr == b""
    return ours.stdout.decode()


def compare_cut_logs(core):
    """Of a core that is cut short, what is there is printed, and that it is cut is said."""
    whole = subprocess.run([vmcore_dmesg_binary(), core], capture_output=True, timeout=120)
    short = core.with_suffix(".short")
    subprocess.run(["cp", "--sparse=always", core, short], check=True, timeout=120)
    os.truncate(short, place_of(core, LOG_MARK))
    cut = subprocess.run([vmcore_dmesg_binary(), short], capture_output=True, timeout=120)
    assert cut.returncode == 3 and b"[printk/incomplete]" in cut.stderr
    assert cut.stdout and whole.stdout.startswith(cut.stdout) and cut.stdout != whole.stdout


def check_filter(tools, core):
    """What makedumpfile leaves is little, and has the kernel's data and its log."""
    filtered = core.with_suffix(".filtered")
    subprocess.run(tools.command("makedumpfile", "--message-level", "4", "-E", "-d", "31", core,
                                 filtered), check=True, timeout=300)
    assert count_of(core, KERNEL_MARK) > 0 and count_of(core, FILE_MARK) > 0
    assert count_of(filtered, KERNEL_MARK) > 0
    assert filtered.stat().st_size < core.stat().st_size / 2
    logs = [subprocess.run([vmcore_dmesg_binary(), path], capture_output=True, timeout=120)
            for path in (core, filtered)]
    assert logs[0].stdout == logs[1].stdout and logs[1].returncode == 0


def count_of(path, text):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        return len(re.findall(re.escape(text.encode()), memory))


def place_of(core, text):
    """Where the log has the text, in the core: the last place, since the ring is what was used."""
    with open(core, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        found = re.search(re.escape(text.encode()) + rb".{0,64}sysrq: Trigger a crash", memory,
                          re.DOTALL)
        return found.start()


def check_backtrace(core, release):
    """crash finds the CPU that panicked, and what it did, with the kernel's debug symbols."""
    if subprocess.run([HERE / "fetch-symbols", release], timeout=1800).returncode != 0:
        raise FileNotFoundError(f"no symbols of {release}: tests/vm/fetch-symbols failed")
    symbols = cache() / "symbols" / release / "vmlinux"
    ran = subprocess.run(["crash", "-s", symbols, core], input="sys\nbt\nquit\n",
                         capture_output=True, text=True, timeout=600)
    print(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert f"RELEASE: {release}" in ran.stdout
    assert 'PANIC: "Kernel panic - not syncing: sysrq triggered crash"' in ran.stdout
    stack = re.findall(r"#\d+ \[\w+\] (\w+) at", ran.stdout)
    assert "machine_kexec" in stack and "sysrq_handle_crash" in stack
    assert stack.index("panic") < stack.index("sysrq_handle_crash") < stack.index("ksys_write")


@pytest.mark.parametrize("name", KERNELS)
def test_dump(request, name, log_folder, tmp_path):
    tools = Tools.of(SUITE[name])
    job = "\n".join([
        "proof capture",
        "run /sbin/vmcore-dmesg /proc/vmcore",
        # as kdump tools of the distributions run it
        f"run {tools.in_guest('-l -d 31 /proc/vmcore /dump')}",
        f"run {tools.in_guest('--dump-dmesg /proc/vmcore /log')}",
        f"search /log '{LOG_MARK}'",
        f"run {tools.in_guest('--dump-dmesg /dump /log-of-dump')}",
        f"search /log-of-dump '{LOG_MARK}'",
        "run-expect 2 /sbin/vmcore-dmesg /dump",
        "head /proc/vmcore 65536 /head", "dump-tree /head", "wait",
        "proof done",
    ])
    with crashed(name, job, log_folder, files=tools.guest_files) as guest:
        guest.expect("NG-PROOF capture", allow=PANIC)
        log = guest.output_of("/sbin/vmcore-dmesg", allow=PANIC)
        assert LOG_MARK in log
        assert "sysrq: Trigger a crash" in log and "Kernel panic - not syncing" in log
        assert found(guest, "/log") == 1
        assert found(guest, "/log-of-dump") == 1
        assert "[vmcore/compressed]" in guest.output_of("/sbin/vmcore-dmesg")
        core = fetch_core(guest, tmp_path / "core")
        guest.expect("NG-PROOF done")
    assert LOG_MARK in compare_logs(name, core)
    check_filter(tools, core)
    compare_cut_logs(core)
    if name == "6.1-amd64" and request.config.getoption("--long"):
        check_backtrace(core, kernel(name).release)


@pytest.mark.long_form
@pytest.mark.parametrize("name", KERNELS)
def test_dump_with_32_bit_headers(name, log_folder):
    """They have no virtual addresses, and makedumpfile finds its way without."""
    tools = Tools.of(SUITE[name])
    job = "\n".join([
        "proof capture",
        f"run {tools.in_guest('-l -d 31 /proc/vmcore /dump')}",
        f"run {tools.in_guest('--dump-dmesg /dump /log')}",
        f"search /log '{LOG_MARK}'",
        "proof done",
    ])
    with crashed(name, job, log_folder, files=tools.guest_files,
                 options="--elf32-core-headers") as guest:
        guest.expect("NG-PROOF capture", allow=PANIC)
        assert found(guest, "/log") == 1
        guest.expect("NG-PROOF done")


@pytest.mark.parametrize("name", ["5.10-amd64", "6.1-686-pae"])
def test_log_of_other_kernels(name, log_folder, tmp_path):
    """Kernels that no capture kernel is tested with: what they have in memory while they run."""
    job = "\n".join([f"write /dev/kmsg '{LOG_MARK}'", "facts",
                     "dump-tree /proc/iomem /sys/kernel/vmcoreinfo", "wait", "proof done"])
    bits = kernel(name).bits
    with Guest(Machine(), kernel(name), initramfs({"": job}, bits=bits), log=log_folder) as guest:
        facts = guest.facts()
        guest.dump(tmp_path / "tree")
        guest.expect("NG-WAIT")
        core = make_core(guest, facts, tmp_path / "tree", tmp_path / "core")
        guest.expect("NG-PROOF done")
    assert LOG_MARK in compare_logs(name, core)
