# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that are short of something: of whole reads, of room, of descriptors, of /proc, of threads.

What comes is the same as ever, or one reason by name; and what was there before stays.
"""

import itertools
import json
import os
import shutil
import subprocess
import threading

import pytest

import images
import machines
import plans
from kexec_run import LIMIT, TOP, binary, run

STREAMS = (0, 1, 2)


@pytest.fixture(scope="session")
def short(tmp_path_factory):
    """A program that makes reads and writes short."""
    where = tmp_path_factory.mktemp("short") / "short"
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-o", where, TOP / "tests/cli/short.c"],
                   check=True)
    return str(where)


def strace(*options):
    where = shutil.which("strace")
    assert where, "strace is not installed"
    return (where, "-f", "-o", "/dev/null", *options)


# ------------------------------------------------------------------------------ short reads and writes


@pytest.mark.parametrize("most", [1, 7, 3000])
def test_short_reads(folder, pc, small, short, most):
    """Files of /proc and /sys come in pieces, the report goes in pieces: nothing is lost or doubled."""
    initrd = folder / "initrd"
    initrd.write_bytes(b"some bytes\n" * 300)
    words = ("--dry-run", "--json", "--seed=1", pc, small, f"--initrd={initrd}")
    assert run(*words, between=(short, str(most)), limit=60).done().out == run(*words).done().out


@pytest.mark.parametrize("most", [7, 3000])
def test_short_reads_from_pipes(folder, pc, small, short, most):
    """An initrd through a pipe that gives a few bytes each time."""
    content = bytes(range(256)) * 40
    (folder / "initrd").write_bytes(content)
    whole = plans.Plan(run("--dry-run", "--json", "--seed=1", pc, small,
                           f"--initrd={folder / 'initrd'}").done().out)
    found = run("--dry-run", "--json", "--seed=1", pc, small, "--initrd=/dev/stdin",
                between=(short, str(most)), limit=60, input=content).done()
    assert plans.Plan(found.out).segment("initrd")["sha256"] == whole.segment("initrd")["sha256"]


def test_short_writes_of_a_kernel(folder, short):
    out = folder / "out"
    run("--export=vmlinux", "-o", out, images.path("6.1-cloud"), between=(short, "3000000"),
        limit=60).done()
    assert out.read_bytes() == images.unpacked("6.1-cloud").data


# ------------------------------------------------------------------------------------- a disk that is full


@pytest.mark.parametrize("call, error, name", [
    ("openat", "ENOSPC", "write/create"), ("openat", "EROFS", "write/create"),
    ("write", "ENOSPC", "write/failed"), ("write", "EDQUOT", "write/failed"),
    ("write", "EIO", "write/failed"), ("write", "EFBIG", "write/failed"),
    ("fsync", "EIO", "write/failed"), ("fsync", "ENOSPC", "write/failed"),
    ("fchmod", "EPERM", "write/failed"), ("rename", "ENOSPC", "write/rename"),
    ("rename", "EXDEV", "write/rename"), ("rename", "EROFS", "write/rename")])
def test_export_to_a_disk_that_fails(folder, call, error, name):
    """The old file stays as it was, and nothing is left beside it."""
    where = folder / "made"
    where.mkdir()
    out = where / "out"
    out.write_bytes(b"old")
    when = calls_until(folder) if call == "openat" else 1
    result = run("--export=vmlinux", "-o", out, images.path("6.1-cloud"), limit=60,
                 between=strace("-e", f"inject={call}:error={error}:when={when}"))
    result.failed(name)
    assert out.read_bytes() == b"old" and os.listdir(where) == ["out"]


def calls_until(folder):
    """Which openat() makes the new file."""
    log = folder / "log"
    run("--export=vmlinux", "-o", folder / "elsewhere", images.path("6.1-cloud"), limit=60,
        between=(shutil.which("strace"), "-f", "-o", str(log), "-e", "trace=openat"))
    lines = [line for line in log.read_text().splitlines() if " openat(" in line]
    (at,) = [i for i, line in enumerate(lines, 1) if "elsewhere." in line]
    return at


@pytest.mark.parametrize("error", ["EINTR", "EAGAIN"])
def test_a_write_that_is_interrupted(folder, error):
    out = folder / "out"
    result = run("--export=vmlinux", "-o", out, images.path("6.1-cloud"), limit=60,
                 between=strace("-e", f"inject=write:error={error}:when=1"))
    if error == "EINTR":
        result.done()
        assert out.read_bytes() == images.unpacked("6.1-cloud").data
    else:
        result.failed("write/failed")
        assert not out.exists()


def test_pipe_on_a_full_disk():
    with open("/dev/full", "wb") as full:
        run("--export=vmlinux", "-o", "-", images.path("6.1-cloud"),
            stdout=full).failed("write/failed")


# ------------------------------------------------------------------------- streams that are not there


def closing(streams):
    """A command that runs another one without these."""
    return ("sh", "-c", 'exec "$@" ' + " ".join(f"{n}>&-" for n in streams), "sh")


ALL_CLOSED = [some for n in (1, 2, 3) for some in itertools.combinations(STREAMS, n)]


@pytest.mark.parametrize("closed", ALL_CLOSED, ids=lambda some: "".join(map(str, some)))
def test_a_file_is_never_taken_for_a_stream(folder, closed):
    """What is said must not get into a file that was opened meanwhile; nor must a file be read as stdin."""
    out, broken = folder / "out", folder / "broken"
    kernel = images.path("6.1-cloud")
    result = run("--export=vmlinux", "-d", "-o", out, kernel, between=closing(closed), limit=60)
    assert result.status == 0, result
    assert out.read_bytes() == images.unpacked("6.1-cloud").data
    out.write_bytes(b"old")
    broken.write_bytes(images.real("6.1-cloud")[:3_000_000])
    before = broken.read_bytes()
    result = run("--export=vmlinux", "-o", out, broken, between=closing(closed))
    assert result.status == 255, result
    assert out.read_bytes() == b"old" and broken.read_bytes() == before
    assert sorted(os.listdir(folder)) == ["broken", "out"]


@pytest.mark.parametrize("closed", ALL_CLOSED, ids=lambda some: "".join(map(str, some)))
def test_a_report_without_streams(folder, pc, small, closed):
    before = small.read_bytes()
    result = run("--dry-run", "--json", pc, small, between=closing(closed))
    if 1 in closed:
        assert result.status == 255, result
        assert result.out == b"" and (2 in closed or b"[output/write]" in result.err), result
    else:
        plans.Plan(result.out).check(images.small())
    # Whoever wrote to a stream that was not there wrote to the first file that was opened.
    assert small.read_bytes() == before
    for path in (folder / "pc").rglob("*"):
        assert not path.is_file() or b"kexec:" not in path.read_bytes()


# --------------------------------------------------------------------------- no /proc, no /sys, no /dev


def chroot(where):
    """A command that runs another one in a tree where only what is needed is; None if that is not to be
    had here."""
    prefix = () if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user")
    words = (*prefix, "chroot", str(where))
    return words if subprocess.run([*words, binary(), "--version"], check=False,
                                   capture_output=True).returncode == 0 else None


@pytest.fixture
def bare(folder, small):
    """An empty root with the command and a kernel in it."""
    top = folder / "root"
    there = top / str(binary()).lstrip("/")
    there.parent.mkdir(parents=True)
    shutil.copy(binary(), there)
    loads = subprocess.run(["ldd", binary()], check=False, capture_output=True, text=True)
    for word in loads.stdout.split():
        if word.startswith("/") and loads.returncode == 0:
            library = top / word.lstrip("/")
            library.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, library)
    shutil.copy(small, top / "small")
    between = chroot(top)
    if not between:
        pytest.skip("neither root nor a user namespace: no chroot")
    return between


def test_nothing_of_the_machine(bare):
    """Nothing tells of memory: that is the reason, and no plan is a guess."""
    run("--dry-run", "/small", between=bare).failed("host/no-memory-map", says=("/proc/iomem",))
    run("-S", "-l", between=bare).failed("status/unknown")
    check = run("--check", between=bare)
    assert check.status in (0, 1, 255) and b"kexec" in check.out + check.err, check
    show = run("--show", between=bare)
    assert show.status in (0, 1, 255) and len(show.reasons()) <= 1, show
    last = run("--last", between=bare)
    assert last.status in (0, 1, 255) and len(last.reasons()) <= 1, last


def test_a_captured_machine_is_enough(bare, folder):
    """Where the machine is in a folder, /proc, /sys and /dev of this one are not needed."""
    top = folder / "root"
    machines.Machine(machines.pc(16 * machines.GIB)).write(top / "host")
    plan = run("--dry-run", "--json", "--seed=1", "--host-root=/host", "/small", between=bare).done()
    plans.Plan(plan.out).check(images.small())


def test_closed_streams_without_dev(bare, folder):
    """/dev/null is not there to take the place of a stream: then nothing is done at all."""
    top = folder / "root"
    machines.Machine(machines.pc(16 * machines.GIB)).write(top / "host")
    result = run("--dry-run", "--json", "--host-root=/host", "/small",
                 between=("sh", "-c", 'exec "$@" 0<&-', "sh", *bare))
    assert result.status in (0, 255), result
    assert (top / "small").read_bytes() == images.small()


# ------------------------------------------------------------------------------------------- no threads


@pytest.mark.parametrize("enter", ["auto", "64"])
def test_no_threads(folder, pc, enter):
    """What is done by several is done by one; what would be done in a sandbox is done without, and
    that is said."""
    initrd = folder / "initrd"
    with initrd.open("wb") as f:
        f.truncate(40 << 20)
    words = ("--dry-run", "--json", "--seed=1", f"--enter={enter}", pc, images.path("6.1-cloud"),
             f"--initrd={initrd}")
    no_clone = strace("-e", "inject=clone3:error=EAGAIN", "-e", "inject=clone:error=EAGAIN")
    alone = run(*words, "--no-sandbox", limit=60, between=no_clone)
    if alone.status == 255:
        assert len(alone.reasons()) == 1, alone
    else:
        assert alone.out == run(*words, "--no-sandbox").done().out
    plan = json.loads(run(*words, limit=60, between=no_clone).done().out)
    assert [note["id"] for note in plan["notes"]].count("sandbox/none") == 1


@pytest.mark.parametrize("limit", ["--stack=65536", "--data=30000000", "--memlock=0", "--nproc=1",
                                   "--core=0", "--sigpending=0", "--msgqueue=0"])
def test_limits(pc, small, limit):
    result = run("--dry-run", "--json", "--seed=1", pc, small, between=("prlimit", limit))
    assert result.status in (0, 255), result
    assert len(result.reasons()) == (result.status == 255), result
    if result.status == 0:
        assert result.out == run("--dry-run", "--json", "--seed=1", pc, small).done().out


# -------------------------------------------------------------------------- files that shrink while mapped


@pytest.mark.parametrize("which", ["--module", "--dtb", "--addon"])
def test_other_files_that_are_cut(folder, pc, small, which):
    """What is mapped and gone is a reason, whichever file it was; cut at any moment of the run."""
    path = folder / "file"
    result = None
    for delay in (0.0, 0.002, 0.004, 0.008, 0.016):
        path.write_bytes(b"\xd0\x0d\xfe\xed\0\0\x10\0" + b"x" * (1 << 20))
        timer = threading.Timer(delay, os.truncate, (path, 0))
        timer.start()
        result = run("--dry-run", pc, small, f"{which}={path}", limit=LIMIT)
        timer.join()
        assert result.status in (0, 1, 255), result
        assert len(result.reasons()) == (result.status != 0), result
    assert result is not None
