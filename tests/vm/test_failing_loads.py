# SPDX-License-Identifier: GPL-2.0-or-later
"""Real loads in which something goes wrong: a system call fails, a signal comes, another load begins.

inject.c says what it looks at. What is loaded is a small image that nobody starts.
"""

import re
import signal
import sys

import pytest

from guest import ALONE, TOP, Guest, Machine, compiled, initramfs, kernel, kexec_files

sys.path.append(str(TOP / "tests" / "corpus"))
import cases  # noqa: E402 (not before the line above)

LIMIT = 1700    # seconds for the whole of a long form


@pytest.fixture(scope="session")
def inject():
    return compiled("inject", "inject.c", *ALONE)


def injected(inject, lines, log, first="6.1-cloud", more=""):
    """Numbers of each such line: {points, runs, failed, loaded, killed, bad}. None may be bad."""
    files = {**kexec_files(), "/sbin/inject": inject, "/k": cases.whole(), "/run/is-there": b""}
    job = "\n".join([f"limit {LIMIT}", *[f"run /sbin/inject {line} /k" for line in lines], "proof done"])
    with Guest(Machine(), kernel(first), initramfs({"": job}, files), f"loglevel=4 quiet {more}", log=log,
               limit=LIMIT) as guest:
        guest.expect("NG-PROOF done", seconds=LIMIT)
        text = "\n".join(line for _, line in guest.lines)
    assert "NG-INJECT-BAD" not in text, text
    done = re.findall(r"NG-INJECT-DONE (.*)", text)
    assert len(done) == len(lines)
    numbers = [dict(re.findall(r"(\w+) (\d+)", line)) for line in done]
    print(numbers)
    return [{name: int(value) for name, value in each.items()} for each in numbers]


LOADS = ["/sbin/kexec -c -l", "/sbin/kexec -s -l", "/sbin/kexec -l"]


def test_some_calls_fail(inject, log_folder):
    (found,) = injected(inject, ["fail 17 /sbin/kexec -c -l"], log_folder)
    assert found["points"] > 10 and found["failed"] > 10 and found["loaded"] > 10


@pytest.mark.long_form
@pytest.mark.parametrize("load", LOADS)
def test_each_call_fails(load, inject, log_folder):
    """Each call, from the open of the kernel on, with each errno it may have."""
    (found,) = injected(inject, [f"fail 1 {load}"], log_folder)
    assert found["points"] > 100 and found["failed"] > 100 and found["loaded"] > 100


RESERVED = "crashkernel=128M"
# Beside a kernel for the next boot and one for a panic, of which the other one has to stay whatever happens.
BESIDE = ["/sbin/kexec -c -p", "/sbin/kexec -s -p", "/sbin/kexec -c -u", "/sbin/kexec -s -p -u", "/sbin/kexec -c -l",
          "/sbin/kexec -s -l", "/sbin/kexec -u"]


def test_what_is_loaded_stays(inject, log_folder):
    """A few calls of each: what was loaded before, for the next boot and for a panic, is as it was."""
    steps = dict(zip(BESIDE[:3], (97, 97, 9)))
    lines = [f"fail {step} {words}" for words, step in steps.items()]
    for words, found in zip(steps, injected(inject, lines, log_folder, more=RESERVED)):
        assert found["points"] > 2 and found["loaded"] > 2, (words, found)
        assert found["failed"] > 0 or "-u" in words, (words, found)


@pytest.mark.long_form
@pytest.mark.parametrize("words", BESIDE)
def test_what_is_loaded_stays_at_each_call(words, inject, log_folder):
    """An unload by either call fails only if both of them do."""
    (found,) = injected(inject, [f"fail 1 {words}"], log_folder, more=RESERVED)
    assert found["points"] > 15 and found["loaded"] > 15
    assert found["failed"] > (15 if "-u" not in words else 0) or words.endswith("kexec -u")


def test_some_signals(inject, log_folder):
    kills, asks = injected(inject, [f"{signal.SIGKILL} 11 /sbin/kexec -c -l",
                                    f"{signal.SIGTERM} 23 /sbin/kexec -c -l"], log_folder)
    assert kills["killed"] > 10 and asks["killed"] > 5


@pytest.mark.long_form
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_signals_at_each_call(number, inject, log_folder):
    """Afterwards either this load is loaded or the one before, and the record knows, or says that it does
    not."""
    found = injected(inject, [f"{int(number)} 1 {load}" for load in LOADS[:2]], log_folder)
    assert all(each["killed"] > 50 for each in found)


def test_races(inject, log_folder):
    """Two loads, or a load and an unload, at once: both work, one after the other, and nothing is mixed."""
    (found,) = injected(inject, ["race 12 /sbin/kexec -c -l"], log_folder)
    assert found["loaded"] == 20 and found["runs"] == 24
