# SPDX-License-Identifier: GPL-2.0-or-later
"""Every system call that a --dry-run makes fails once, at each place, by strace.

Either the plan is the same as ever, or there is one reason, by name, and status 255: what could not be read
never passes for what is not there. What a plan can do without (addons, a display, a sandbox) is left out with a
note.
An interrupted read changes nothing.

That is asked of the errors that mean nothing but trouble. Of every documented error of every call, for every command
that reads a foreign file, it is asked that there is a result that can be read, or one reason with its advice; nothing
crashes, hangs or leaves half a file. The short form takes some places for each call, --long all.
"""

import collections
import json
import re
import shutil

import pytest

import images
import machines
from kexec_run import REASON, command, run

# Which error, beside what the rest of the run would look like. Calls before main() are the C library's.
ERRORS = {
    "openat": ("EMFILE", "EINTR"), "openat2": ("EIO", "EMFILE", "ENOMEM"), "newfstatat": ("EIO",),
    "read": ("EIO", "EINTR"), "pread64": ("EIO", "EINTR"), "mmap": ("ENOMEM",),
    "getdents64": ("EIO",), "fcntl": ("EMFILE",),
    "munmap": ("EINVAL",), "sched_getaffinity": ("EINVAL",), "rt_sigaction": ("EINVAL",),
    "ioctl": ("EIO",), "write": ("ENOSPC", "EINTR"), "close": ("EIO", "EINTR"),
}
RETRIED = ("read", "pread64", "close")
MAIN = "/dev/null"  # the first file that main() opens


@pytest.fixture
def words(folder, small):
    root = folder / "pc"
    root.mkdir()
    machine = machines.Machine(machines.pc(16 * machines.GIB), is_efi=True).write(root)
    initrd = folder / "initrd"
    initrd.write_bytes(b"no archive\n" * 999)
    return ["--dry-run", "--json", "--seed=1", machine, f"--initrd={initrd}", small]


def traced(words, *options, log="/dev/null"):
    strace = shutil.which("strace")
    assert strace, "strace is not installed"
    return run(*words, between=(strace, "-f", "-o", str(log), *options), limit=60)


def calls_of(words, folder):
    """How often each call is made, and how often before main()."""
    log = folder / "strace"
    traced(words, log=log)
    total, early, is_early = collections.Counter(), collections.Counter(), True
    for line in log.read_text().splitlines():
        match = re.match(r"\d+ +(\w+)\(", line)
        if not match:
            continue
        is_early = is_early and MAIN not in line
        total[match[1]] += 1
        early[match[1]] += is_early
    return total, early


def is_as_said(out, whole):
    """The same plan but for notes, of which there are more, and what they are about."""
    new, old = json.loads(out), json.loads(whole)
    ids = {note["id"] for note in new.pop("notes")} - {note["id"] for note in old.pop("notes")}
    return ids <= {"addons/unreadable", "host/attribute", "sandbox/none"} and ids and new == old


@pytest.mark.parametrize("call, error", [(c, e) for c, errors in ERRORS.items() for e in errors])
def test_fails_once(folder, words, call, error):
    whole = run(*words).done().out
    total, early = calls_of(words, folder)
    assert total[call] > early[call], f"{call} is not called any more"
    for n in range(early[call] + 1, total[call] + 1):
        result = traced(words, "-e", f"inject={call}:error={error}:when={n}")
        found = [line for line in result.err.decode().splitlines() if REASON.fullmatch(line)]
        if error == "EINTR" and call in RETRIED:
            assert result.status == 0 and result.out == whole, (n, result)
        elif result.status == 0:
            assert result.out == whole or is_as_said(result.out, whole), (n, result)
        else:
            assert result.status == 255 and len(found) == 1, (n, result)


