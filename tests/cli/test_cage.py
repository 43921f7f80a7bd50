# SPDX-License-Identifier: GPL-2.0-or-later
"""Files are read in a process without rights: the plan is the same, and what that process does is little."""

import gzip
import os
import pathlib
import random
import re
import shutil
import subprocess
import time

import pytest

import images
import machines
import plans
import test_crash
import test_initrd
import test_uki
from kexec_run import command, run

# What a process does once it has its filter. It is killed for anything else; this is what it needs.
MEMORY = {"brk", "mmap", "munmap", "mremap", "madvise", "mprotect"}
THREADS = {"clone", "clone3", "set_robust_list", "rseq", "futex", "sched_getaffinity", "rt_sigprocmask",
           "rt_sigaction", "gettid", "getpid", "exit", "sched_yield", "sysinfo", "getrandom"}
KINDS = ("direct", "stub", "uki", "packed uki", "vmlinux.xz", "panic", "panic of a UKI", "broken", "no kernel",
         "initrd packed again", "segments too large")


@pytest.fixture
def words(folder, pc, request):
    """The words of a dry run, for a kind of kernel."""
    def written(name, data):
        (folder / name).write_bytes(data)
        return str(folder / name)

    kernel, kind = str(images.path("6.1-cloud")), request.param
    initrd = "--initrd=" + written("initrd", test_initrd.aligned(test_initrd.EARLY) +
                                   gzip.compress(test_initrd.SMALL))
    image = test_uki.pe.image({
        ".linux": images.small(), ".initrd": test_initrd.SMALL, ".ucode": test_initrd.EARLY,
        ".cmdline": b"of the image", ".osrel": b"PRETTY_NAME=\"Some system\"\n"})
    if "panic" in kind:
        pc = test_crash.MACHINES["low"].write(folder / "host")
    small = machines.Machine(machines.pc(256 * machines.MIB), available=250 * machines.MIB)
    return {
        "direct": lambda: (pc, kernel, initrd, "--append=quiet"),
        "stub": lambda: (pc, kernel, initrd, "--enter=64"),
        "uki": lambda: (pc, written("uki", image), initrd),
        "packed uki": lambda: (pc, written("uki.gz", gzip.compress(image, 1)), initrd),
        "vmlinux.xz": lambda: (pc, written("k.xz", test_initrd.PACK["xz"](images.small())), initrd),
        "panic": lambda: (pc, "-p", kernel, initrd),
        "panic of a UKI": lambda: (pc, "-p", written("uki", image), initrd, "--initrd-unpack=yes"),
        "broken": lambda: (pc, written("cut", images.small()[:-9999])),
        "no kernel": lambda: (pc, written("noise", test_initrd.noise(9999))),
        "initrd packed again": lambda: (
            small.write(folder / "host"), kernel, "--append=x", "--initrd=" + written(
                "large", gzip.compress(test_initrd.cpio(zeros=bytes(60 * machines.MIB))))),
        "segments too large": lambda: (pc, kernel, initrd, "--mem-max=4M"),
    }[kind]()


@pytest.mark.parametrize("words", KINDS, indirect=True)
def test_same_plan(words):
    """Byte for byte, also what is said."""
    for form in ("--json", "-d", "--map"):
        outside = run("--dry-run", form, "--seed=1", "--no-sandbox", *words)
        inside = run("--dry-run", form, "--seed=1", *words)
        assert (inside.status, inside.out, inside.err) == (outside.status, outside.out, outside.err)
        assert outside.status in (0, 255)


def calls(log):
    """The calls of each process by name, in their order."""
    found = {}
    for line in log.read_text().splitlines():
        match = re.match(r"(\d+) +(\w+)\((.*)", line)
        if match:
            found.setdefault(match[1], []).append((match[2], match[3]))
    return found


def reads(kind, out):
    """Commands that read a kernel's file, and how many processes they do that in."""
    return {
        "--dry-run": (("--dry-run",), 2),                           # to open it, to plan
        "--inspect": (("--inspect",), 3),                           # to open it for -l and -p, to look into it
        "--export": (("--export=vmlinux", "-o", str(out)), 2),      # to open it, to make the file
    }[kind]


@pytest.mark.parametrize("words, kind", [
    ("direct", "--dry-run"), ("packed uki", "--dry-run"), ("direct", "--inspect"), ("packed uki", "--inspect"),
    ("direct", "--export")], indirect=["words"])
