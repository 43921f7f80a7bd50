# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels panic, and what was loaded for that boots and finds the dead one's memory.

The first kernel marks pages of its memory, loads with -p and crashes. The capture kernel's init
reads /proc/vmcore from end to end: the marked pages, the panic's message and the registers of each
CPU must be in it.
"""

import dataclasses
import itertools
import json
import struct

import pytest

from guest import Gdb, Guest, Machine, initramfs, kernel, kexec_files

KERNELS = ("6.1-amd64", "6.12-amd64", "7-amd64")
SEED = 20240607
CAPTURE_LINE = "console=ttyS0 panic=-1 nr_cpus=1 reset_devices"
DYING = r"Kernel panic|---\[ end"
# What firmware and the first MiB take of a machine's memory.
SLACK_MIB = 64


@dataclasses.dataclass(frozen=True)
class Trigger:
    """A way to die: the last command, what the kernel says, what QEMU has to do."""
    command: str
    message: str
    before: tuple = ()
    nmi: bool = False


SYSRQ = Trigger("write /proc/sysrq-trigger c", "sysrq triggered crash")
LAST_CPU = Trigger("on-cpu 3 write /proc/sysrq-trigger c", "sysrq triggered crash")
NMI = Trigger("wait", "NMI: Not continuing", nmi=True,
              before=("write /proc/sys/kernel/unknown_nmi_panic 1",
                      "write /proc/sys/kernel/panic_on_unrecovered_nmi 1"))

# What the machine has and what it keeps for a crash kernel, in MiB.
RESERVATIONS = {
    "low": (1024, "crashkernel=256M", 256),
    "high": (6144, "crashkernel=256M,high crashkernel=72M,low", 328),
}


@dataclasses.dataclass
class Crash:
    first: str
    capture: str
    firmware: str = "seabios"
    smp: int = 1
    where: str = "low"
    trigger: Trigger = SYSRQ
    load: str = "-p /k2"        # and --initrd and --append
    before: tuple = ()          # commands of the first kernel, before the load and after it
    after: tuple = ()
    cpus: int = 0               # whose registers are to be found; 0: all
    line: str = CAPTURE_LINE
    image: bytes = b""          # instead of the capture kernel's bzImage
    mark: str = f"mark {SEED}"
    marked: int = 64            # pages
    bits: int = 64
    is_silent: bool = False     # the kernel's own purgatory

    def machine(self):
        memory, _, _ = RESERVATIONS[self.where]
        return Machine(self.firmware, memory=memory, smp=self.smp)

    def initramfs(self, last="proof captured"):
        message = f"'Kernel panic - not syncing:' '{self.trigger.message}'"
        look = initramfs({"": f"facts\nvmcore {SEED} {message}\n{last}"})
        job = ["facts", self.mark, *self.before,
               f"run /sbin/kexec {self.load} --initrd=/i2 '--append={self.line}'",
               "run-expect 1 /sbin/kexec -S", *self.after, *self.trigger.before,
               self.trigger.command]
        return initramfs({"": "\n".join(job)}, {
            **kexec_files(), "/k2": self.image or kernel(self.capture).image, "/i2": look})

    def run(self, log):
        _, reservation, _ = RESERVATIONS[self.where]
        with Guest(self.machine(), kernel(self.first), self.initramfs(),
                   f"loglevel=4 {reservation}", log=log) as guest:
            self.follow(guest)

    def follow(self, guest):
        assert guest.facts()["release"] == kernel(self.first).release
        if self.trigger.nmi:
            guest.qmp()
            guest.expect("NG-WAIT")
            guest.monitor("inject-nmi")
        if not self.is_silent:
            guest.expect(r"kexec: \d segments intact, .*starting kernel$", allow=DYING)
        guest.expect(r"Linux version", allow=DYING)
        self.check(guest)

    def check(self, guest):
        facts = guest.facts()
        assert facts["release"] == kernel(self.capture).release
        assert facts["cmdline"].startswith("elfcorehdr=0x")
        assert facts["cmdline"].endswith(self.line)
        found = json.loads(guest.expect(r"NG-VMCORE (\{.*\})")[1])
        guest.expect("NG-PROOF captured")
        memory, _, kept = RESERVATIONS[self.where]
        assert found["bits"] == self.bits
        assert found["release"] == kernel(self.first).release
        assert found["marked"] == self.marked
        assert found["log"]
        assert found["cpus"] == (self.cpus or self.smp)
        assert found["text"] == (self.bits == 64)
        assert memory - kept - SLACK_MIB <= found["len"] >> 20 <= memory - kept


def spread():
    """Each kernel crashes and captures, each machine and each way to die occurs. The tests below
    have 6.1 capture itself."""
    yield Crash("6.12-amd64", "7-amd64", firmware="ovmf", smp=4, trigger=LAST_CPU)
    yield Crash("7-amd64", "6.12-amd64", smp=4, trigger=NMI)
    yield Crash("6.1-amd64", "6.12-amd64", firmware="ovmf", where="high")


def whole_product():
    for first, capture, firmware, smp, where in itertools.product(
            KERNELS, KERNELS, ("seabios", "ovmf"), (1, 4), RESERVATIONS):
        for trigger in (SYSRQ, NMI) if smp == 1 else (SYSRQ, LAST_CPU, NMI):
            yield Crash(first, capture, firmware, smp, where, trigger)


def name_of(crash):
    how = {SYSRQ: "sysrq", LAST_CPU: "lastcpu", NMI: "nmi"}[crash.trigger]
    return f"{crash.first}-to-{crash.capture}-{crash.firmware}-{crash.smp}-{crash.where}-{how}"


def pytest_generate_tests(metafunc):
    if metafunc.function is test_pair:
        chosen = whole_product() if metafunc.config.getoption("long") else spread()
        metafunc.parametrize("crash", [pytest.param(c, id=name_of(c)) for c in chosen])


def test_pair(crash, log_folder):
    crash.run(log_folder)


def test_file_call(log_folder):
    """-s: the running kernel makes the headers, and its own purgatory runs."""
    Crash("6.12-amd64", "6.12-amd64", load="-s -p /k2", is_silent=True).run(log_folder)


@pytest.mark.parametrize("first", ["6.1-amd64", "7-amd64"])
def test_cpus_come_and_go(first, log_folder):
    """CPUs that went off before and after the load, and two that came back."""
    switch = "write /sys/devices/system/cpu/cpu{}/online {}"
    Crash(first, "6.1-amd64", smp=4, cpus=3, before=(switch.format(1, 0), switch.format(2, 0)),
          after=(switch.format(1, 1), switch.format(3, 0), switch.format(2, 1))).run(log_folder)


def test_elf_kernel(log_folder):
    """A vmlinux, as the build leaves it, in a region that it was not linked for."""
    found = kernel("6.1-cloud").bzimage.vmlinux
    crash = Crash("6.12-amd64", "6.1-cloud", image=found.data[:found.elf_len])
    crash.run(log_folder)


@pytest.mark.long_form
def test_other_headers(log_folder):
    """32-bit headers, the map as words, and the image's own stub."""
    Crash("6.1-amd64", "6.1-amd64", bits=32,
          load="-p --elf32-core-headers --pass-memmap-cmdline --enter=64 /k2").run(log_folder)


