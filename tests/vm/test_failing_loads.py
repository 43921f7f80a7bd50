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


def injected(inject, lines, log, first="6.1-cloud"):
    """Numbers of each such line: {points, runs, failed, loaded, killed, bad}. None may be bad."""
    files = {**kexec_files(), "/sbin/inject": inject, "/k": cases.whole(), "/run/is-there": b""}
    job = "\n".join([f"limit {LIMIT}", *[f"run /sbin/inject {line} /k" for line in lines], "proof done"])
    with Guest(Machine(), kernel(first), initramfs({"": job}, files), "loglevel=4 quiet", log=log,
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