# What their manual pages have, but for errors that only a wrong call gets.
DOCUMENTED = {
    "openat": "EACCES EINTR EIO ELOOP EMFILE ENAMETOOLONG ENFILE ENODEV ENOENT ENOMEM ENOTDIR ENXIO EOVERFLOW EPERM",
    "openat2": "EACCES EAGAIN EINTR EIO ELOOP EMFILE ENFILE ENOENT ENOMEM ENOSYS ENOTDIR EOVERFLOW EPERM EXDEV",
    "read": "EAGAIN EINTR EIO EISDIR EOVERFLOW EPERM", "pread64": "EINTR EIO EISDIR ENXIO EOVERFLOW ESPIPE",
    "write": "EAGAIN EDQUOT EFBIG EINTR EIO ENOSPC EPERM EPIPE", "close": "EDQUOT EINTR EIO ENOSPC",
    "newfstatat": "EACCES EIO ELOOP ENOENT ENOMEM ENOTDIR EOVERFLOW", "readlinkat": "EACCES EINVAL EIO ELOOP ENOENT",
    "readlink": "EACCES EINVAL EIO ELOOP ENOENT",
    "mmap": "EACCES EAGAIN ENFILE ENODEV ENOMEM EPERM", "munmap": "EINVAL ENOMEM", "mremap": "EAGAIN ENOMEM",
    "madvise": "EAGAIN EINVAL EIO ENOMEM", "getdents64": "EINVAL EIO ENOENT ENOTDIR",
    "fcntl": "EACCES EAGAIN EBUSY EINVAL EMFILE EPERM", "ioctl": "EINVAL EIO ENOTTY",
    "memfd_create": "EINVAL EMFILE ENFILE ENOMEM EPERM", "ftruncate": "EFBIG EINTR EINVAL EIO EPERM",
    "clone": "EAGAIN ENOMEM ENOSPC EPERM", "clone3": "EAGAIN ENOMEM ENOSYS EPERM", "pipe2": "EMFILE ENFILE",
    "wait4": "ECHILD EINTR", "waitid": "ECHILD EINTR", "poll": "EINTR EINVAL ENOMEM",
    "seccomp": "EACCES EINVAL ENOMEM ENOSYS", "prctl": "EACCES EINVAL EPERM", "capset": "EPERM",
    "close_range": "EINVAL EMFILE ENOMEM ENOSYS", "prlimit64": "EINVAL ENOSYS EPERM",
    "sched_getaffinity": "EINVAL ESRCH", "rt_sigaction": "EINVAL", "getrandom": "EAGAIN EINTR ENOSYS",
    "fsync": "EDQUOT EINTR EIO ENOSPC EROFS", "fchmod": "EIO EPERM EROFS", "linkat": "EEXIST EIO EMLINK ENOENT ENOSPC EPERM",
    "renameat": "EACCES EBUSY EDQUOT EIO ENOSPC EROFS", "rename": "EACCES EBUSY EDQUOT EIO ENOSPC EROFS",
    "unlink": "EACCES EBUSY EIO ENOENT EPERM EROFS", "unlinkat": "EACCES EBUSY EIO ENOENT EPERM EROFS",
}
# None that a right call can get, or what the C library alone sees of them.
CANNOT_FAIL = {"brk", "mprotect", "futex", "set_robust_list", "set_tid_address", "rseq", "rt_sigprocmask", "rt_sigreturn",
               "getpid", "gettid", "exit", "exit_group", "sched_yield", "sysinfo", "arch_prctl", "execve", "access",
               "umask", "getuid", "geteuid", "uname", "clock_nanosleep", "restart_syscall", "lseek", "sigaltstack"}
MODES = ("--dry-run", "--inspect", "--export", "--check", "--list")
N_PLACES = 3        # of a call, in the short form


def mode_words(mode, words, folder):
    """A command, and the file that it writes."""
    machine, initrd, kernel = words[3:]
    out = folder / "out"
    return {
        "--dry-run": (words, None),
        "--inspect": (["--inspect", "--json", machine, kernel], None),
        "--export": (["--export=elf", "-o", str(out), "--append=x", machine, initrd, str(images.path("6.1-cloud"))], out),
        "--check": (["--check", "--json", machine], None),
        "--list": (["--list", "--json", f"--boot-root={boot_root(folder)}"], None),
    }[mode]


def boot_root(folder):
    """A /boot with one entry."""
    root = folder / "root"
    (root / "loader/entries").mkdir(parents=True, exist_ok=True)
    (root / "loader/entries/a.conf").write_text("title A\nlinux /vmlinuz\noptions quiet\n")
    (root / "vmlinuz").write_bytes(images.small())
    return root


def places(mode, call, first, last, is_long):
    """Pairs of an error and which of the calls gets it."""
    errors = DOCUMENTED[call].split()
    every = range(first, last + 1)
    if is_long:
        return [(error, n) for n in every for error in errors]
    some = sorted({every[i * (len(every) - 1) // (N_PLACES - 1)] for i in range(N_PLACES)})
    shift = sum(mode.encode() + call.encode())
    chosen = errors if mode == "--dry-run" else [errors[(shift + i) % len(errors)] for i in range(2)]
    return [(error, some[(shift + i) % len(some)]) for i, error in enumerate(chosen)]


def check_outcome(result, out, whole_file):
    """A result, or one reason with its advice; a file is whole or not there."""
    if out:
        assert [path.name for path in out.parent.iterdir() if path.name.startswith(out.name)] in (
            [[out.name]] if result.status == 0 else [[], [out.name]]), result
        assert not out.exists() or out.read_bytes() == whole_file, result
        out.unlink(missing_ok=True)
    reasons = result.reasons()
    if result.status in (0, 1, 2) and not reasons:
        assert out or json.loads(result.out), result
        return
    assert result.status == 255 or result.status == 1, result
    assert len(reasons) == 1 and b"kexec: try: " in result.err, result


@pytest.mark.parametrize("mode", MODES)
def test_documented_errors(request, folder, words, mode):
    argv, out = mode_words(mode, words, folder)
    whole = run(*argv, limit=60)
    assert whole.status == (0 if mode != "--check" else whole.status), whole
    whole_file = out.read_bytes() if out else None
    if out:
        out.unlink()
    total, early = calls_of(argv, folder)
    if out:
        out.unlink()
    unknown = {call for call in total if total[call] > early[call]} - set(DOCUMENTED)
    assert unknown <= CANNOT_FAIL, "a call whose errors are not listed"
    for call in sorted(set(DOCUMENTED) & set(total)):
        if total[call] == early[call]:
            continue
        for error, n in places(mode, call, early[call] + 1, total[call], request.config.getoption("long")):
            print(call, error, n)
            check_outcome(traced(argv, "-e", f"inject={call}:error={error}:when={n}"), out, whole_file)


def test_prefix_is_harmless(words):
    """What strace runs is as confined as everything else here."""
    assert command(words)[0] == "setpriv"