def marked_page(number):
    """The page that init's "mark" makes."""
    mask = (1 << 64) - 1
    x, words = (SEED * 0x9e3779b97f4a7c15 + 1) & mask, []
    for _ in range(512):
        x ^= x >> 12
        x = (x ^ x << 25) & mask
        x ^= x >> 27
        words.append(x * 0x2545f4914f6cdd1d & mask)
    words[1] = number
    return struct.pack("<512Q", *words)


def test_backup(log_folder):
    """What was in low memory when the kernel died is in the dump, by way of purgatory's copy."""
    crash = Crash("6.1-amd64", "6.1-amd64", load="-p --backup=yes /k2", mark="wait", marked=1)
    _, reservation, _ = RESERVATIONS[crash.where]
    with Guest(crash.machine(), kernel(crash.first), crash.initramfs(),
               f"loglevel=4 {reservation}", log=log_folder, gdb=True) as guest:
        guest.expect("NG-WAIT")
        gdb = Gdb(guest.gdb_path)
        page = marked_page(0)
        for at in range(0, len(page), 1024):  # QEMU's stub takes packets of 4096 characters
            gdb.write(0x50000 + at, page[at:at + 1024])
        gdb.resume()
        guest.send_line()
        guest.expect(r"kexec: \d segments intact, .*starting kernel$", allow=DYING)
        crash.check(guest)
        gdb.close()


