# SPDX-License-Identifier: GPL-2.0-or-later
"""Every system call that a --dry-run makes fails once, at each place, by strace.

Either the plan is the same as ever, or there is one reason, by name, and status 255: what could not be read
never passes for what is not there. What a plan can do without (addons, a display, a sandbox) is left out with a
note.
An interrupted read changes nothing.

That is asked of the errors that mean nothing but trouble. Of every documented error of every call, for every mode
that changes nothing, it is asked that the result is that of the run that nobody disturbed, or says what it lacks, or
that there is one reason with its advice and status 255; nothing crashes, hangs or leaves half a file. The short form
takes some places for each call, --long all.

Not failed are calls before main(), which are the C library's, and in --rehearse what child and helper threads call:
strace would have to trace a process that is traced already.
"""

import collections
import dataclasses
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import images
import machines
import plans
import test_check
import test_multiboot
from kexec_run import REASON, TOP, command, run

sys.path.append(str(TOP / "tests" / "corpus"))

import cases  # noqa: E402 (not before the line above)

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


def traced(words, *options, log="/dev/null", follow=("-f",)):
    strace = shutil.which("strace")
    assert strace, "strace is not installed"
    return run(*words, between=(strace, *follow, "-o", str(log), *options), limit=60)


def calls_of(words, folder, follow=("-f",)):
    """How often each call is made, and how often before main()."""
    log = folder / "strace"
    traced(words, log=log, follow=follow)
    total, early, is_early = collections.Counter(), collections.Counter(), True
    for line in log.read_text().splitlines():
        match = re.match(r"(?:\d+ +)?(\w+)\(", line)
        if not match:
            continue
        is_early = is_early and MAIN not in line
        total[match[1]] += 1
        early[match[1]] += is_early
    return total, early


LEFT_OUT = {"addons/unreadable", "host/attribute", "load/no-random", "sandbox/none"}


def is_as_said(out, whole):
    """The same plan but for notes, of which there are more, and what they are about."""
    new, old = json.loads(out), json.loads(whole)
    ids = {note["id"] for note in new.pop("notes")} - {note["id"] for note in old.pop("notes")}
    return ids <= LEFT_OUT and ids and new == old


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


