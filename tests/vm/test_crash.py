# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels panic, and what was loaded for that boots and finds the dead one's memory.

The first kernel marks pages of its memory, loads with -p and crashes. The capture kernel's init
reads /proc/vmcore from end to end: the marked pages, the panic's message and the registers of each
CPU must be in it. In each pair of kernels the dead one's makedumpfile reads it too.
"""

import dataclasses
import gzip
import itertools
import json
import os
import re
import struct
import subprocess

import pytest

import uki
from dumps import LOG_MARK, SUITE, Tools
from guest import BUILD, Gdb, Guest, Machine, initramfs, kernel, kexec_files, newc

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
    "small": (384, "crashkernel=112M", 112),
    "half of 256": (256, "crashkernel=136M", 136),
    "third of 256": (256, "crashkernel=96M", 96),
    "pieces": (768, "crashkernel=136M", 136),
    "low": (1024, "crashkernel=256M", 256),
    "high": (6144, "crashkernel=256M,high crashkernel=72M,low", 328),
    "cma": (1024, "crashkernel=144M crashkernel=128M,cma", 272),
}


def filter_job(tools):
    """What a capture kernel does with that makedumpfile: each run has to end well. What it filters out is
    thrown away, since some kernels' would not fit into a reservation; test_dump.py looks into it."""
    return (f"run {tools.in_guest('-l -d 31 -f /proc/vmcore /dev/null')}",
            f"run {tools.in_guest('--dump-dmesg /proc/vmcore /log')}",
            f"search /log '{LOG_MARK}'")


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
    plugged: int = 0            # MiB that came after the start
    is_silent: bool = False     # the kernel's own purgatory
    is_filtered: bool = False   # makedumpfile of the first kernel's suite reads the dump

    def machine(self):
        memory, _, _ = RESERVATIONS[self.where]
        return Machine(self.firmware, memory=memory, smp=self.smp)

    def initramfs(self, last="proof captured"):
        message = f"'Kernel panic - not syncing:' '{self.trigger.message}'"
        tools = Tools.of(SUITE[self.first]) if self.is_filtered else None
        looks = ["facts", f"vmcore {SEED} {message}", *(filter_job(tools) if tools else ()), last]
        files = {**tools.guest_files, "/tmp/for-makedumpfile": b""} if tools else None
        look = initramfs({"": "\n".join(looks)}, files,
                         bits=kernel(self.capture).bits)
        job = ["facts", self.mark, *([f"write /dev/kmsg '{LOG_MARK}'"] if tools else ()), *self.before,
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
        """Both kernels' facts, when the second one has found what the first one left."""
        first = guest.facts()
        assert first["release"] == kernel(self.first).release
        if self.trigger.nmi:
            guest.qmp()
            guest.expect("NG-WAIT")
            guest.monitor("inject-nmi")
        if not self.is_silent:
            guest.expect(r"kexec: \d segments intact, .*starting kernel$", allow=DYING)
        guest.expect(r"Linux version", allow=DYING)
        return first, self.check(guest)

    def check(self, guest):
        """The capture kernel's facts, when it has found all that there must be."""
        facts = guest.facts()
        assert facts["release"] == kernel(self.capture).release
        assert facts["cmdline"].startswith("elfcorehdr=0x")
        assert facts["cmdline"].endswith(self.line)
        found = json.loads(guest.expect(r"NG-VMCORE (\{.*\})")[1])
        if self.is_filtered:
            assert int(guest.expect(r"NG-FOUND (\d+) .* in /log$")[1]) == 1
        guest.expect("NG-PROOF captured")
        memory, _, kept = RESERVATIONS[self.where]
        assert found["bits"] == self.bits
        assert found["release"] == kernel(self.first).release
        assert found["marked"] == self.marked
        assert found["log"]
        assert found["cpus"] == (self.cpus or self.smp)
        assert found["text"] == (self.bits == 64)
        dumped = memory + self.plugged - kept
        assert dumped - SLACK_MIB <= found["len"] >> 20 <= dumped
        return facts


def spread():
    """Each kernel crashes and captures, each machine and each way to die occurs. The tests below
    have 6.1 capture itself."""
    yield Crash("6.12-amd64", "7-amd64", firmware="ovmf", smp=4, trigger=LAST_CPU)
    yield Crash("7-amd64", "6.12-amd64", smp=4, trigger=NMI)
    yield Crash("6.1-amd64", "6.12-amd64", firmware="ovmf", where="high")


def values_of(crash):
    """What a pair is a choice of."""
    return crash.first, crash.capture, crash.firmware, crash.smp, crash.where, crash.trigger


def whole_product():
    for first, capture, firmware, smp, where in itertools.product(
            KERNELS, KERNELS, ("seabios", "ovmf"), (1, 4), ("low", "high")):
        for trigger in (SYSRQ, NMI) if smp == 1 else (SYSRQ, LAST_CPU, NMI):
            yield Crash(first, capture, firmware, smp, where, trigger)


def pairs_of(crash):
    """Each two of its values, with their places."""
    return set(itertools.combinations(enumerate(values_of(crash)), 2))


N_COVERING = len(KERNELS) ** 2 * 2


def covering_first():
    """The whole product in another order: the first N_COVERING have each kernel crash into each by each
    firmware, and each two values of all else together."""
    rest, covered, ordered = [*whole_product()], set(), []
    for head in dict.fromkeys(values_of(crash)[:3] for crash in rest):
        best = max((crash for crash in rest if values_of(crash)[:3] == head),
                   key=lambda crash: len(pairs_of(crash) - covered))
        covered |= pairs_of(best)
        ordered.append(best)
    return ordered + [crash for crash in rest if not any(crash is chosen for chosen in ordered)]


def test_what_is_covered():
    everything = set().union(*map(pairs_of, whole_product()))
    ordered = covering_first()
    assert len(ordered) == len([*whole_product()]) == 180
    assert set().union(*map(pairs_of, ordered[:N_COVERING])) == everything


def name_of(crash):
    how = {SYSRQ: "sysrq", LAST_CPU: "lastcpu", NMI: "nmi"}[crash.trigger]
    return f"{crash.first}-to-{crash.capture}-{crash.firmware}-{crash.smp}-{crash.where}-{how}"


def pytest_generate_tests(metafunc):
    if metafunc.function is test_pair:
        n_pairs = int(os.environ.get("NG_PAIRS", "180"))
        chosen = covering_first()[:n_pairs] if metafunc.config.getoption("long") else spread()
        metafunc.parametrize("crash", [pytest.param(c, id=name_of(c)) for c in chosen])


def test_pair(crash, log_folder):
    dataclasses.replace(crash, is_filtered=True).run(log_folder)


def test_file_call(log_folder):
    """-s: the running kernel makes the headers, and its own purgatory runs."""
    Crash("6.12-amd64", "6.12-amd64", load="-s -p /k2", is_silent=True).run(log_folder)


@pytest.mark.parametrize("first", ["6.1-amd64", "7-amd64"])
def test_cpus_come_and_go(first, log_folder):
    """CPUs that went off before and after the load, and two that came back."""
    switch = "write /sys/devices/system/cpu/cpu{}/online {}"
    Crash(first, "6.1-amd64", smp=4, cpus=3, before=(switch.format(1, 0), switch.format(2, 0)),
          after=(switch.format(1, 1), switch.format(3, 0), switch.format(2, 1))).run(log_folder)


def test_cma(log_folder):
    """Memory that the running kernel uses is the capture kernel's too, and not in the dump."""
    crash = Crash("7-amd64", "7-amd64", where="cma")
    memory, reservation, _ = RESERVATIONS[crash.where]
    with Guest(crash.machine(), kernel(crash.first), crash.initramfs(),
               f"loglevel=4 {reservation}", log=log_folder) as guest:
        first, capture = crash.follow(guest)
    both = 272
    assert first["mem_kib"] >> 10 > memory - both
    assert both - 1 <= capture["memmap_ram"] >> 20 <= both


@dataclasses.dataclass(frozen=True)
class Plugged:
    """A module of memory that is plugged in after the load; what is marked is in it, and only there.

    The capture kernel, whose map is without it, must not take it for new: kexec tells it.
    """
    first: str
    is_loaded_again: bool = False
    is_found: bool = True

    MIB = 256
    BLOCK = 128             # MiB: the kernel's memory blocks, as long as there is less than 64 GiB
    FIRST_BLOCK = 4096 // BLOCK

    def crash(self):
        blocks = range(self.FIRST_BLOCK, self.FIRST_BLOCK + self.MIB // self.BLOCK)
        job = ["wait", *(f"await /sys/devices/system/memory/memory{n}/state online" for n in blocks),
               f"mark {SEED}"]
        if self.is_loaded_again:
            job.append(f"run /sbin/kexec -p --reload /k2 --initrd=/i2 '--append={CAPTURE_LINE}'")
        return Crash(self.first, "6.1-amd64", mark="", after=tuple(job),
                     marked=64 if self.is_found else 0, plugged=self.is_found * self.MIB)

    def __str__(self):
        return self.first + "-again" * self.is_loaded_again + "-not" * (not self.is_found)


@pytest.mark.parametrize("plugged", [
    Plugged("7-amd64"),
    pytest.param(Plugged("6.12-amd64"), marks=pytest.mark.long_form),
    pytest.param(Plugged("6.1-amd64", is_loaded_again=True), marks=pytest.mark.long_form),
    # Nobody told it: this is what --reload is for.
    pytest.param(Plugged("6.1-amd64", is_found=False), marks=pytest.mark.long_form)], ids=str)
def test_memory_comes(plugged, log_folder):
    crash = plugged.crash()
    _, reservation, _ = RESERVATIONS[crash.where]
    with Guest(crash.machine(), kernel(crash.first), crash.initramfs(),
               f"loglevel=4 {reservation} memhp_default_state=online_movable", log=log_folder,
               qemu=("-m", "slots=2,maxmem=8G")) as guest:
        guest.qmp()
        guest.expect("NG-WAIT")
        guest.monitor("object-add", **{"qom-type": "memory-backend-ram", "id": "module",
                                       "size": Plugged.MIB << 20})
        guest.monitor("device_add", driver="pc-dimm", id="dimm", memdev="module")
        guest.send_line()
        guest.expect("NG-MARKED")
        guest.expect(r"kexec: \d segments intact, .*starting kernel$", allow=DYING)
        guest.expect(r"Linux version", allow=DYING)
        facts = crash.check(guest)
    assert "acpi_no_memhotplug" in facts["cmdline"]


def test_elf_kernel(log_folder):
    """A vmlinux, as the build leaves it, in a region that it was not linked for."""
    found = kernel("6.1-cloud").bzimage.vmlinux
    crash = Crash("6.12-amd64", "6.1-cloud", image=found.data[:found.elf_len])
    crash.run(log_folder)


def test_unified_kernel_image(log_folder, tmp_path):
    """With an initrd beside the one in it, which has nothing."""
    image = uki.by_objcopy(tmp_path / "k.efi", {
        ".osrel": write(tmp_path / "osrel", b"ID=test\n"),
        ".cmdline": write(tmp_path / "cmdline", b"not=this"),
        ".initrd": write(tmp_path / "initrd", newc([])),
        ".linux": kernel("6.12-amd64").image,
    })
    Crash("6.1-cloud", "6.12-amd64", image=image.read_bytes()).run(log_folder)


def write(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.long_form
@pytest.mark.parametrize("capture, words", [
    ("6.1-cloud", "--enter=64"), ("6.1-cloud", "--enter=32"),
    ("6.1-686-pae", ""), ("6.1-686-pae", "--enter=32"),
    ("vmlinux with its relocations, packed", "")], ids=str)
def test_image(capture, words, log_folder):
    """What starts a kernel otherwise starts it in the reservation too."""
    image = b""
    if capture.startswith("vmlinux"):
        capture = "7-amd64"
        image = gzip.compress(kernel(capture).bzimage.vmlinux.data, 1)
    Crash("6.1-amd64", capture, load=f"-p {words} /k2", image=image).run(log_folder)


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


def symbol(name):
    """The address of a symbol in purgatory, which is linked at 0."""
    listed = subprocess.run(["nm", BUILD / "purgatory" / "purgatory.elf"], capture_output=True,
                            text=True, check=True, timeout=20).stdout
    return int(re.search(rf"^(\w+) \w {name}$", listed, re.M)[1], 16)


def test_nmis_on_the_way(log_folder):
    """NMIs that purgatory gets while it verifies are counted and returned from."""
    crash = Crash("6.1-amd64", "6.1-amd64", load="-p --json /k2", after=("wait",))
    _, reservation, _ = RESERVATIONS[crash.where]
    # A dying kernel masks its local APIC. Where there is none, nothing keeps QEMU's NMI off.
    machine = dataclasses.replace(crash.machine(), cpu="max,apic=off")
    with Guest(machine, kernel(crash.first), crash.initramfs(), f"loglevel=4 {reservation}",
               log=log_folder, gdb=True) as guest:
        guest.qmp()
        plan = guest.plan()
        purgatory, = [int(s["addr"], 16) for s in plan["segments"] if s["name"] == "purgatory"]
        guest.expect("NG-WAIT")
        gdb = Gdb(guest.gdb_path)
        guest.send_line()
        for place in ("verify_self", "verify_regions"):
            gdb.break_at(purgatory + symbol(place))
            gdb.resume()
            gdb.wait_stop(purgatory + symbol(place), 120)
            gdb.unbreak(purgatory + symbol(place))
            guest.monitor("inject-nmi")
        gdb.resume()
        guest.expect(r"kexec: \d segments intact, 2 NMIs, starting kernel$", allow=DYING)
        crash.check(guest)
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
    """The same machine dies and starts again, a hundred times: no round loses a byte or hangs."""
    rounds, limit = 100, 90     # seconds for a round, on the average
    # One round in a hundred would find the timer of a starved QEMU not ticking.
    line = f"{CAPTURE_LINE} no_timer_check"
    crash = Crash("6.1-cloud", "6.1-cloud", smp=2, where="small", line=line)
    _, reservation, _ = RESERVATIONS[crash.where]
    started = []
    with Guest(crash.machine(), kernel(crash.first), crash.initramfs("proof captured\nreboot"),
               f"loglevel=4 no_timer_check {reservation}", log=log_folder, limit=limit * rounds,
               qemu=("-action", "reboot=reset")) as guest:
        for n in range(rounds):
            started.append(guest.clock())
            crash.follow(guest)
            print(f"round {n + 1}: {guest.clock() - started[-1]:.1f} s", flush=True)
        ended = guest.clock()
    spent = [after - before for before, after in zip(started, [*started[1:], ended])]
    print(f"{rounds} rounds, the longest in {max(spent):.1f} s, all in {ended:.0f} s")