def test_what_it_does(folder, words, kind):
    """Before the filter it gives up what it has, after it opens nothing."""
    log = folder / "log"
    verb, n_processes = reads(kind, folder / "out")
    if kind == "--export":
        words = words[:2]       # a vmlinux has no initrd
    run(*verb, *words, between=(shutil.which("strace"), "-f", "-o", str(log)), limit=60).done()
    caged = {}
    for pid, made in calls(log).items():
        names = [name for name, _ in made]
        at = [i for i, (name, args) in enumerate(made)
              if name == "seccomp" and "SECCOMP_SET_MODE_FILTER" in args and "len=" in args]
        if not at:
            continue
        caged[pid] = made[at[0] + 1:]
        assert "capset" in names[:at[0]] and "close_range" in names[:at[0]]
        assert any(name == "prctl" and args.startswith("PR_SET_NO_NEW_PRIVS, 1") for name, args in made[:at[0]])
    assert len(caged) == n_processes
    for made in caged.values():
        assert {name for name, _ in made} <= MEMORY | THREADS | {"write", "exit_group"}, made
        assert [args.split(",")[1] for name, args in made if name == "write"] == [' "r"'], "that it is ready"
        assert all("MAP_ANONYMOUS" in args for name, args in made if name == "mmap")


@pytest.mark.parametrize("words", ["direct", "uki", "packed uki", "vmlinux.xz", "broken", "no kernel"],
                         indirect=True)
def test_same_view(words):
    """What --inspect prints."""
    for form in ("--json", "--no-addons"):
        outside = run("--inspect", form, "--no-sandbox", *words)
        inside = run("--inspect", form, *words)
        assert (inside.status, inside.out, inside.err) == (outside.status, outside.out, outside.err)
        assert outside.status in (0, 255)


@pytest.mark.parametrize("words", ["direct", "uki", "broken"], indirect=True)
def test_same_file(folder, words):
    """What --export writes."""
    for what in ("vmlinux", "elf", "bzimage"):
        results, files = [], []
        for more in ((), ("--no-sandbox",)):
            out = folder / f"{what}{len(more)}"
            words_of = ("--payload=gzip",) if what == "bzimage" else ()
            results.append(run(f"--export={what}", *words_of, "-o", str(out), *more, *words, limit=60))
            files.append(out.read_bytes() if out.exists() else None)
        assert results[0].status == results[1].status and results[0].err == results[1].err
        assert files[0] == files[1] and (files[0] is not None) == (results[0].status == 0)


def told(result):
    """What a rehearsal found, but for what differs from run to run: times, what the stub drew."""
    found = plans.parse(result.out)
    of = found["rehearsal"]
    for stage in of["stages"]:
        del stage["seconds"], stage["text"]
    for each in (of["kernel"] or {}), of:
        for name in ("seconds", "traps", "base", "consoles"):
            each.pop(name, None)
    if of["kernel"]:
        # One place in some five hundred is where the kernel was linked.
        is_moved = of["kernel"].pop("vaddr_delta") != "0x0"
        assert (of["kernel"].pop("relocations") != 0) == is_moved
    return result.status, found


@pytest.mark.parametrize("entry", ["auto", "pvh"])
@pytest.mark.parametrize("words", ["direct", "stub", "packed uki", "vmlinux.xz", "broken"], indirect=True)
def test_same_rehearsal(words, entry):
    """The same stages and verdict; what cannot be planned is refused with the same words."""
    words = (*words, f"--enter={entry}") if "--enter=64" not in words else words
    results = [run("--dry-run", "--rehearse", "--json", "--seed=1", *more, *words, limit=60)
               for more in ((), ("--no-sandbox",))]
    assert results[0].err == results[1].err
    if results[1].status == 255:
        assert (results[0].status, results[0].out) == (255, results[1].out)
        return
    assert told(results[0]) == told(results[1])
    assert told(results[0])[1]["rehearsal"]["stages"][0] == {
        "name": "plan", "verdict": "good", "id": None, "advice": None}


@pytest.mark.parametrize("length", [1 << 10, 60 << 10, 3 << 20])
@pytest.mark.parametrize("name", ["6.1-cloud", "6.1-686-pae"])
def test_same_rehearsal_of_an_unpacked_initrd(folder, pc, name, length):
    """It is unpacked once, and both plans of a rehearsal have it: as it is loaded and, by the other entry if the
    first is none of the kernel's, by the stub."""
    initrd = folder / "initrd.gz"
    initrd.write_bytes(gzip.compress(test_initrd.cpio(zeros=random.Random(1).randbytes(length)), 1))
    words = (pc, str(images.path(name)), f"--initrd={initrd}", "--initrd-unpack=yes", "--append=x")
    results = [run("--dry-run", "--rehearse", "--json", "--seed=1", *more, *words, limit=60)
               for more in ((), ("--no-sandbox",))]
    assert told(results[0]) == told(results[1])
    assert results[0].status == 0, results[0]


@pytest.mark.parametrize("mebibytes, is_again", [(76, False), (88, True)])
def test_same_rehearsal_where_it_is_packed_again(folder, mebibytes, is_again):
    """There is no room for the initrd unpacked beside the stub's window, and beside the kernel only for the smaller."""
    initrd = folder / "initrd.gz"
    initrd.write_bytes(gzip.compress(test_initrd.cpio(
        file=(test_initrd.noise(512) + bytes(3584)) * (mebibytes << 8)), 1))
    (folder / "host").mkdir()
    pc = machines.Machine(machines.pc(16 * machines.GIB), available=15 * machines.GIB).write(folder / "host")
    words = (pc, str(images.path("6.1-cloud")), f"--initrd={initrd}", "--append=x", "--mem-max=128M")
    results = [run("--dry-run", "--rehearse", "--json", "--seed=1", *more, *words, limit=60)
               for more in ((), ("--no-sandbox",))]
    assert told(results[0]) == told(results[1])
    assert results[0].status == 0, results[0]
    assert (b"load/initrd-packed-again" in results[0].out) == is_again


