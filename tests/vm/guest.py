# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests: what they boot from, how they run, what they said.

A guest is one QEMU process (TCG: no KVM is needed) that boots a kernel with an initramfs made
here, whose init (init.c) does one job file. The tests read its serial line:

    with Guest(Machine(firmware="ovmf"), kernel("6.1-cloud"), initrd, "loglevel=4") as guest:
        facts = guest.facts()
        guest.expect(r"NG-PROOF second")

expect() raises GuestFailed on a panic, on NG-FAIL, when the guest ends and when time is up, so
a test cannot wait for ever and cannot take silence for success.
"""

import dataclasses
import fcntl
import functools
import gzip
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.append(str(TOP / "tests" / "lib"))

import bzimage  # noqa: E402 (not before the line above)

BUILD = TOP / "build"

QEMU = "qemu-system-x86_64"
OVMF = pathlib.Path("/usr/share/OVMF")
GUEST_LIMIT = 480  # seconds a guest may live at most, whatever it does
STEP_LIMIT = 180   # seconds until the next thing that is expected of it

FAILED = re.compile(r"NG-FAIL|Kernel panic|---\[ end trace|Unable to handle kernel")


# A kernel counts ticks of the emulated 8254 against its own loops. QEMU that is starved of CPU time
# delivers none meanwhile, with any loader and without a kexec too.
EMULATOR = re.compile(r"IO-APIC \+ timer doesn't work")


class Turn:
    """One of as many places as there are CPUs, shared by every test run of this user on the machine.

    More guests than that starve each other until kernels miss their timers. Who waits too long
    starts anyway: a test may hold one place and want a second.
    """

    LONGEST_WAIT = 1200  # seconds

    def __init__(self):
        folder = pathlib.Path(tempfile.gettempdir()) / f"kexec-ng-turns.{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        deadline = time.monotonic() + self.LONGEST_WAIT
        self._file = None
        while not self._file and time.monotonic() < deadline:
            for n in range(os.cpu_count() or 1):
                self._file = self._try(folder / str(n))
                if self._file:
                    return
            time.sleep(0.2)

    @staticmethod
    def _try(path):
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            file.close()
            return None

    def close(self):
        if self._file:
            self._file.close()


class GuestFailed(AssertionError):
    """The guest did not do what was expected; the message ends in its last lines."""


class EmulatorFailed(GuestFailed):
    """What failed is QEMU on this machine at this moment, as the guest's own words show."""


# ---------------------------------------------------------------------------------- the kernels


@dataclasses.dataclass(frozen=True)
class Kernel:
    name: str
    image: pathlib.Path
    release: str

    @property
    def bits(self):
        return 32 if "-686" in self.name or "-32" in self.name else 64

    @property
    def module(self):
        """A module of it, not compressed, that needs no other and no device; None if it has none."""
        return None if self.name.startswith("small-") else self.image.parent / "module.ko"

    @functools.cached_property
    def bzimage(self):
        return bzimage.Image.read(self.image)


def cache():
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return pathlib.Path(os.environ.get("KEXEC_NG_CACHE") or home / "kexec-ng")


def kernel(name):
    """A kernel that tests/vm/fetch has put into the cache; fetches it if it is not there."""
    where = cache() / "kernels" / name
    if not all((where / part).exists() for part in ("release", "vmlinuz", "module.ko")):
        if subprocess.run([HERE / "fetch", name], timeout=1800).returncode != 0:
            raise FileNotFoundError(f"no kernel {name}: tests/vm/fetch failed")
    return Kernel(name, where / "vmlinuz", (where / "release").read_text().strip())


def built_kernel(name, command, *words):
    """A kernel that such a command builds, if it is not there yet."""
    where = cache() / "kernels" / name
    if not all((where / part).exists() for part in ("release", "vmlinuz")):
        if subprocess.run([HERE / command, *words], timeout=7200).returncode != 0:
            raise FileNotFoundError(f"no kernel {name}: tests/vm/{command} failed")
    return Kernel(name, where / "vmlinuz", (where / "release").read_text().strip())


def jump_kernel():
    """A kernel with CONFIG_KEXEC_JUMP, to come back to."""
    return built_kernel("6.1-jump", "build-jump-kernel")


def kernel_named(name):
    """One of Debian's, or a small one: "small-gzip"."""
    small = name.removeprefix("small-")
    return kernel(name) if small == name else built_kernel(name, "build-small-kernels", small)


