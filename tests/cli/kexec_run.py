# SPDX-License-Identifier: GPL-2.0-or-later
"""The only place that starts kexec, and what is asserted of every run of it.

No run can load or start a kernel on the machine that tests: each is without CAP_SYS_BOOT, and is a
--dry-run or something else that changes nothing. A test of what a load says without that right
asks for it with may_load.
"""

import dataclasses
import functools
import os
import pathlib
import re
import signal
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 120  # seconds; a run takes milliseconds, and a second where a kernel is unpacked

CAP_NET_ADMIN = 12
CAP_SYS_BOOT = 22
NOBODY = 65534

# The first word is an option, whatever follows; with one of these, nothing is loaded or started.
CHANGES_NOTHING = ("--dry-run", "--inspect", "--export=vmlinux", "--export=elf", "--export=bzimage", "-h", "-?", "--help", "-v", "--version", "-S", "--status",
                   "--print-ckr-size", "--check", "--show", "--last", "--list")
BESIDE_LOAD = re.compile(r"-[acsd]|--json|--no-cma|--force-dtb|--(initrd|append)=.*|[^-].*")

REASON = re.compile(r"kexec: (?!try: |warning: |note: )(?P<text>.+) "
                    r"\[(?P<id>[a-z0-9-]+/[a-z0-9-]+)\]")
TRY = re.compile(r"kexec: try: .+")
NOTE = re.compile(r"kexec: note: .+ \[[a-z0-9-]+/[a-z0-9-]+\]")
WARNING = re.compile(r"kexec: warning: .+ \[[a-z0-9-]+/[a-z0-9-]+\]")


def binary():
    path = pathlib.Path(os.environ.get("KEXEC") or TOP / "build" / "bin" / "kexec").absolute()
    if not path.exists():
        raise FileNotFoundError(f"{path}: build it first, or set KEXEC")
    return path


@functools.lru_cache(maxsize=None)
def confine(user=None):
    """A command prefix, tried out: what runs behind it can neither kexec nor touch a network."""
    prefix = ["setpriv", "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all"]
    if os.geteuid() == 0:
        prefix += ["--bounding-set=-sys_boot,-net_admin"]
    if user is not None:
        prefix += [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    status = subprocess.run([*prefix, "cat", "/proc/self/status"], check=True, timeout=LIMIT,
                            capture_output=True, text=True).stdout
    for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        bits = int(re.search(rf"^{kind}:\s*([0-9a-f]+)$", status, re.M)[1], 16)
        assert bits & (1 << CAP_SYS_BOOT | 1 << CAP_NET_ADMIN) == 0, f"{kind} is {bits:#x}"
    return tuple(prefix)


@dataclasses.dataclass(frozen=True)
class Run:
    args: tuple
    status: int
    out: bytes
    err: bytes
    seconds: float

    def __str__(self):
        return (f"kexec {' '.join(map(repr, self.args))[:2000]}: status {self.status} after "
                f"{self.seconds:.2f} s\nstdout: {self.out[:2000]!r}\nstderr: {self.err[:2000]!r}")

    def done(self):
        """It worked and has nothing to say about that on stderr."""
        assert self.status == 0, self
        assert self.err == b"", self
        return self

    def reasons(self, has_notes=False):
        """The reason lines on stderr as matches; every other line must be known as well. Notes are
        there with -d only."""
        lines = self.err.decode("utf-8", "surrogateescape").splitlines()
        assert not self.err or self.err.endswith(b"\n"), self
        found = []
        for i, line in enumerate(lines):
            reason = REASON.fullmatch(line)
            if reason:
                found.append(reason)
            elif TRY.fullmatch(line):
                assert i > 0 and REASON.fullmatch(lines[i - 1]), f"advice for nothing: {self}"
            elif not (has_notes and NOTE.fullmatch(line)):
                assert WARNING.fullmatch(line), f"{line!r} in {self}"
        return found

    def failed(self, name, status=255, says=(), has_out=False):
        """It failed with this id and status, said so once, and its reason has all of these."""
        assert self.status == status, self
        assert has_out or self.out == b"", self
        found = self.reasons()
        assert [reason["id"] for reason in found] == [name], self
        for word in says:
            assert word in found[0]["text"], f"no {word!r} in {self}"
        return found[0]["text"]


def command(args, user=None, between=(), may_load=False):
    """argv for a run; refuses what could change the machine even without rights."""
    words = [os.fsdecode(arg) for arg in args]
    if may_load:
        assert words[0] == "-l" and all(map(BESIDE_LOAD.fullmatch, words[1:])), words
    else:
        assert not words or words[0] in CHANGES_NOTHING, words
    return [*confine(user), *between, str(binary()), *args]


def run(*args, user=None, between=(), may_load=False, limit=LIMIT, **popen):
    """Runs kexec to its end. between: a command that runs it, such as prlimit."""
    argv = command(args, user, between, may_load)
    popen.setdefault("stdin", subprocess.DEVNULL)
    popen.setdefault("stdout", subprocess.PIPE)
    popen.setdefault("stderr", subprocess.PIPE)
    if "input" in popen:
        del popen["stdin"]
    popen.setdefault("env", {"PATH": os.environ["PATH"], "LC_ALL": "C", "COLUMNS": "80"})
    start = time.monotonic()
    done = subprocess.run(argv, check=False, timeout=limit, **popen)
    result = Run(tuple(args), done.returncode, done.stdout or b"", done.stderr or b"",
                 time.monotonic() - start)
    if done.returncode < 0:
        raise AssertionError(f"ended by {signal.Signals(-done.returncode).name}: {result}")
    return result