# What their manual pages have, but for errors that only a wrong call gets. brk() fails by an old value.
DOCUMENTED = {
    "openat": "EACCES EINTR EIO ELOOP EMFILE ENAMETOOLONG ENFILE ENODEV ENOENT ENOMEM ENOTDIR ENXIO EOVERFLOW EPERM",
    "openat2": "EACCES EAGAIN EINTR EIO ELOOP EMFILE ENFILE ENOENT ENOMEM ENOSYS ENOTDIR EOVERFLOW EPERM EXDEV",
    "read": "EAGAIN EINTR EIO EISDIR EOVERFLOW EPERM", "pread64": "EINTR EIO EISDIR ENXIO EOVERFLOW ESPIPE",
    "write": "EAGAIN EDQUOT EFBIG EINTR EIO ENOSPC EPERM EPIPE", "close": "EDQUOT EINTR EIO ENOSPC",
    "newfstatat": "EACCES EIO ELOOP ENOENT ENOMEM ENOTDIR EOVERFLOW", "readlinkat": "EACCES EINVAL EIO ELOOP ENOENT",
    "readlink": "EACCES EINVAL EIO ELOOP ENOENT", "access": "EACCES EIO ELOOP ENOENT ENOMEM ENOTDIR",
    "lseek": "EINVAL ENXIO EOVERFLOW ESPIPE", "brk": "ENOMEM", "mprotect": "EACCES ENOMEM",
    "mmap": "EACCES EAGAIN ENFILE ENODEV ENOMEM EPERM", "munmap": "EINVAL ENOMEM", "mremap": "EAGAIN ENOMEM",
    "madvise": "EAGAIN EINVAL EIO ENOMEM", "getdents64": "EINVAL EIO ENOENT ENOTDIR",
    "fcntl": "EACCES EAGAIN EBUSY EINVAL EMFILE EPERM", "ioctl": "EINVAL EIO ENOTTY",
    "memfd_create": "EINVAL EMFILE ENFILE ENOMEM EPERM", "ftruncate": "EFBIG EINTR EINVAL EIO EPERM",
    "clone": "EAGAIN ENOMEM ENOSPC EPERM", "clone3": "EAGAIN ENOMEM ENOSYS EPERM", "pipe2": "EMFILE ENFILE",
    "wait4": "ECHILD EINTR", "waitid": "ECHILD EINTR", "poll": "EINTR EINVAL ENOMEM",
    "ptrace": "EBUSY EFAULT EIO EPERM ESRCH", "kill": "EPERM ESRCH", "tgkill": "EAGAIN EPERM ESRCH",
    "futex": "EAGAIN EINTR", "clock_nanosleep": "EINTR", "restart_syscall": "EINTR",
    "seccomp": "EACCES EINVAL ENOMEM ENOSYS", "prctl": "EACCES EINVAL EPERM", "capset": "EPERM",
    "close_range": "EINVAL EMFILE ENOMEM ENOSYS", "prlimit64": "EINVAL ENOSYS EPERM",
    "set_robust_list": "EINVAL ENOSYS", "rseq": "EBUSY EINVAL ENOSYS EPERM",
    "sched_getaffinity": "EINVAL ESRCH", "rt_sigaction": "EINVAL", "getrandom": "EAGAIN EINTR ENOSYS",
    "fsync": "EDQUOT EINTR EIO ENOSPC EROFS", "fchmod": "EIO EPERM EROFS", "linkat": "EEXIST EIO EMLINK ENOENT ENOSPC EPERM",
    "renameat": "EACCES EBUSY EDQUOT EIO ENOSPC EROFS", "rename": "EACCES EBUSY EDQUOT EIO ENOSPC EROFS",
    "unlink": "EACCES EBUSY EIO ENOENT EPERM EROFS", "unlinkat": "EACCES EBUSY EIO ENOENT EPERM EROFS",
}
CANNOT_FAIL = {
    "getpid": "its manual page: always successful", "gettid": "its manual page: always successful",
    "getuid": "its manual page: always successful", "geteuid": "its manual page: always successful",
    "umask": "its manual page: this system call always succeeds",
    "sched_yield": "its manual page: in the Linux implementation, always succeeds",
    "exit": "does not return", "exit_group": "does not return", "rt_sigreturn": "does not return",
    "rt_sigprocmask": "of a wrong address, or a wrong how, only", "sysinfo": "of a wrong address only",
    "uname": "of a wrong address only", "set_tid_address": "its manual page: always succeeds",
}
# They say something of the file that is asked for: that it is not there, or not for this user.
ABSENT = {"ENOENT", "ENOTDIR", "EACCES", "EPERM", "ELOOP", "ENAMETOOLONG", "ENODEV", "ENXIO", "EXDEV", "EISDIR",
          "ENOSYS", "EINVAL"}
LOOKING = {"openat", "openat2", "newfstatat", "read", "readlink", "readlinkat", "getdents64", "access"}
N_PLACES = 3        # of a call, in the short form
N_PLACES_LONG = 60  # of calls that are made in a loop, in the long form
IN_A_LOOP = {"ptrace", "wait4"}


# ------------------------------------------------------------------------------ what a result may be


def is_same_plan(result, whole, is_absent):
    """The plan; or one that says what it lacks; or that of a machine that lacks a file."""
    if result.status != 0:
        return False
    if result.out == whole.out or is_as_said(result.out, whole.out):
        return True
    if is_absent:
        plans.Plan(result.out).check(images.Image(cases.whole()))
    return is_absent


def is_same(result, whole, _is_absent):
    return (result.status, result.out) == (whole.status, whole.out)


def is_same_size(result, whole, is_absent):
    """What is not there is no reservation either."""
    return is_same(result, whole, is_absent) or is_absent and (result.status, result.out) == (0, b"0\n")


def is_same_inspection(result, whole, is_absent):
    """The same of the image; that a machine which cannot be read would not load it has a reason."""
    if result.status != 0:
        return False
    new, old = (plans.parse(r.out) for r in (result, whole))
    verdicts, before = new.pop("verdicts"), old.pop("verdicts")
    notes = {note["id"] for note in new.pop("notes")} - {note["id"] for note in old.pop("notes")}
    others = [verdict for verdict in verdicts if verdict not in before]
    if new != old or not verdicts or is_absent:
        return new == old and bool(verdicts)
    return (notes <= LEFT_OUT or bool(others)) and all(
        verdict["verdict"] != "loads" and verdict["id"] and verdict["advice"] for verdict in others)