def newer_qemu():
    """The QEMU of tests/vm/fetch-qemu, which emulates more of a CPU; fetches it if need be."""
    program = cache() / "qemu" / "run"
    if not program.exists():
        if subprocess.run([HERE / "fetch-qemu"], timeout=1800).returncode != 0:
            raise FileNotFoundError("no newer QEMU: tests/vm/fetch-qemu failed")
    return str(program)


def kexec_binary():
    path = pathlib.Path(os.environ.get("KEXEC") or BUILD / "bin" / "kexec")
    if not path.exists():
        raise FileNotFoundError(f"{path}: build it first, or set KEXEC")
    return path


# ------------------------------------------------------------------------------- the initramfs

MODE_DIR, MODE_FILE, MODE_PROGRAM, MODE_LINK = 0o40755, 0o100644, 0o100755, 0o120777


def newc(members):
    """A cpio archive, "newc" format, of (name, mode, bytes) members."""
    out = bytearray()
    for inode, (name, mode, data) in enumerate([*members, ("TRAILER!!!", 0, b"")], start=1):
        path = name.encode() + b"\0"
        numbers = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
        out += b"070701" + b"".join(b"%08x" % n for n in numbers) + path
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
    return bytes(out)


def read_newc(data):
    """The (name, mode, bytes) members of such an archive; ValueError if it is cut short."""
    at, members = 0, []
    while True:
        if data[at:at + 6] != b"070701":
            raise ValueError(f"no cpio member at byte {at} of {len(data)}")
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[at + 110:at + 110 + name_size - 1].decode()
        body = at + 110 + name_size
        body += -body % 4
        if name == "TRAILER!!!":
            return members
        if body + size > len(data):
            raise ValueError(f"{name} is cut short")
        members.append((name, mode, data[body:body + size]))
        at = body + size
        at += -at % 4


def unpack_newc(data, where):
    """Writes such an archive, as init's dump-tree sends it, below the directory where."""
    for name, mode, body in read_newc(data):
        path = pathlib.Path(where) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if mode & 0o170000 == 0o040000:
            path.mkdir(exist_ok=True)
        elif mode & 0o170000 == 0o120000:
            if not path.is_symlink():
                path.symlink_to(body.decode())
        elif not path.exists():
            path.write_bytes(body)


def compiled(name, source, *words, compiler=("gcc",), limit=60):
    """The path of a program for guests, which a compiler makes of a source here."""
    program = BUILD / "vm" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    part = program.with_suffix(f".{os.getpid()}")    # two tests may come here at once
    subprocess.run([*compiler, "-o", part, HERE / source, *words], check=True, timeout=limit)
    part.rename(program)
    return program


# What makes a C program for guests that needs nothing but the kernel.
ALONE = ("-std=gnu11", "-Os", "-Wall", "-Wextra", "-static", "-s")


def init_binary(bits):
    """init.c as a static program for 32 or 64 bits; compiled when it is older than its source."""
    source, program = HERE / "init.c", BUILD / "vm" / f"init{bits}"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        flags = ["-m32", "-D_FILE_OFFSET_BITS=64"] if bits == 32 else []
        compiled(program.name, source.name, *ALONE, *flags,
                 compiler=os.environ.get("CC", "gcc").split(), limit=120)
    return program.read_bytes()