@pytest.mark.parametrize("nth", [3, 5, 6, 7, 8])
def test_rehearsal_that_loses_it(pc, nth):
    """A process that cannot be made any more is no reason to read the image without one. Forks: the file opened,
    the plan, the traced one, the plan by the stub, one more traced, looks."""
    result = run("--dry-run", "--rehearse", "--json", "--seed=1", pc, str(images.path("6.1-cloud")), limit=60,
                 between=(shutil.which("strace"), "-o", "/dev/null", "-e",
                          f"inject=/^(fork|clone|clone3)$:error=EAGAIN:when={nth}"))
    rehearsal = plans.parse(result.out)["rehearsal"]
    ids = {stage["id"] for stage in rehearsal["stages"]} - {None}
    assert (result.status, rehearsal["verdict"]) == ((2, "unknown") if ids else (0, "good"))
    assert ids <= {"sandbox/lost", "rehearse/no-child"}
    assert ids or nth == 8, "there are that many"


def status_of(pid):
    """A process by the kernel's own words; nothing once it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        n_open = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines()) | {"open": n_open}


def test_rehearsal_looks_in_it(pc):
    """strace cannot follow what is traced already, so processes are looked at. While the traced one lives, the
    kernel's file is read by one without rights."""
    argv = command(("--dry-run", "--rehearse", pc, str(images.path("6.1-amd64"))))
    caged = []
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as kexec:
        while kexec.poll() is None:
            try:
                children = pathlib.Path(f"/proc/{kexec.pid}/task/{kexec.pid}/children").read_text(encoding="ascii")
            except OSError:
                continue
            found = [status_of(pid) for pid in children.split()]
            if any(each.get("TracerPid") == str(kexec.pid) for each in found):
                caged += [each for each in found if each.get("TracerPid") == "0" and each.get("Seccomp") == "2"]
            time.sleep(0.005)
    assert kexec.returncode == 0
    assert len(caged) > 3, "unpacking takes longer than that"
    for each in caged:
        assert each["NoNewPrivs"] == "1" and each["open"] <= 1, each
        assert int(each["CapEff"], 16) == int(each["CapPrm"], 16) == 0, each


@pytest.mark.parametrize("words", ["direct"], indirect=True)
def test_turned_off(folder, words):
    log = folder / "log"
    run("--dry-run", "--no-sandbox", *words, between=(shutil.which("strace"), "-f", "-o", str(log)),
        limit=60).done()
    assert not [name for made in calls(log).values() for name, _ in made if name in ("seccomp", "memfd_create")]


@pytest.mark.parametrize("call, error", [("seccomp", "ENOSYS"), ("memfd_create", "EPERM"), ("fork", "EAGAIN"),
                                         ("pipe2", "EMFILE"), ("capset", "EPERM"), ("ftruncate", "EFBIG")])
@pytest.mark.parametrize("words", ["uki"], indirect=True)
def test_not_to_be_had(words, call, error):
    """It is said, once, and the plan is the same."""
    whole = plans.Plan(run("--dry-run", "--json", "--seed=1", *words).done().out)
    name = "/^(fork|clone|clone3)$" if call == "fork" else call
    # The progress line has no thread here, so the first clone is the fork.
    result = run("--dry-run", "--json", "--seed=1", *words, limit=60,
                 between=(shutil.which("strace"), "-f", "-o", "/dev/null", "-e",
                          f"inject={name}:error={error}"))
    plan = plans.Plan(result.done().out)
    assert plan.notes.count("sandbox/none") == 1, plan["notes"]
    said = {note["id"] for note in plan.pop("notes")} - {note["id"] for note in whole.pop("notes")}
    assert said == {"sandbox/none"} and plan == whole


def test_view_of_what_ended_it(folder):
    """That the machine cannot be read either is a verdict of the view, and there is none."""
    result = run("--inspect", "--json", f"--host-root={folder / 'none'}", str(images.path("6.1-cloud")), limit=60,
                 between=(shutil.which("strace"), "-f", "-o", "/dev/null", "-e", "inject=wait4:error=ECHILD"))
    assert (result.status, plans.parse(result.out)["error"]["id"]) == (255, "sandbox/crashed"), result


@pytest.mark.parametrize("words", ["direct"], indirect=True)
def test_memory(words):
    """No byte is there twice: the most that any process of it has is what it was."""
    peaks = []
    for more in ((), ("--no-sandbox",)):
        result = run("--dry-run", "--seed=1", *words, *more, between=("/usr/bin/env", "python3", "-c", """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)"""))
        peaks.append(int(result.done().out))
    assert peaks[0] < peaks[1] * 1.1, peaks