def is_same_check(result, whole, is_absent):
    """Nothing is better than it was; what got worse is not known, or not there."""
    new, old = (plans.parse(r.out)["check"] for r in (result, whole))
    ranks = ("no", "warning", "unknown", "ok")
    for item in new["items"]:
        before = next((i["state"] for i in old["items"] if i["name"] == item["name"]), "ok")
        if not is_absent and item["state"] not in (before, "unknown"):
            return False
    words = new["verdicts"].values()
    expected = 1 if "no" in words else 2 if "unknown" in words else 0
    return result.status == expected and set(words) <= set(ranks)


def is_same_list(result, whole, is_absent):
    """The entries; or some, with a warning about the others, or a reason why one is of no use."""
    new, old = (plans.parse(r.out) for r in (result, whole))
    if any(note["id"] == "entries/unreadable" for note in new["notes"]):
        return result.status in (0, 1)
    assert result.status == (0 if new["list"]["entries"] else 1), result
    if not new["list"]["entries"]:
        return is_absent
    return new == old or all(entry["usable"] or entry["why_id"] for entry in new["list"]["entries"])


def is_same_show(result, whole, is_absent):
    """What is loaded; or that it is not known, or by whom; never that nothing is."""
    states = {where: image["state"] for where, image in plans.parse(result.out)["show"].items()}
    allowed = {"recorded", "unreadable", "maybe-other", "unknown"} | ({"foreign"} if is_absent else set())
    assert result.status == (255 if states["boot"] == "unknown" else 0), result
    return result.out == whole.out or states["boot"] in allowed and states["panic"] in ("nothing", "unknown")


def is_same_rehearsal(result, whole, is_absent):
    """Good; or not known, with a reason; never the kernel's fault."""
    of = plans.parse(result.out)["rehearsal"]
    ids = [stage["id"] for stage in of["stages"] if stage["id"]]
    if result.status == 2:
        return of["verdict"] == "unknown" and ids
    names = [stage["name"] for stage in plans.parse(whole.out)["rehearsal"]["stages"]]
    return result.status == 0 and of["verdict"] == "good" and not ids and \
        [stage["name"] for stage in of["stages"]] == names


def is_file_alone(result, _whole, _is_absent):
    """Of the file itself, check_outcome() knows."""
    return result.status == 0 and result.out == b""


@dataclasses.dataclass
class Mode:
    words: list
    is_fine: object
    out: pathlib.Path = None
    follow: tuple = ("-f",)     # strace's; nothing where kexec traces itself


def put(root, path, data):
    where = root / path
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(data if isinstance(data, bytes) else data.encode())


def plan_mode(folder, host, *more):
    kernel = folder / "whole"
    kernel.write_bytes(cases.whole())
    initrd = folder / "initrd"
    initrd.write_bytes(b"no archive\n" * 999)
    return Mode(["--dry-run", "--json", "--seed=1", host, f"--initrd={initrd}", kernel, *more], is_same_plan)


def inspect_mode(folder, host):
    return Mode(["--inspect", "--json", host, plan_mode(folder, host).words[-1]], is_same_inspection)


def export_mode(folder, host):
    words, out = plan_mode(folder, host).words, folder / "out"
    return Mode(["--export=elf", "-o", out, "--append=x", *words[3:]], is_file_alone, out)


def list_mode(folder, _host):
    """A /boot with one entry."""
    root = folder / "root"
    put(root, "loader/entries/a.conf", "title A\nlinux /vmlinuz\noptions quiet\n")
    put(root, "vmlinuz", images.small())
    return Mode(["--list", "--json", f"--boot-root={root}"], is_same_list)


def show_mode(folder, host):
    put(folder / "pc", "run/kexec-ng/load.json", test_check.RECORD)
    put(folder / "pc", "sys/kernel/kexec_loaded", "1\n")
    return Mode(["--show", "--json", host], is_same_show)


def last_mode(folder, host):
    params = bytearray((folder / "pc/sys/kernel/boot_params/data").read_bytes())
    params[0x210] = 0xd0
    put(folder / "pc", "sys/kernel/boot_params/data", bytes(params))
    put(folder / "pc", "sys/kernel/boot_params/setup_data/0/type", "0x0\n")
    put(folder / "pc", "sys/kernel/boot_params/setup_data/0/data", test_check.note())
    return Mode(["--last", "--json", host], is_same_last)