def libraries_of(program):
    """What a dynamically linked program needs: {path: bytes}; nothing for a static one."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=20)
    found = re.findall(r"(/\S+) \(0x", listed.stdout)
    return {path: pathlib.Path(path).read_bytes() for path in found}


def initramfs(jobs, files=None, bits=64, init=True):
    """An archive with init, its jobs {name: text} and files {path: bytes or Path}.

    The job named "" is the one for a kernel command line without ng.job=.
    """
    contents = {"dev": (MODE_DIR, b"")}
    if init:
        contents["init"] = (MODE_PROGRAM, init_binary(bits))
    for name, text in jobs.items():
        contents[f"jobs/{name}" if name else "job"] = (MODE_FILE, text.encode())
    for path, data in (files or {}).items():
        if isinstance(data, pathlib.Path):
            data = data.read_bytes()
        program = path.startswith("/sbin/") or "/ld-" in path
        contents[path.lstrip("/")] = (MODE_PROGRAM if program else MODE_FILE, data)
    folders = {str(parent) for path in contents for parent in pathlib.PurePath(path).parents}
    members = [(folder, MODE_DIR, b"") for folder in sorted(folders - {"."})]
    return newc(members + [(path, mode, data) for path, (mode, data) in contents.items()])


# What kexec reads of a machine, for init's dump-tree.
FACTS_TREE = """
    /proc/cmdline /proc/consoles /proc/cpuinfo /proc/devices /proc/fb /proc/iomem /proc/meminfo
    /proc/sys/kernel/osrelease /proc/sys/kernel/arch /proc/sys/kernel/kexec_load_disabled
    /proc/sys/kernel/kexec_load_limit_reboot /proc/sys/kernel/kexec_load_limit_panic
    /sys/firmware/memmap /sys/firmware/efi /sys/kernel/boot_params /sys/kernel/kexec
    /sys/kernel/kexec_loaded /sys/kernel/kexec_crash_loaded /sys/kernel/kexec_crash_size
    /sys/kernel/crash_elfcorehdr_size /sys/kernel/vmcoreinfo /sys/kernel/security/lockdown
    /sys/class/graphics /sys/class/drm /sys/class/tty/ttyS0 /sys/class/tty/ttyS1
    /sys/devices/system/cpu/cpu0 /sys/devices/system/cpu/cpu1 /sys/devices/system/cpu/cpu2
    /sys/devices/system/cpu/cpu3 /sys/devices/system/cpu/possible
    /sys/devices/system/cpu/crash_hotplug
    /sys/devices/system/memory/crash_hotplug /sys/firmware/acpi/tables/SRAT
