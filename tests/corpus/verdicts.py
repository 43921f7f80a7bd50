# SPDX-License-Identifier: GPL-2.0-or-later
"""What a loader makes of a case: accepted or refused by its exit status, or something worse."""

import dataclasses
import os
import resource
import signal
import subprocess
import tempfile

ACCEPTED, REFUSED = "accept", "refuse"
CRASHED, HUNG, OTHER = "crashed", "hung", "unknown status"


@dataclasses.dataclass(frozen=True)
class Limits:
    seconds: float = 20
    memory: int = 4 << 30        # address space, bytes: a net below what is asserted of rss
    accept: tuple = (0,)         # exit statuses
    refuse: tuple = (1, 255)


@dataclasses.dataclass(frozen=True)
class Result:
    verdict: str
    status: int
    rss: int        # the most memory it had, bytes
    output: str     # of both streams

    def is_as(self, expect):
        if expect == "either":
            return self.verdict in (ACCEPTED, REFUSED)
        return self.verdict == expect


def _verdict(status, limits):
    if status < 0:
        return CRASHED
    if status in limits.accept:
        return ACCEPTED
    return REFUSED if status in limits.refuse else OTHER


def judge(command, path, limits=Limits()):
    """Runs the command, in which {} stands for the path of the image."""
    argv = [word.replace("{}", str(path)) for word in command]

    def confine():
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   preexec_fn=confine)
        previous = signal.signal(signal.SIGALRM, lambda *_: process.kill())
        signal.setitimer(signal.ITIMER_REAL, limits.seconds)
        is_hung = False
        try:
            _, raw, usage = os.wait4(process.pid, 0)
        finally:
            is_hung = signal.getitimer(signal.ITIMER_REAL)[0] == 0
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
        process.returncode = status = os.waitstatus_to_exitcode(raw)
        out.seek(0)
        text = out.read(65536).decode("utf-8", "replace")
    verdict = HUNG if is_hung else _verdict(status, limits)
    return Result(verdict, status, usage.ru_maxrss * 1024, text)
