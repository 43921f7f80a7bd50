# SPDX-License-Identifier: GPL-2.0-or-later
"""The direct entry: the kernel that was unpacked, moved and entered by us is the one that runs.

That it was entered directly is read off the kernel that runs. With a place drawn from a known seed
it must be where the plan has it: its stub would have drawn another (test_stub_would_be_elsewhere).
Where nothing is drawn a debugger sees the CPU at the kernel's own entry (test_at_the_entry).

With --long: each kernel on each machine, each kernel from each other, and each paging mode entered
from each other by each entry.
"""

import hashlib
import itertools
import random
import subprocess

import pytest

from chain import Chain, Jump, address_of
from guest import BUILD, TOP, Gdb, Machine, bzimage, kernel, libraries_of

GIB = 1 << 30
FIRST = ("6.1-cloud", "6.12-amd64", "7-amd64", "6.1-amd64", "5.10-amd64", "5.10-rt-amd64")
LAST = "6.1-686-pae"
FIRMWARE = ("seabios", "ovmf")
MEMORY = (512, 2048, 6144)
CR4_LA57 = 1 << 12
CHUNK_LEN = 64 << 10  # HANDOFF_CHUNK_LEN
LONG_LIMIT = 1500     # seconds, of a guest with many jumps


def check(arrival):
    assert arrival.plan["entry_name"] == "direct"
    assert arrival.is_direct and arrival.is_randomized
    assert int(arrival.facts["rsdp"], 0) == int(arrival.plan["rsdp"], 0) > 0
    arrival.check_same_machine()


# ------------------------------------------------------------------------------------------ pairs


# With what else is here each kernel is entered once at least.
SPREAD = (
    (Machine("seabios", "qemu64", 512, 4), ("6.1-cloud", "7-amd64", "5.10-amd64")),
    (Machine("ovmf", "max", 512, 1), ("6.12-amd64", "5.10-rt-amd64", "6.12-amd64")),
    (Machine("ovmf", "qemu64", 6144, 1), ("6.1-amd64", "6.1-cloud")),
    (Machine("ovmf", "max", 2048, 4), ("5.10-amd64", "6.1-amd64", "6.1-686-pae")),
)


# Steps of different lengths: in the six rows that begin with each kernel one, each pair of two
# different kernels is once side by side.
ROW = (0, 1, 5, 2, 4, 3)