""".split()


def kexec_files():
    """What a guest needs to run kexec, as /sbin/kexec."""
    program = kexec_binary()
    return {"/sbin/kexec": program, **libraries_of(program)}


def initrd_parts(jobs, n_parts, bits=64):
    """An initramfs in n parts, which say in the guest's facts that they came, and in which order.

    Part 1 has init and the jobs. Part 2 is gzip'd, and of odd length: what follows it must have
    been aligned by the loader. Each part k overwrites a file of part k-1, so that the kernel saw
    them in this order if and only if that file has k.
    """
    parts = []
    for k in range(1, n_parts + 1):
        files = {f"/initrd-part-{k}": str(k).encode()}
        if k > 1:
            files[f"/initrd-part-{k - 1}{k}"] = str(k).encode()
        if k < n_parts:
            files[f"/initrd-part-{k}{k + 1}"] = str(k).encode()
        part = initramfs(jobs if k == 1 else {}, files, bits, init=k == 1)
        if k == 2:
            part = odd(gzip.compress(part, mtime=0))
        parts.append(part)
    return parts


def odd(data):
    """The gzip stream data; if its length is even, with an empty file name: one byte more."""
    if len(data) % 2:
        return data
    has_name = 0x08
    return data[:3] + bytes([data[3] | has_name]) + data[4:10] + b"\0" + data[10:]


def expected_parts(n_parts):
    parts = {str(k): str(k) for k in range(1, n_parts + 1)}
    return {**parts, **{f"{k - 1}{k}": str(k) for k in range(2, n_parts + 1)}}


# ---------------------------------------------------------------------------------- the machine


@dataclasses.dataclass(frozen=True)
class Machine:
    firmware: str = "seabios"  # or ovmf
    cpu: str = "max"           # or qemu64, or max,la57=off
    memory: int = 512          # MiB
    smp: int = 1
    vga: str = "none"          # or std
    kind: str = "q35"          # or pc, or microvm

    def __str__(self):
        more = "".join(f"-{word}" for word, usual in ((self.vga, "none"), (self.kind, "q35"))
                       if word != usual)
        cpu = self.cpu.replace(",la57=off", "-4level")
        return f"{self.firmware}-{cpu}-{self.memory}M-{self.smp}cpu{more}"

    def arguments(self, folder):
        # One thread for all CPUs: with more, TCG may run a stale int3 while Linux patches its code.
        words = ["-machine", self.kind, "-accel", "tcg,thread=single", "-cpu", self.cpu,
                 "-m", str(self.memory), "-smp", str(self.smp), "-vga", self.vga,
                 "-nodefaults", "-net", "none", "-display", "none", "-no-reboot"]
        if self.firmware == "ovmf":
            variables = folder / "vars.fd"
            shutil.copy(OVMF / "OVMF_VARS_4M.fd", variables)
            pflash = "if=pflash,format=raw"
            words += ["-drive", f"{pflash},unit=0,readonly=on,file={OVMF / 'OVMF_CODE_4M.fd'}",
                      "-drive", f"{pflash},unit=1,file={variables}"]
        return words


class Guest:
    """One run of a machine. Use it as a context: leaving it ends QEMU, whatever happened.

    Its log (log_folder/serial.log with the time of each line, and the command) stays when the
    context is left through an exception, else it goes away.
    """

    def __init__(self, machine, first, initrd, append="", log=None, gdb=False, on_line=None,
                 qemu=(), limit=GUEST_LIMIT, emulator=QEMU):
        self.machine, self.first, self.on_line = machine, first, on_line
        self.lines = []      # (seconds since the start, text)
        self._seen = 0       # how many of them expect() is done with
        self._partial = b""
        self._eof = False
        self._process = self._qmp = None
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="kexec-ng-vm."))
        self._log = pathlib.Path(log) if log else self._folder / "log"
        self.dump_path = self._folder / "dump"
        self.gdb_path = self._folder / "gdb"
        (self._folder / "initrd").write_bytes(initrd)
        self.append = f"console=ttyS0 panic=-1 {append}".strip()
        self._command = [
            "timeout", "--kill-after=5", str(limit), emulator,
            *machine.arguments(self._folder), *qemu,
            "-kernel", str(first.image), "-initrd", str(self._folder / "initrd"),
            "-append", self.append,
            "-serial", "stdio", "-serial", f"file:{self.dump_path}",
            "-qmp", f"unix:{self._folder / 'qmp'},server=on,wait=off",
        ]
        if gdb:
            self._command += ["-gdb", f"unix:{self.gdb_path},server=on,wait=off"]

    def __enter__(self):
        shutil.rmtree(self._log, ignore_errors=True)
        self._log.mkdir(parents=True)
        (self._log / "command").write_text("\n".join(self._command) + "\n")
        self._log_file = (self._log / "serial.log").open("w", buffering=1)
        self._turn = Turn()
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=(self._log / "qemu.stderr").open("wb"))
        os.set_blocking(self._process.stdout.fileno(), False)
        return self

    def __exit__(self, kind, failure, _):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)
        self._turn.close()
        for stream in (self._process.stdin, self._process.stdout, self._log_file, self._qmp):
            if stream:
                stream.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        if kind is None:
            shutil.rmtree(self._log, ignore_errors=True)
        if isinstance(failure, AssertionError) and self._is_emulators_fault():
            raise EmulatorFailed(f"{EMULATOR.pattern} (log: {self._log})") from failure

    def _is_emulators_fault(self):
        return any(EMULATOR.search(text) for _, text in self.lines)

    def clock(self):
        return time.monotonic() - self.started

    def _add_line(self, raw):
        text = raw.replace(b"\r", b"").decode("utf-8", "replace")
        now = self.clock()
        self.lines.append((now, text))
        self._log_file.write(f"{now:8.3f}  {text}\n")
        if self.on_line:
            self.on_line(now, text)

    def _read(self, seconds):
        """Takes in what the guest says within the given time; returns as soon as there is some."""
        ready, _, _ = select.select([self._process.stdout], [], [], max(0, seconds))
        if not ready:
            return
        data = self._process.stdout.read()
        if data == b"":
            self._eof = True
            if self._partial:
                data, self._partial = self._partial + b"\n", b""
        *whole, self._partial = (self._partial + (data or b"")).split(b"\n")
        for line in whole:
            self._add_line(line)

    def _fail(self, why):
        last = "\n".join(f"{at:8.3f}  {text}" for at, text in self.lines[-40:])
        errors = (self._log / "qemu.stderr").read_text(errors="replace").strip()
        failure = EmulatorFailed if self._is_emulators_fault() else GuestFailed
        raise failure(f"{why} ({self.machine}, {self.first.name}; log: {self._log})\n"
                      f"{last}\n{errors}")

    def expect(self, pattern, seconds=STEP_LIMIT, allow=None):
        """The match of the next line that has the regular expression pattern.

        Lines up to that one are used up. A failure line ends it, unless it matches allow too.
        """
        wanted = re.compile(pattern)
        allowed = re.compile(allow) if allow else None
        deadline = time.monotonic() + seconds
        while True:
            while self._seen < len(self.lines):
                _, text = self.lines[self._seen]
                self._seen += 1
                found = wanted.search(text)
                if found:
                    return found
                if FAILED.search(text) and not (allowed and allowed.search(text)):
                    self.fail(f"{text.strip()!r} while waiting for {pattern!r}")
            if self._eof:
                self._fail(f"the guest ended without {pattern!r}")
            if time.monotonic() > deadline:
                self._fail(f"no {pattern!r} within {seconds} s")
            self._read(min(1, deadline - time.monotonic()))

    def fail(self, why):
        """Raises GuestFailed with the guest's last words."""
        self._drain()
        self._fail(why)

    @property
    def n_used(self):
        """How many lines expect() is done with; more may have come with the last of them."""
        return self._seen

    def _drain(self):
        """What the guest says when it dies."""
        deadline = time.monotonic() + 3
        while not self._eof and time.monotonic() < deadline:
            self._read(0.2)

    def send_line(self, text=""):
        self._process.stdin.write(text.encode() + b"\n")
        self._process.stdin.flush()

    def facts(self):
        """The next facts line of init."""
        return json.loads(self.expect(r"NG-FACTS (\{.*\})")[1])

    def output_of(self, program, allow=None):
        """All that the next run of the program in the guest printed, as text; allow as above."""
        self.expect(f"NG-RUN {re.escape(program)}( |$)", allow=allow)
        begin = self._seen
        self.expect(r"NG-STATUS", allow=allow)
        return "\n".join(text for _, text in self.lines[begin:self._seen - 1])

    def plan(self):
        """The plan that the next run of kexec with --json printed."""
        return json_of(self.output_of("/sbin/kexec"))

    def dump(self, where):
        """Rebuilds below where what init's dump-tree sent."""
        self.expect(r"NG-DUMPED")
        _, mark, archive = self.dump_path.read_bytes().rpartition(b"NG-DUMP\n")
        if not mark:
            self._fail("nothing came through the second serial port")
        unpack_newc(archive, where)

    # -- QMP: QEMU's own view of the machine

    def qmp(self):
        """Connects the monitor; call it before the events that matter."""
        self._qmp = connect(self._folder / "qmp", 10)
        self._qmp_file = self._qmp.makefile("rb")
        self._qmp.sendall(b'{"execute":"qmp_capabilities"}\n')

    def monitor(self, command, seconds=60, **arguments):
        """Has QEMU do something; events that it tells meanwhile are lost."""
        request = {"execute": command, "arguments": arguments, "id": command}
        self._qmp.sendall(json.dumps(request).encode() + b"\n")
        self._qmp.settimeout(seconds)
        while True:
            answer = json.loads(self._qmp_file.readline() or b"{}")
            if answer.get("id") == command and "return" in answer:
                return answer["return"]
            if not answer or "error" in answer:
                self._fail(f"the monitor's {command}: {answer}")

    def memory(self, start, length):
        """Physical memory of the stopped machine."""
        file = self._folder / "memory"
        self.monitor("pmemsave", val=start, size=length, filename=str(file))
        data = file.read_bytes()
        file.unlink()
        return data

    def wait_reset(self, seconds):
        """Waits until the machine resets itself, and reads its last words."""
        deadline = time.monotonic() + seconds
        reason = None
        while not reason and time.monotonic() < deadline:
            ready, _, _ = select.select([self._qmp], [], [], 0.2)
            self._read(0)
            line = self._qmp_file.readline() if ready else b""
            if ready and not line:
                break
            message = json.loads(line) if line else {}
            if message.get("event") in ("RESET", "SHUTDOWN"):
                reason = message["data"]["reason"]
        self._drain()
        if reason != "guest-reset":
            self._fail(f"no reset of the machine within {seconds} s, but {reason}")