def test_damage(log_folder):
    """A byte that changed between load and panic: named, and the machine resets."""
    crash = Crash("6.1-amd64", "6.1-amd64", load="-p --json /k2", after=("wait",))
    _, reservation, _ = RESERVATIONS[crash.where]
    with Guest(crash.machine(), kernel(crash.first), crash.initramfs(),
               f"loglevel=4 {reservation}", log=log_folder, gdb=True) as guest:
        guest.qmp()
        plan = guest.plan()
        initrd, = [s for s in plan["segments"] if s["name"] == "initrd"]
        guest.expect("NG-WAIT")
        gdb = Gdb(guest.gdb_path)
        at = int(initrd["addr"], 16) + initrd["len"] // 2
        gdb.write(at, bytes([gdb.read(at, 1)[0] ^ 0x10]))
        gdb.resume()
        guest.send_line()
        guest.expect(r"kexec: segment initrd is damaged", allow=DYING)
        guest.expect(r"kexec: resetting", allow=DYING)
        guest.wait_reset(60)
        gdb.close()


def test_reload(log_folder):
    """Nothing is done where the running kernel keeps it current; elsewhere it is loaded again."""
    again = "run /sbin/kexec -d -p --reload /k2 --initrd=/i2"
    for first, is_kept in (("6.1-amd64", False), ("7-amd64", True)):
        files = {**kexec_files(), "/k2": kernel("6.1-amd64").image, "/i2": b"070701"}
        job = f"run /sbin/kexec -p /k2 --initrd=/i2\n{again}\nrun-expect 1 /sbin/kexec -S\nproof done"
        with Guest(Machine(memory=1024), kernel(first), initramfs({"": job}, files),
                   "loglevel=4 crashkernel=256M", log=log_folder) as guest:
            guest.expect("NG-PROOF done")
            text = "\n".join(line for _, line in guest.lines)
        assert ("[load/kept]" in text) == is_kept


def test_refusals(log_folder):
    """What is missing and what is too small is said before the kernel is asked."""
    files = {**kexec_files(), "/k2": kernel("6.1-amd64").image}
    many = " ".join(["--initrd=/k2"] * 8)
    for reservation, calls, reason in (
            ("", ("-p /k2", "-s -p /k2"), "crash/no-reservation"),
            ("crashkernel=64M", (f"-p /k2 {many}",), "place/no-hole")):
        job = [f"run-expect 255 /sbin/kexec {call}" for call in calls]
        job += ["run-expect 0 /sbin/kexec -S", "proof done"]
        with Guest(Machine(memory=1024), kernel("6.1-amd64"),
                   initramfs({"": "\n".join(job)}, files), f"loglevel=4 {reservation}",
                   log=log_folder) as guest:
            for _ in calls:
                text = guest.output_of("/sbin/kexec")
                assert f"[{reason}]" in text
                assert "crashkernel=" in text
            guest.expect("NG-PROOF done")


@pytest.mark.long_form
def test_rounds(log_folder):
    """The same machine dies and starts again, a hundred times."""
    rounds = 100
    crash = Crash("6.1-amd64", "6.1-amd64", smp=4)
    _, reservation, _ = RESERVATIONS[crash.where]
    with Guest(crash.machine(), kernel(crash.first), crash.initramfs("proof captured\nreboot"),
               f"loglevel=4 {reservation}", log=log_folder, limit=90 * rounds + 300,
               qemu=("-action", "reboot=reset")) as guest:
        for _ in range(rounds):
            crash.follow(guest)