def is_same_last(result, whole, is_absent):
    """Where the note is not there, who started this kernel is known less well: never better."""
    if is_absent:
        return plans.parse(result.out)["last"] and result.status in (0, 1, 2, 255)
    return (result.status, result.out) == (whole.status, whole.out)


def rehearse_mode(folder, host):
    kernel = folder / "program"
    kernel.write_bytes(test_multiboot.elf(test_multiboot.header_1()))
    return Mode(["--dry-run", "--rehearse", "--json", "--seed=1", host, kernel], is_same_rehearsal, follow=())


MODES = {
    "--dry-run": plan_mode,
    "--no-sandbox": lambda folder, host: plan_mode(folder, host, "--no-sandbox"),
    "--inspect": inspect_mode,
    "--export": export_mode,
    "--check": lambda folder, host: Mode(["--check", "--json", host], is_same_check),
    "--show": show_mode,
    "--last": last_mode,
    "--list": list_mode,
    "--rehearse": rehearse_mode,
    "-S": lambda folder, host: Mode(["-S", "-l", host], is_same),
    "--print-ckr-size": lambda folder, host: Mode(["--print-ckr-size", host], is_same_size),
}


def places(name, call, first, last, is_long):
    """Pairs of an error and which of the calls gets it."""
    errors = DOCUMENTED[call].split()
    every = range(first, last + 1)
    if is_long:
        step = -(-len(every) // N_PLACES_LONG) if call in IN_A_LOOP else 1
        return [(error, n) for n in every[::step] for error in errors]
    some = sorted({every[i * (len(every) - 1) // (N_PLACES - 1)] for i in range(N_PLACES)})
    shift = sum(name.encode() + call.encode())
    chosen = errors if name == "--dry-run" else [errors[(shift + i) % len(errors)] for i in range(2)]
    return [(error, some[(shift + i) % len(some)]) for i, error in enumerate(chosen)]


def injection(mode, call, error, n):
    """strace's options. With a filter only that call stops."""
    how = "retval=0" if call == "brk" else f"error={error}"
    alone = ("--seccomp-bpf", "-e", f"trace={call}") if mode.follow else ()
    return (*alone, "-e", f"inject={call}:{how}:when={n}")


def check_outcome(mode, result, whole, whole_file, is_absent):
    """A result, or one reason with its advice; a file is whole or not there."""
    if mode.out:
        names = [path.name for path in mode.out.parent.iterdir() if path.name.startswith(mode.out.name)]
        assert names == [mode.out.name] * (result.status == 0), (names, result)
        assert not names or mode.out.read_bytes() == whole_file, result
    reasons = result.reasons()
    if not reasons:
        assert mode.is_fine(result, whole, is_absent), result
        return
    assert result.status == 255, result
    assert len(reasons) == 1 and b"kexec: try: " in result.err, result


@pytest.mark.parametrize("name", MODES)
def test_documented_errors(request, folder, name):
    (folder / "pc").mkdir()
    host = machines.Machine(machines.pc(16 * machines.GIB), is_efi=True).write(folder / "pc")
    mode = MODES[name](folder, host)
    whole = run(*mode.words, limit=60)
    assert whole.status == (1 if name == "--check" else 0) and whole.err == b"", whole
    whole_file = mode.out.read_bytes() if mode.out else None
    total, early = calls_of(mode.words, folder, mode.follow)
    made = {call for call in total if total[call] > early[call]}
    assert made - set(DOCUMENTED) <= set(CANNOT_FAIL), "a call whose errors are not listed"
    wrong, n_runs = [], 0
    for call in sorted(made & set(DOCUMENTED)):
        for error, n in places(name, call, early[call] + 1, total[call], request.config.getoption("long")):
            if mode.out:
                mode.out.unlink(missing_ok=True)
            n_runs += 1
            try:
                result = traced(mode.words, *injection(mode, call, error, n), follow=mode.follow)
                check_outcome(mode, result, whole, whole_file, call in LOOKING and error in ABSENT)
            except (AssertionError, ValueError, KeyError, subprocess.TimeoutExpired) as why:
                wrong.append(f"{call} {n}: {error}: {why}")
    print(n_runs, "runs")
    assert not wrong, f"{len(wrong)} of {n_runs}:\n" + "\n".join(text[:1500] for text in wrong)


def test_prefix_is_harmless(words):
    """What strace runs is as confined as everything else here."""
    assert command(words)[0] == "setpriv"