def connect(path, seconds):
    """A connection to QEMU, which may be about to make the socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(seconds)
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.connect(str(path))
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                connection.close()
                raise GuestFailed(f"QEMU has no {path.name}") from None
            time.sleep(0.05)


def json_of(text):
    """The one JSON object in a program's output; messages may stand before and after."""
    import schema  # the demo and the benchmarks do without
    return schema.check(json.loads(text[text.index("{"):text.rindex("}") + 1]))


# --------------------------------------------------------------------------- a debugger's client


class Registers:
    """What QEMU's stub tells of a CPU (its gdb-xml/i386-64bit.xml): by name, as numbers."""

    GENERAL = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
               "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
    WIDTHS = (*((name, 8) for name in (*GENERAL, "rip")),
              *((name, 4) for name in ("eflags", "cs", "ss", "ds", "es", "fs", "gs")),
              *((name, 8) for name in ("fs_base", "gs_base", "k_gs_base",
                                       "cr0", "cr2", "cr3", "cr4", "cr8", "efer")))

    def __init__(self, data):
        for name, width in self.WIDTHS:
            setattr(self, name, int.from_bytes(data[:width], "little"))
            data = data[width:]

    @property
    def is_real_mode(self):
        return not self.cr0 & 1

    @property
    def linear(self):
        """Where it is, in flat segments or in real mode."""
        return 16 * self.cs + self.rip if self.is_real_mode else self.rip