def whole_spread():
    """On each machine each kernel is entered; by all machines each from each, itself too, twice."""
    for n, (firmware, memory, smp) in enumerate(itertools.product(FIRMWARE, MEMORY, (1, 4))):
        row = [FIRST[(place + n) % len(FIRST)] for place in ROW]
        names = (row[0], *row, LAST)
        # What comes later is in the initramfs already: more than a small machine has room for.
        n_jumps = 3 if memory == 512 else len(names) - 1
        machine = Machine(firmware, ("max", "qemu64")[(n + n // 2) % 2], memory, smp)
        for begin in range(0, len(names) - 1, n_jumps):
            yield machine, names[begin:begin + n_jumps + 1]


# Each paging mode to each other and to itself. 5: 5-level, 4: a kernel that could is told not to,
# 0: it cannot. The first of them is what the first kernel has.
MODES = "4400504554"
MODES_WITHOUT_LA57 = "5540"


def modes_of_test(is_long):
    if is_long:
        return [(cpu, modes, enter) for enter in ("direct", "64")
                for cpu, modes in (("max", MODES), ("max,la57=off", MODES_WITHOUT_LA57))]
    # test_chain has the rest.
    return [("max", "50454", "64"), ("max,la57=off", MODES_WITHOUT_LA57, "direct")]


def pytest_generate_tests(metafunc):
    is_long = metafunc.config.getoption("long")
    if metafunc.function is test_jumps:
        metafunc.parametrize("machine, names", [
            pytest.param(machine, names, id=f"{'-to-'.join(names)}-{machine}")
            for machine, names in (whole_spread() if is_long else SPREAD)])
    if metafunc.function is test_paging:
        metafunc.parametrize("cpu, modes, enter", modes_of_test(is_long))


def test_jumps(machine, names, log_folder):
    jumps = [Jump(kernel(name), f"--seed={n}") for n, name in enumerate(names[1:], start=1)]
    with Chain(machine, kernel(names[0]), jumps, log_folder, limit=LONG_LIMIT) as chain:
        for arrival in chain.arrivals():
            check(arrival)
            assert arrival.facts["cpus"] == machine.smp


def test_stub_would_be_elsewhere(log_folder):
    """What the other tests rest on."""
    jumps = [Jump(kernel("6.1-cloud"), "--enter=64"), Jump(kernel("6.1-686-pae"), "--enter=32")]
    with Chain(Machine(), kernel("6.1-cloud"), jumps, log_folder) as chain:
        for arrival in chain.arrivals():
            assert arrival.is_randomized and not arrival.is_where_planned


def test_above_4_gib(log_folder):
    """With everything above, and with purgatory below because the paging mode changes."""
    jumps = [Jump(kernel("7-amd64"), "--seed=1 --mem-min=4G"),
             Jump(kernel("6.1-cloud"), "--seed=2 --mem-min=4G"),
             Jump(kernel("6.1-amd64"), "--seed=3", "no5lvl")]
    with Chain(Machine(memory=6144, smp=4), kernel("6.1-cloud"), jumps, log_folder) as chain:
        for arrival in chain.arrivals():
            check(arrival)
            assert arrival.base >= 4 * GIB, "choose another seed"
            keeps = arrival.plan["paging"] == "keep"
            assert keeps == ("--mem-min" in arrival.jump.words)
            assert (address_of(arrival.plan, "purgatory") >= 4 * GIB) == keeps
            assert arrival.facts["la57"] == ("no5lvl" not in arrival.jump.append)


# ------------------------------------------------------------------------------------------ paging


ABLE = ("6.1-cloud", "7-amd64", "6.12-amd64")
UNABLE = ("5.10-amd64", "5.10-rt-amd64")


def jump_to(mode, n, enter):
    kernels = UNABLE if mode == "0" else ABLE
    return Jump(kernel(kernels[n % len(kernels)]), f"--enter={enter} --seed={n}",
                "no5lvl" if mode == "4" else "")


def check_mode(arrival, cpu, was, mode):
    """It has the paging mode that its stub would give it, whatever it was entered from."""
    assert arrival.before["la57"] == (cpu == "max" and was == "5")
    assert arrival.facts["la57"] == (cpu == "max" and mode == "5")


def test_paging(cpu, modes, enter, log_folder):
    """Asserts the same of both entries: the direct one does as the stub."""
    jumps = [jump_to(mode, n, enter) for n, mode in enumerate(modes[1:])]
    with Chain(Machine(cpu=cpu, memory=1024), kernel("6.1-cloud"), jumps, log_folder,
               append="no5lvl" if modes[0] == "4" else "", limit=LONG_LIMIT) as chain:
        for arrival, (was, mode) in zip(chain.arrivals(), itertools.pairwise(modes)):
            check_mode(arrival, cpu, was, mode)
            assert arrival.plan["entry_name"] == enter
            assert arrival.is_where_planned == (enter == "direct")


@pytest.mark.long_form
def test_chain(log_folder):
    """Twenty in a row, up and down the versions, from each paging mode to each, twice at least."""
    modes = MODES + MODES[1:] + MODES[1:3]
    jumps = [jump_to(mode, n, "direct") for n, mode in enumerate(modes[1:])]
    assert len(jumps) == 20
    memory, origin = {}, None
    with Chain(Machine(memory=1024), kernel("6.1-cloud"), jumps, log_folder, append="no5lvl",
               limit=LONG_LIMIT) as chain:
        for arrival, (was, mode) in zip(chain.arrivals(), itertools.pairwise(modes)):
            check(arrival)
            check_mode(arrival, "max", was, mode)
            origin = origin or arrival.before
            for what in ("memmap_digest", "acpi_tables", "rsdp", "cpus"):
                assert arrival.facts[what] == origin[what]
            # The same kernel has the same memory each time, however many came before.
            name, found = arrival.jump.kernel.name, arrival.facts["mem_kib"]
            assert abs(memory.setdefault(name, found) - found) <= 1024


# ------------------------------------------------------------------------------- what is in memory


class Stopped(Chain):
    """A guest with one jump that stands at purgatory's first instruction."""

    def __init__(self, jump, log):
        super().__init__(Machine(), kernel("6.1-cloud"), [jump], log, waits=True, gdb=True)
        self.gdb = None

    def __enter__(self):
        super().__enter__()
        try:
            self.qmp()
            self.plan, _ = self.planned(self.jumps[0])
            self.expect("NG-WAIT")
            self.gdb = Gdb(self.gdb_path)
            self.run_to(int(self.plan["entry"], 0), self.send_line)
        except BaseException as why:
            self.__exit__(type(why), why, None)
            raise
        return self

    def __exit__(self, *why):
        if self.gdb:
            self.gdb.close()
        super().__exit__(*why)

    def run_to(self, address, then=lambda: None):
        self.gdb.break_at(address)
        self.gdb.resume()
        then()
        self.gdb.wait_stop(address, 60)
        self.gdb.unbreak(address)

    def flip(self, address):
        (byte,) = self.gdb.read(address, 1)
        self.gdb.write(address, bytes([byte ^ 0x10]))

    def segment(self, name):
        (segment,) = [s for s in self.plan["segments"] if s["name"] == name]
        return segment | {"addr": int(segment["addr"], 0)}


@pytest.mark.parametrize("name, words, append", [
    ("6.12-amd64", "--seed=5", ""), ("7-amd64", "", "nokaslr no5lvl"),
    ("6.1-686-pae", "--seed=6", "")])
def test_at_the_entry(name, words, append, log_folder):
    """The CPU comes to the kernel's own entry; the image there is, byte for byte, what a reading
    of the bzImage that shares no code with kexec has for that place."""
    with Stopped(Jump(kernel(name), words, append), log_folder) as guest:
        plan, vmlinux = guest.plan, kernel(name).bzimage.vmlinux
        segment, delta = guest.segment("kernel"), int(plan["kaslr"]["vaddr_delta"], 0)
        base, entry = segment["addr"], int(plan["jump"]["entry"], 0)
        assert entry == base + vmlinux.entry_off
        assert (delta != 0) == ("nokaslr" not in append)
        guest.run_to(entry)
        found = guest.memory(base, segment["len"])
        expected = vmlinux.image(delta)
        assert hashlib.sha256(found).hexdigest() == segment["sha256"]
        assert found == expected[:len(found)].ljust(len(found), b"\0")
        assert not any(expected[len(found):])
        registers = guest.gdb.registers()
        assert registers.rsi == int(plan["jump"]["arg"], 0)
        assert registers.cr0 >> 31 == vmlinux.is_64
        if vmlinux.is_64:
            assert bool(registers.cr4 & CR4_LA57) == ("no5lvl" not in append)


def test_same_symbols(log_folder):
    """Not moved, it has each of its symbols where the stub would put them."""
    jumps = [Jump(kernel("6.1-cloud"), f"--enter={enter}", "nokaslr", steps=("symbols",))
             for enter in ("direct", "64")]
    found = []
    with Chain(Machine(), kernel("6.1-cloud"), jumps, log_folder) as chain:
        for arrival in chain.arrivals():
            assert arrival.plan["entry_name"] == arrival.jump.words.partition("=")[2]
            assert not arrival.plan["kaslr"]["drawn"] and not arrival.is_randomized
            assert arrival.is_where_planned
            found.append(arrival.found["NG-SYMBOLS"])
    assert found[0] == found[1] and found[0]["n"] > 10000


@pytest.mark.long_form
def test_other_wrappings(log_folder):
    """Each format of the boot protocol. The stub of these images could unpack none but its own."""
    original = kernel("6.1-cloud")
    data = original.bzimage.vmlinux.data
    jumps = [Jump(original, f"--seed={n}", image=original.bzimage.with_payload(
        bzimage.pack(data, name)).data) for n, name in enumerate(bzimage.FORMATS)]
    with Chain(Machine(memory=3072), original, jumps, log_folder, limit=LONG_LIMIT) as chain:
        for arrival in chain.arrivals():
            check(arrival)


@pytest.mark.parametrize("digest, at", [("crc32c", -1), ("sha256", 0)])
def test_damage_is_found(digest, at, log_folder):
    """One bit of the unpacked kernel at the border of two chunks, and one somewhere in each other
    segment: purgatory names segment and chunk, and does not start it."""
    chance = random.Random(f"{digest} {at}")
    with Stopped(Jump(kernel("6.12-amd64"), f"--seed=7 --digest={digest}"), log_folder) as guest:
        assert guest.plan["entry_name"] == "direct"
        offsets = {}
        for name in ("initrd", "params", "kernel"):
            offsets[name] = chance.randrange(guest.segment(name)["len"])
        n_chunks = guest.segment("kernel")["len"] // CHUNK_LEN
        offsets["kernel"] = chance.randrange(1, n_chunks) * CHUNK_LEN + at
        for name, offset in offsets.items():
            guest.flip(guest.segment(name)["addr"] + offset)
        guest.flip(guest.segment("kernel")["addr"] + guest.segment("kernel")["len"] - 1)
        guest.gdb.resume()
        found = {}
        for _ in offsets:
            name = guest.expect(r"kexec: segment (\w+) is damaged", seconds=20)[1]
            chunk = guest.expect(r"kexec: first bad chunk at \+(0x[0-9a-f]+|0):", seconds=5)[1]
            found[name] = int(chunk, 0)
        assert found == {name: at // CHUNK_LEN * CHUNK_LEN for name, at in offsets.items()}
        guest.wait_reset(20)
        assert not any("starting kernel" in text for _, text in guest.lines)


# ------------------------------------------------------------------------- what the stub has to do


@pytest.fixture(scope="session")
def without_codecs():
    """A kexec that was built without any of the libraries that unpack."""
    build = BUILD / "vm" / "without-codecs"
    subprocess.run(["make", "-C", TOP, "-s", f"BUILD={build.relative_to(TOP)}", "CFLAGS=-O1",
                    "opt_def=-pthread -DHAVE_JSON_C", "opt_lib=-pthread -ljson-c"], check=True,
                   timeout=300, stdout=subprocess.DEVNULL)
    return build / "bin" / "kexec"


def check_fallback(arrival, reason):
    """-d and JSON say why, and the stub did it: the kernel is where that put it."""
    assert arrival.plan["entry_name"] == "64"
    (text,) = arrival.reasons
    assert reason in text
    assert f"{text} [bzimage/by-stub]" in arrival.said
    assert arrival.is_randomized and not arrival.is_where_planned
    arrival.check_same_machine()


def test_fallbacks(without_codecs, log_folder):
    fixed = kernel("6.1-cloud").bzimage.with_fields({bzimage.RELOCATABLE_KERNEL: 0}).data
    jumps = {
        "mem_encrypt=on": Jump(kernel("6.1-cloud"), "-d", "mem_encrypt=on"),
        "not relocatable": Jump(kernel("6.1-cloud"), "-d", image=fixed),
        "packed with zstd, and this kexec was built without libzstd": Jump(kernel("6.12-amd64"), "-d", program="/sbin/kexec-bare")}
    programs = {"/sbin/kexec-bare": without_codecs, **libraries_of(without_codecs)}
    with Chain(Machine(memory=1024), kernel("6.1-cloud"), [*jumps.values()], log_folder,
               programs=programs) as chain:
        for arrival, reason in zip(chain.arrivals(), jumps):
            check_fallback(arrival, reason)


def test_little_memory(log_folder):
    """Too little to unpack the kernel before the jump."""
    with Chain(Machine(memory=256), kernel("6.1-cloud"), [Jump(kernel("6.1-amd64"), "-d")],
               log_folder) as chain:
        for arrival in chain.arrivals():
            check_fallback(arrival, "less memory available")
