# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/kexec-cycle without a machine: plans that are refused, and what is kept of kernels that
cannot be loaded. Its kexec is a program that loads nothing."""

import json
import os
import pathlib
import subprocess

import jsonschema
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = TOP / "doc" / "json-schema" / "cycles.json"
KERNEL = "kernel = {image}\n"
HOME = f"[home]\n{KERNEL}"
ONE = f"[one]\n{KERNEL}test = true\n"


def cycle(folder, *words, kexec="/bin/false", **more):
    return subprocess.run([TOP / "scripts" / "kexec-cycle", f"--state={folder}/state", *words],
                          capture_output=True, text=True, timeout=60,
                          env={**os.environ, "KEXEC": kexec,
                               "KEXEC_CYCLE_WATCHDOG": f"{folder}/watchdog", **more})


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "image").write_bytes(b"a kernel")
    (tmp_path / "watchdog").write_bytes(b"")

    def written(text):
        (tmp_path / "plan").write_text(text.format(image=tmp_path / "image"))
        return tmp_path / "plan"

    return written


@pytest.mark.parametrize("text, says", [
    (ONE, "no [home]"),
    (HOME, "no kernel to test"),
    (HOME + f"[one]\n{KERNEL}", "[one] has no test"),
    (HOME + "[one]\ntest = true\n", "[one] has no kernel"),
    (HOME + ONE + KERNEL, "line 6: one kernel for [one]"),
    (HOME + ONE + ONE, "line 6: [one] is there twice"),
    (HOME + ONE + "limit = soon\n", "line 6: limit = soon"),
    (HOME + ONE + "initrd = /nowhere\n", "line 6: initrd = /nowhere: there is no such file"),
    (HOME + "test = true\n" + ONE, "line 3: [home] has no test"),
    (HOME + ONE + "initrd = /dev/null\n", "line 6: initrd = /dev/null: not a regular file"),
    (HOME + ONE + "colour = red\n", "line 6: 'colour'"),
    (HOME + ONE + "what\n", "line 6: neither"),
    (HOME + f"[../one]\n{KERNEL}test = true\n", "line 3: [../one]"),
    ("kernel = /x\n" + HOME + ONE, "line 1: a [NAME] comes first"),
])
def test_refused(plan, tmp_path, text, says):
    done = cycle(tmp_path, "start", plan(text))
    assert done.returncode == 2 and says in done.stderr, done
    assert not list((tmp_path / "state").iterdir())


@pytest.mark.parametrize("path, says", [("/nowhere", "/nowhere: there is no such file"),
                                        ("/dev/null", "/dev/null: not a regular file"),
                                        ("/etc", "/etc: not a regular file")])
def test_no_plan(tmp_path, path, says):
    done = cycle(tmp_path, "start", path)
    assert done.returncode == 2 and done.stderr == f"kexec-cycle: {says}\n", done


def test_no_watchdog(plan, tmp_path):
    where = plan(HOME + ONE)
    (tmp_path / "watchdog").unlink()
    done = cycle(tmp_path, "start", where)
    assert done.returncode == 2 and "--accept-hangs" in done.stderr
    assert cycle(tmp_path, "start", "--accept-hangs", where).returncode == 0


def test_not_loaded(plan, tmp_path):
    """A kexec that fails: status 1 of a rehearsal is a verdict of its own, without one it is the load."""
    two = HOME + ONE + f"[two]\n{KERNEL}test = true\n"
    done = cycle(tmp_path, "start", "--no-rehearse", plan(two))
    assert done.returncode == 0, done
    results = json.loads((tmp_path / "state" / "results.json").read_text())
    jsonschema.validate(results, json.loads(SCHEMA.read_text()))
    assert [(k["name"], k["verdict"]) for k in results["kernels"]] == [
        ("one", "not-loaded"), ("two", "not-loaded")]
    done = cycle(tmp_path, "start", plan(HOME + ONE))
    assert "would-not-boot" in done.stdout, done
    assert cycle(tmp_path, "resume").stdout == ""
    assert "would-not-boot" in cycle(tmp_path, "status").stdout


def test_words(plan, tmp_path):
    """What a kernel is loaded with."""
    (tmp_path / "cmdline").write_text("BOOT_IMAGE=/x root=/dev/vda1 quiet kexec_cycle=old\n")
    (tmp_path / "kexec").write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\nexit 3\n')
    (tmp_path / "kexec").chmod(0o755)
    done = cycle(tmp_path, "start", plan(HOME + ONE + "append = panic=3 debug\ninitrd = {image}\n"),
                 kexec=f"{tmp_path}/kexec", KEXEC_CYCLE_CMDLINE=f"{tmp_path}/cmdline")
    assert done.returncode == 0, done
    image = tmp_path / "image"
    line = (f"{image} --command-line=root=/dev/vda1 quiet softlockup_panic=1 panic=3 debug "
            f"kexec_cycle=one --initrd={image}")
    assert (tmp_path / "calls").read_text().splitlines() == [f"--rehearse -l {line}", f"-l {line}"]


@pytest.mark.parametrize("stops, left", [("0", "V"), ("-1", ""), (None, "")])
def test_watchdog_of_home(plan, tmp_path, stops, left):
    """It is armed for the jump where the kernel was told to let it run, and stopped if there was none."""
    if stops:
        (tmp_path / "stops").write_text(stops + "\n")
    done = cycle(tmp_path, "start", "--no-rehearse", plan(HOME + ONE), kexec="/bin/true",
                 KEXEC_CYCLE_STOPS_ON_REBOOT=f"{tmp_path}/stops")
    assert done.returncode == 0 and "the jump did not happen" in done.stdout, done
    assert (tmp_path / "watchdog").read_text() == left


def test_interrupted(plan, tmp_path):
    """Another kernel came up than was meant to: nothing is done. Home did: what was lost is settled."""
    cycle(tmp_path, "start", "--no-rehearse", plan(HOME + ONE))
    state = tmp_path / "state"
    (state / "current").write_text("one jumping\n")
    (state / "results" / "one" / "verdict").unlink()
    (state / "home" / "release").write_text("1.2.3\n")
    done = cycle(tmp_path, "resume")
    assert done.returncode == 2 and "home is 1.2.3: nothing is done" in done.stderr
    (state / "home" / "release").write_text(os.uname().release + "\n")
    done = cycle(tmp_path, "resume")
    assert done.returncode == 0 and "one: reset" in done.stdout, done


@pytest.mark.parametrize("words", [(), ("start",), ("dance",), ("start", "a", "b"), ("--what",)])
def test_usage(tmp_path, words):
    assert cycle(tmp_path, *words).returncode == 2