class Gdb:
    """QEMU's gdb stub: enough to stop the guest at an address and to change its memory.

    Connecting stops the guest; resume() lets it go on. Memory addresses are physical.
    """

    def __init__(self, path, seconds=20):
        self._socket = connect(path, seconds)
        self._buffer = b""
        self._ask("?")
        self._check("Qqemu.PhyMemMode:1")

    def close(self):
        self._socket.close()

    def _send(self, text):
        body = text.encode()
        self._socket.sendall(b"$%s#%02x" % (body, sum(body) % 256))

    def _receive(self):
        while True:
            packet = re.search(rb"\$([^#]*)#..", self._buffer)
            if packet:
                self._buffer = self._buffer[packet.end():]
                self._socket.sendall(b"+")
                return packet[1].decode()
            data = self._socket.recv(65536)
            if not data:
                raise GuestFailed("QEMU closed the debugger's connection")
            self._buffer += data

    def _ask(self, text):
        self._send(text)
        return self._receive()

    def _check(self, text):
        answer = self._ask(text)
        while answer.startswith("T05"):  # connecting stopped the guest, which it also tells
            answer = self._receive()
        if answer != "OK":
            raise GuestFailed(f"the debugger's {text!r} got {answer!r}")

    def break_at(self, address):
        self._check(f"Z1,{address:x},1")

    def unbreak(self, address, is_there=True):
        answer = self._ask(f"z1,{address:x},1")
        if is_there and answer != "OK":
            raise GuestFailed(f"no breakpoint at {address:#x}: {answer!r}")

    def has_packet(self):
        """Takes in what has come; is it more than an acknowledgement?"""
        self._buffer += self._socket.recv(65536)
        return re.search(rb"\$([^#]*)#..", self._buffer) is not None

    def read(self, address, length):
        answer = self._ask(f"m{address:x},{length:x}")
        if len(answer) != 2 * length:
            raise GuestFailed(f"cannot read {length} bytes at {address:#x}: {answer!r}")
        return bytes.fromhex(answer)

    def write(self, address, data):
        self._check(f"M{address:x},{len(data):x}:{data.hex()}")

    def resume(self):
        self._send("c")

    def interrupt(self):
        """Stops the guest wherever it is."""
        self._socket.sendall(b"\x03")
        answer = self._receive()
        if not answer.startswith("T02"):
            raise GuestFailed(f"the debugger's interrupt got {answer!r}")

    def address_virtually(self, is_virtual):
        """From now on memory addresses are the CPU's virtual ones, or physical again."""
        self._check(f"Qqemu.PhyMemMode:{int(not is_virtual)}")

    def step(self):
        answer = self._ask("s")
        if not answer.startswith("T05"):
            raise GuestFailed(f"the debugger's step got {answer!r}")

    def run_to(self, address, code, seconds):
        """Goes on until the guest is at the address and finds that code there.

        The address is a virtual one for the CPU: other programs may come past it before.
        """
        deadline = time.monotonic() + seconds
        self.break_at(address)
        while True:
            self.resume()
            self.wait_stop(address, max(1, deadline - time.monotonic()))
            if self.read(address, len(code)) == code:
                self.unbreak(address)
                return
            self.unbreak(address)
            self.step()
            self.break_at(address)

    def wait_stop(self, address, seconds):
        """Waits until the guest is at the breakpoint at that address."""
        self._socket.settimeout(seconds)
        try:
            answer = self._receive()
        except TimeoutError:
            raise GuestFailed(f"{address:#x} was not reached within {seconds} s") from None
        at = self.registers().linear
        if not answer.startswith("T05") or at != address:
            raise GuestFailed(f"the guest stopped at {at:#x} ({answer}), not at {address:#x}")

    def registers(self):
        return Registers(bytes.fromhex(self._ask("g")))
