# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that change while they are read."""

import os
import random
import subprocess
import time

import pytest

import images
import plans
from kexec_run import Run, command, run

LIMIT = 30


def start(*args):
    return subprocess.Popen(command(args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def wait_until_mapped(process, path):
    """True when the process has this file mapped, False when it ended before that was seen."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{process.pid}/maps", encoding="utf-8", errors="replace") as f:
                maps = f.read()
        except OSError:
            return False
        if str(path) in maps:
            return True
        if process.poll() is not None:
            return False
    raise AssertionError("never mapped")


def result_of(process, args):
    out, err = process.communicate(timeout=LIMIT)
    return Run(args, process.returncode, out, err, 0)


@pytest.mark.parametrize("which", ["kernel", "initrd", "second initrd"])
@pytest.mark.parametrize("form", ["--seed=1", "--json"])
def test_file_that_is_cut(folder, pc, which, form):
    """Pages that are gone raise SIGBUS in who reads them; that must become a message."""
    kernel, initrd, second = folder / "kernel", folder / "initrd", folder / "second"
    kernel.write_bytes(images.bare())
    for path in initrd, second:
        with path.open("wb") as f:
            f.truncate(192 << 20)  # long enough to be found reading
    cut = {"kernel": kernel, "initrd": initrd, "second initrd": second}[which]
    args = ("--dry-run", form, pc, kernel, f"--initrd={initrd}", f"--initrd={second}")
    with start(*args) as process:
        assert wait_until_mapped(process, cut)
        os.truncate(cut, 0)
        result = result_of(process, args)
    # The initrds are so long that they cannot have been read; the kernel may have been.
    if which == "kernel" and result.status == 0:
        return
    if which == "kernel" and b"[file/truncated]" not in result.err:
        assert len(result.reasons()) == 1, result
        return
    result.failed("file/truncated", has_out=form == "--json")


def test_file_that_is_cut_and_grows_again(folder, pc):
    """Whatever is seen of it: a plan, or a reason."""
    where = folder / "kernel"
    whole = images.bare()
    where.write_bytes(whole)
    script = ("import os, sys\n"
              "path, whole = sys.argv[1], open(sys.argv[1], 'rb').read()\n"
              "while os.getppid() == int(sys.argv[2]):\n"
              "    os.truncate(path, len(whole) // 2)\n"
              "    with open(path, 'r+b') as f:\n"
              "        f.write(whole)\n")
    seen = set()
    with subprocess.Popen(["/usr/bin/python3", "-c", script, where, str(os.getpid())]) as writer:
        try:
            for _ in range(60):
                result = run("--dry-run", pc, where)
                assert result.status in (0, 255), result
                found = result.reasons()
                assert len(found) == (result.status == 255), result
                seen.add(found[0]["id"] if found else "planned")
        finally:
            writer.terminate()
    assert {name for name in seen if not name.startswith("unpack/")} <= {
        "planned", "file/truncated", "file/empty", "bzimage/kernel-truncated",
        "bzimage/payload-trailer", "bzimage/init-size-below-payload"}, seen
    assert len(seen) > 1


def test_header_that_changes(folder, pc):
    """The header is looked at more than once; a plan from two headers must still be legal."""
    where = folder / "kernel"
    where.write_bytes(images.small())
    chance = random.Random(1)
    descriptor = os.open(where, os.O_WRONLY)
    for _ in range(100):
        args = ("--dry-run", "--json", pc, where)
        with start(*args) as process:
            for _ in range(200):
                field = chance.choice(list(images.LENGTHS))
                os.pwrite(descriptor, chance.randbytes(images.LENGTHS[field]), field)
                if process.poll() is not None:
                    break
            result = result_of(process, args)
        os.pwrite(descriptor, images.small()[:0x280], 0)
        assert result.status in (0, 255), result
        assert len(result.reasons()) == (result.status == 255), result
        if result.status == 0:
            windows = plans.Plan(result.out).windows
            for (_, end, _), (begin, _, _) in zip(windows, windows[1:]):
                assert end <= begin
    os.close(descriptor)


def test_file_that_is_replaced(folder, pc):
    """A name that leads elsewhere meanwhile does not matter: the open file counts."""
    where = folder / "kernel"
    where.write_bytes(images.bare())
    with (folder / "initrd").open("wb") as f:
        f.truncate(192 << 20)
    args = ("--dry-run", "--json", "--enter=64", pc, where, f"--initrd={folder / 'initrd'}")
    with start(*args) as process:
        assert wait_until_mapped(process, where)
        (folder / "new").write_bytes(b"not a kernel")
        os.replace(folder / "new", where)
        result = result_of(process, args)
    assert result.status == 0, result
    plan = plans.Plan(result.out)
    assert plan.segment("kernel")["sha256"] == images.bare().kernel_digest
