# SPDX-License-Identifier: GPL-2.0-or-later
"""What is handed over decides the call, and what changes under a load is noticed and said.

What the machine's owner forbids: test_refusals.py."""

import pytest

from guest import ALONE, Guest, Machine, compiled, initramfs, initrd_parts, kernel, kexec_files

FIRST, SECOND = "6.1-cloud", "6.12-amd64"
NOT_LOADED = "run-expect 0 /sbin/kexec -S -l"
LOADED = "run-expect 1 /sbin/kexec -S -l"


def run_job(lines, log, first=FIRST, second=SECOND, append="", files=None, machine=Machine()):
    """Runs the job in a first kernel; returns what its programs printed."""
    (initrd,) = initrd_parts({"": "facts\nproof second"}, 1)
    contents = {**kexec_files(), "/k2": kernel(second).image, "/i2": initrd, **(files or {})}
    job = "\n".join([*lines, "proof done"])
    with Guest(machine, kernel(first), initramfs({"": job}, contents), f"loglevel=4 {append}",
               log=log) as guest:
        guest.expect("NG-PROOF done")
        return "\n".join(text for _, text in guest.lines)


def test_kho(log_folder):
    """Where a handover is active only the file call carries it."""
    text = run_job(["run /sbin/kexec -d -l /k2 --initrd=/i2", LOADED], log_folder,
                   append="kho=on", first="7-amd64")
    assert "[load/by-file]" in text


def test_fall_back_shows_both(log_folder):
    """-a: what has no place by our rules is tried with the file call; both reasons are shown."""
    image = bytearray(kernel(SECOND).image.read_bytes())
    image[0x260:0x264] = (1 << 30).to_bytes(4, "little")  # init_size: more than this machine has
    image[0x234] = 0  # not relocatable: only the stub can start it
    text = run_job(["run-expect 255 /sbin/kexec -l /huge", "run-expect 255 /sbin/kexec -c -l /huge"],
                   log_folder, files={"/huge": bytes(image)})
    assert text.count("[place/no-hole]") == 2
    assert text.count("before that") == 1


def test_more_than_half_of_memory(log_folder):
    """The kernel would refuse it after copying for a while: known before."""
    initrds = " ".join(["--initrd=/big"] * 3)
    text = run_job([f"run-expect 255 /sbin/kexec -l /k2 {initrds}"], log_folder,
                   files={"/big": bytes(120 << 20)}, machine=Machine(memory=640))
    assert "[plan/over-half-of-ram]" in text


def test_unload(log_folder):
    run_job([NOT_LOADED, "run /sbin/kexec -u", "run-expect 1 /sbin/kexec -e",
             "run /sbin/kexec -l /k2", LOADED, "run /sbin/kexec -u", NOT_LOADED,
             "run /sbin/kexec -s -l /k2", LOADED, "run /sbin/kexec -s -u", NOT_LOADED,
             "run /sbin/kexec -c -l /k2", LOADED, "run /sbin/kexec -c -u", NOT_LOADED], log_folder)


def test_unload_crash(log_folder):
    """-p -u, as kdump scripts call it, means the crash kernel and leaves the other one alone."""
    run_job(["run /sbin/kexec -l /k2", "run /sbin/kexec -p -u", LOADED,
             "run /sbin/kexec -s -p -u", LOADED, "run /sbin/kexec -u -p -c", LOADED], log_folder,
            append="crashkernel=64M", machine=Machine(memory=1024))


def test_force_and_status(log_folder):
    """-f jumps at once; -S asks of the crash kernel unless -l says otherwise."""
    second = kernel(SECOND)
    (initrd,) = initrd_parts({"": "facts\nproof second"}, 1)
    job = "run-expect 0 /sbin/kexec -S\nrun /sbin/kexec -f -x -y /k2 --initrd=/i2 --append=console=ttyS0"
    files = {**kexec_files(), "/k2": second.image, "/i2": initrd}
    with Guest(Machine(), kernel(FIRST), initramfs({"": job}, files), "loglevel=4",
               log=log_folder) as guest:
        guest.expect("NG-PROOF second")


@pytest.fixture(scope="session")
def tamper():
    return compiled("tamper", "tamper.c", *ALONE)


@pytest.mark.parametrize("enter", ["auto", "64"])
@pytest.mark.parametrize("which", ["kernel", "initrd"])
def test_file_changes_during_load(which, enter, tamper, log_folder):
    """After it was mapped, digested or copied: noticed, unloaded, said, failed."""
    (initrd,) = initrd_parts({"": "facts\nproof second"}, 1)
    contents = kernel(SECOND).image if which == "kernel" else initrd
    lines, files = [], {"/sbin/tamper": tamper}
    for stage in ("digested", "copied", "touched"):
        path = f"/{stage}"
        files[path] = contents
        load = f"-l {path} --initrd=/i2" if which == "kernel" else f"-l /k2 --initrd={path}"
        lines += [f"run-expect 255 /sbin/tamper {stage} {path} /sbin/kexec {load} --enter={enter}",
                  NOT_LOADED]
    text = run_job(lines, log_folder, files=files)
    assert text.count("TAMPERED") == 3
    assert text.count("[file/contents-changed]") == 2
    assert text.count("[file/changed]") == 1


def test_file_changes_before_its_digest(tamper, log_folder):
    """What is digested after the change is what is loaded: consistent, or refused."""
    text = run_job([
        "run-expect 255 /sbin/tamper shortened /k2 /sbin/kexec -l /k2 --initrd=/i2", NOT_LOADED,
        "run-expect 255 /sbin/kexec -l /k2 --initrd=/i2", NOT_LOADED], log_folder,
        files={"/sbin/tamper": tamper})
    assert "[file/truncated]" in text
    assert "[bzimage/kernel-truncated]" in text
