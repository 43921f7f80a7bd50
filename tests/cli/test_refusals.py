# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said when the kernel refuses a load. No load gets that far: the calls fail on the way."""

import errno
import pathlib
import subprocess
import sys

import pytest

import images
import plans
from kexec_run import confine, run

REFUSE = pathlib.Path(__file__).with_name("refuse.py")
MISSING = errno.ENOSYS


def load(kernel, *words, kexec_load=errno.EPERM, kexec_file_load=errno.EPERM):
    return run("-l", kernel, *words, may_load=True, between=(
        sys.executable, REFUSE, str(kexec_load), str(kexec_file_load)))


def test_refusals_come_from_here():
    """The errors below are those that were asked for, not those of the machine that tests."""
    script = ("import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
              "for number in 246, 320:\n"
              "    assert libc.syscall(number, 0, 0, 0, 0, 0) == -1\n"
              "    print(ctypes.get_errno())\n")
    done = subprocess.run([*confine(), sys.executable, REFUSE, "101", "102", sys.executable, "-c",
                           script], check=True, capture_output=True)
    assert done.stdout == b"101\n102\n"


@pytest.mark.parametrize("call", [(), ("-a",), ("-c",), ("-s",)])
def test_no_capability(small, call):
    """Blames neither the image nor the machine."""
    text = load(small, *call).failed("kernel/no-capability", says=("CAP_SYS_BOOT",))
    assert ("kexec_file_load" in text) == ("-s" in call)


@pytest.mark.parametrize("word", ["--no-cma", "--force-dtb"])
def test_option_that_only_one_call_knows(small, word):
    """That call comes first: the option is not dropped in silence."""
    load(small, word).failed("kernel/no-capability", says=("kexec_file_load",))
    load(small, word, "-c").failed("kernel/no-capability", says=("kexec_load",))


def test_no_capability_as_json(small):
    failed = load(small, "--json")
    text = failed.failed("kernel/no-capability", has_out=True)
    error = plans.parse(failed.out)["error"]
    assert (error["id"], error["errno"], error["text"]) == ("kernel/no-capability", 1, text)
    assert error["advice"].encode() in failed.err


def test_no_capability_on_this_machine(small):
    """Asks the real kernel, which may have been built without kexec."""
    result = run("-l", small, may_load=True)
    has_kexec = any(pathlib.Path("/sys/kernel", name).exists()
                    for name in ("kexec_loaded", "kexec/loaded"))
    result.failed("kernel/no-capability" if has_kexec else "kernel/no-syscall")


@pytest.mark.parametrize("call", [(), ("-c",), ("-s",), ("-a",)])
def test_reasons_of_the_image_come_first(folder, call):
    where = folder / "half"
    image = images.bare()
    where.write_bytes(image[:len(image) // 2])
    load(where, *call).failed("bzimage/kernel-truncated")


@pytest.mark.parametrize("number, expected", [
    (errno.EINVAL, "kernel/invalid"), (errno.ENOMEM, "kernel/no-memory"),
    (errno.EACCES, "kernel/access"), (errno.ENOSYS, "kernel/no-syscall"),
    (errno.EFAULT, "kernel/fault"), (errno.EADDRNOTAVAIL, "kernel/other"),
    (errno.EBUSY, "kernel/busy"), (errno.EIO, "kernel/other")])
def test_kexec_load(small, number, expected):
    load(small, "-c", kexec_load=number, kexec_file_load=MISSING).failed(
        expected, says=("kexec_load",))


@pytest.mark.parametrize("number, expected, status", [
    (errno.EINVAL, "kernel/invalid", 253), (errno.ENOEXEC, "kernel/file-format", 253),
    (errno.ENOSYS, "kernel/no-syscall", 253), (errno.EOPNOTSUPP, "kernel/other", 253),
    (errno.EKEYREJECTED, "kernel/signature", 255), (errno.ENOKEY, "kernel/signature", 255),
    (errno.EADDRNOTAVAIL, "kernel/file-no-hole", 255), (errno.ENOMEM, "kernel/no-memory", 255)])
def test_kexec_file_load(small, number, expected, status):
    """kexec-tools' callers know 253: the running kernel does not take it this way."""
    load(small, "-s", kexec_load=MISSING, kexec_file_load=number).failed(
        expected, status, says=("kexec_file_load",))



def test_initrds_for_the_file_call(folder, small):
    """One, several, and one from a pipe get as far as the call."""
    part = folder / "part"
    part.write_bytes(b"abc")
    for words in ((f"--initrd={part}",), (f"--initrd={part}",) * 3, ("--initrd=/dev/stdin",)):
        run("-l", small, "-s", *words, may_load=True, input=b"from a pipe", between=(
            sys.executable, REFUSE, "1", "1")).failed("kernel/no-capability")


@pytest.mark.parametrize("files, is_host", [
    ({"type": "xen", "uuid": "00000000-0000-0000-0000-000000000000"}, True),
    ({"type": "xen", "uuid": "6d1ef2ac-0001-4e2c-8c55-0f1f2e3d4c5b"}, False),
    ({"type": "kvm", "uuid": "00000000-0000-0000-0000-000000000000"}, False),
    ({"type": "xen"}, False)])
@pytest.mark.parametrize("capabilities", [None, "", "control_d\n"])
def test_xen_host(pc, small, folder, files, is_host, capabilities):
    """Of a dom0 only the hypervisor knows the memory; any other domain is as good as a machine."""
    for name, text in files.items():
        where = folder / "pc/sys/hypervisor" / name
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text + "\n")
    if capabilities is not None:
        (folder / "pc/proc/xen").mkdir()
        (folder / "pc/proc/xen/capabilities").write_text(capabilities)
        is_host = files["type"] == "xen" and "control_d" in capabilities
    asked = run("--dry-run", pc, small)
    if is_host:
        asked.failed("xen/host-root", 255)
    else:
        asked.done()
