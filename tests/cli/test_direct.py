# SPDX-License-Identifier: GPL-2.0-or-later
"""The direct entry: what is in the image is unpacked, placed, relocated, and refused when wrong."""

import collections
import functools
import hashlib
import random
import resource
import struct

import pytest

import bzimage
import images
import plans
from kexec_run import run
from machines import FLAGS, GIB, MIB, Machine, pc as pc_map

SMALLEST = "6.1-cloud"


def end_of(plan):
    kernel = plan.segment("kernel")
    return kernel["addr"] + kernel["reserve_len"]


# ------------------------------------------------------------------------------------- the kernel


@pytest.mark.parametrize("name", images.NAMES)
def test_the_kernel_that_is_loaded(pc, name):
    """Byte for byte what a reading of the image that shares no code with kexec comes to."""
    vmlinux = images.unpacked(name)
    for words in (("--append=nokaslr",), ("--seed=7",)):
        plan = plans.of(pc, images.path(name), *words)
        kernel = plan.segment("kernel")
        delta = plan.delta if vmlinux.is_64 else kernel["addr"] - vmlinux.link_paddr
        expected = vmlinux.image(delta)
        assert plan.is_direct
        assert hashlib.sha256(expected[:kernel["len"]].ljust(kernel["len"], b"\0")).hexdigest() \
            == kernel["sha256"]
        assert not any(expected[kernel["len"]:])
        assert (plan.delta != 0) == (words[0] == "--seed=7")


def test_virtual_addresses_of_a_32_bit_kernel_move_too(pc):
    name = "6.1-686-pae"
    plan = plans.of(pc, images.path(name), "--seed=7")
    moved = plan.segment("kernel")["addr"] - images.shape(images.real(name).payload).link_paddr
    assert moved != 0 and plan.delta == moved


@pytest.mark.parametrize("name", ["6.1-amd64", "6.1-686-pae"])
def test_insisted_on(pc, name):
    words = ("--seed=1", images.path(name))
    assert plans.of(pc, words[1], words[0], "--enter=direct") == plans.of(pc, words[1], words[0])


@pytest.mark.parametrize("append, flags, mode", [
    ("a no5lvl b", FLAGS, "keep"), ("no5lvls xno5lvl", FLAGS, "5-level"),
    ("no5lvl", FLAGS + " la57", "4-level"), ("", FLAGS + " la57", "keep")])
@pytest.mark.parametrize("name", ["6.1-amd64", "7-amd64"])
def test_paging(folder, name, append, flags, mode):
    """As the image's stub would have it: what it knows is in its header, and no5lvl is a word of
    the new kernel's."""
    machine = Machine(pc_map(16 * GIB), flags=flags)
    plan = plans.of(machine.write(folder), images.path(name), f"--append={append}",
                    machine=machine)
    assert plan.is_direct and plan["paging"] == mode


# -------------------------------------------------------------------------------------- its place


@pytest.mark.parametrize("append, low, high", [
    ("mem=1G", 0, GIB), ("mem=1G memmap=512M", 0, GIB // 2), ("memmap=2G", 0, 2 * GIB),
    ("memmap=1G$64M", GIB + 64 * MIB, 16 * GIB + GIB),
    ("memmap=1G!64M,0xc0000000#1G", 4 * GIB, 16 * GIB + GIB),
    ("memmap=3G@64M", 0, 16 * GIB + GIB), ("root=x mem=0x20000000 quiet", 0, GIB // 2),
    ("mem=4096M memmap=3500M$1M", 3501 * MIB, 4 * GIB)])
def test_words_about_memory(folder, append, low, high):
    """What the stub's KASLR respects."""
    machine = Machine([(0, 0x9f000, 1), (MIB, 16 * GIB, 1)])
    host = machine.write(folder)
    for seed in range(4):
        plan = plans.of(host, images.path(SMALLEST), f"--append={append}", f"--seed={seed}",
                        machine=machine)
        assert plan["kaslr"]["drawn"]
        assert low <= plan.segment("kernel")["addr"] and end_of(plan) <= high


def test_huge_pages_are_left_alone(folder):
    machine = Machine([(0, 0x9f000, 1), (MIB, 4 * GIB, 1)])
    host = machine.write(folder)
    for seed in range(4):
        plan = plans.of(host, images.path(SMALLEST), f"--seed={seed}",
                        "--append=hugepagesz=1G hugepages=2", machine=machine)
        assert end_of(plan) <= GIB or plan.segment("kernel")["addr"] >= 3 * GIB


@pytest.mark.parametrize("low, high", [(0, GIB), (2 * GIB, 3 * GIB), (123, 3 * GIB - 77)])
def test_limits_of_the_draw(folder, pc, low, high):
    places = set()
    for seed in range(4):
        plan = plans.of(pc, images.path(SMALLEST), f"--seed={seed}", f"--mem-min={low}",
                        f"--mem-max={high - 1}", mem_min=low, mem_max=high - 1)
        assert plan["kaslr"]["drawn"]
        places.add(plan.segment("kernel")["addr"])
    assert len(places) > 2


def test_32_bit_kernel(pc):
    """Below 512 MiB when its place is drawn; the lowest one when it is not."""
    name = "6.1-686-pae"
    lowest = images.real(name).at(images.PREF_ADDRESS)
    places = {plans.of(pc, images.path(name), f"--seed={seed}").segment("kernel")["addr"]
              for seed in range(6)}
    assert len(places) > 3 and min(places) >= lowest
    plan = plans.of(pc, images.path(name), "--append=nokaslr")
    assert plan.segment("kernel")["addr"] == lowest


def test_nokaslr(pc):
    """A word of its own, before any --."""
    kernel = images.path(SMALLEST)
    for append in ("nokaslr", "a nokaslr", "nokaslr b", " nokaslr "):
        plan = plans.of(pc, kernel, f"--append={append}")
        assert plan["kaslr"] == {"drawn": False, "vaddr_delta": "0x0"}
    for append in ("nokaslrs", "xnokaslr", "a=nokaslr", "kaslr"):
        assert plans.of(pc, kernel, f"--append={append}")["kaslr"]["drawn"]


def test_crash_kernels_memory_is_not_drawn(folder):
    machine = Machine(pc_map(GIB), crash_kernel=(128 * MIB, 900 * MIB))
    host = machine.write(folder)
    for seed in range(6):
        plans.of(host, images.path(SMALLEST), f"--seed={seed}", machine=machine)


def test_initrd_finds_a_place(folder):
    """The kernel is not drawn into the middle of the one piece that the initrd needs."""
    machine = Machine(pc_map(512 * MIB))
    host = machine.write(folder / "host")
    with (folder / "initrd").open("wb") as f:
        f.write(b"070701")
        f.truncate(200 * MIB)
    for seed in range(4):
        plan = plans.of(host, images.path(SMALLEST), f"--seed={seed}",
                        f"--initrd={folder / 'initrd'}", machine=machine)
        assert plan.is_direct


# -------------------------------------------------------------------------------- what is drawn

LINK_PADDR, LINK_VADDR = 16 * MIB, 0xffffffff81000000
SLOT = 2 * MIB


def tiny_kernel():
    """An image around a kernel of one page, with a relocation: for loads by the thousand."""
    segment = bytes(0x100) + struct.pack("<I", LINK_VADDR % (1 << 32)) + b"\1" * (4096 - 0x104)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, LINK_PADDR, 64, 8192, 0,
                         64, 56, 1, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 7, 4096, LINK_VADDR, LINK_PADDR, 4096, 4096, 4096)
    table = struct.pack("<3I", 0, 0, (LINK_VADDR + 0x100) % (1 << 32))
    payload = (header + load).ljust(4096, b"\0") + segment + table
    return whole().with_payload(payload).with_fields({bzimage.INIT_SIZE: MIB}).data


def assert_uniform(cells, n_cells):
    """Pearson's statistic. By its own distribution, which is no normal one, chance exceeds this bound once in a
    million times."""
    counts = collections.Counter(cells)
    assert set(counts) <= set(range(n_cells))
    expected = len(cells) / n_cells
    statistic = sum((counts[n] - expected) ** 2 / expected for n in range(n_cells))
    assert abs(statistic - (n_cells - 1)) < 6.5 * (2 * (n_cells - 1)) ** 0.5, counts


def test_every_place_is_as_likely(folder):
    """Over 1000 loads that draw for themselves: each of 47 slots below 4 GiB and of 20 above, and
    virtual places, which have nothing to do with the physical ones."""
    machine = Machine([(0, 0x9f000, 1), (MIB, 110 * MIB, 1), (4 * GIB, 4 * GIB + 40 * MIB, 1)])
    host, where = machine.write(folder / "host"), folder / "tiny"
    where.write_bytes(tiny_kernel())
    low, high = (110 * MIB - LINK_PADDR) // SLOT, 40 * MIB // SLOT
    physical, virtual, both = [], [], []
    for _ in range(1000):
        plan = plans.Plan(run("--dry-run", "--json", host, where).done().out)
        assert plan.is_direct and plan["kaslr"]["drawn"]
        at = plan.segment("kernel")["addr"]
        assert at % SLOT == plan.delta % SLOT == 0
        slot = (at - LINK_PADDR) // SLOT if at < 4 * GIB else low + (at - 4 * GIB) // SLOT
        physical.append(slot)
        virtual.append(plan.delta // SLOT)
        both.append((slot >= low) * 2 + (plan.delta < (GIB - LINK_PADDR) // 2))
    assert_uniform(physical, low + high)
    # The last place ends at the end of the virtual space: 504 in cells of 12.
    assert_uniform([place // 12 for place in virtual], (GIB - LINK_PADDR) // SLOT // 12)
    shares = collections.Counter(both)
    for above in (0, 2):
        assert abs(shares[above] - shares[above + 1]) < 4.5 * (shares[above] +
                                                               shares[above + 1]) ** 0.5


# ------------------------------------------------------------------------------- what forbids it


@pytest.mark.parametrize("append", ["mem_encrypt=on", "a mem_encrypt=on b"])
def test_word_that_only_the_stub_knows(pc, append):
    kernel = images.path(SMALLEST)
    plan = plans.of(pc, kernel, f"--append={append}")
    assert plan["entry_name"] == "64"
    text, = [note["text"] for note in plan["notes"] if note["id"] == "bzimage/by-stub"]
    assert "mem_encrypt" in text
    run("--dry-run", pc, kernel, f"--append={append}", "--enter=direct").failed(
        "bzimage/not-direct", says=("mem_encrypt",))


def test_memory_that_is_not_accepted(folder):
    host = Machine(pc_map(GIB)).write(folder)
    with (folder / "proc/meminfo").open("a", encoding="ascii") as f:
        f.write("Unaccepted:       1024 kB\n")
    plan = plans.of(host, images.path(SMALLEST))
    assert plan["entry_name"] == "64" and "bzimage/by-stub" in plan.notes
    run("--dry-run", host, images.path(SMALLEST), "--enter=direct").failed("bzimage/not-direct")


@pytest.mark.parametrize("flags, is_guest", [
    ("hypervisor sev", True), ("hypervisor sev sev_es", True), ("hypervisor sev_snp", True),
    ("hypervisor tdx_guest", True), ("sme sev sev_es", False), ("hypervisor", False)])
def test_confidential_guest(folder, flags, is_guest):
    """Told by what /proc/cpuinfo has; a host of such guests is none."""
    machine = Machine(pc_map(GIB), flags=f"{FLAGS} {flags}")
    host, kernel = machine.write(folder), images.path(SMALLEST)
    plan = plans.of(host, kernel, machine=machine)
    assert plan.is_direct == (not is_guest)
    found = [note["text"] for note in plan["notes"] if note["id"] == "bzimage/by-stub"]
    assert len(found) == is_guest and all("confidential guest" in text for text in found)
    if is_guest:
        run("--dry-run", host, kernel, "--enter=direct").failed("bzimage/not-direct",
                                                                says=("confidential guest",))


@pytest.mark.parametrize("available, initrd, is_direct", [
    (400, 0, True), (100, 0, False), (400, 150, False)])
def test_memory_to_unpack_in(folder, available, initrd, is_direct):
    """Before the OOM killer looks for it."""
    machine = Machine(pc_map(GIB), available=available * MIB)
    with (folder / "initrd").open("wb") as f:
        f.truncate(initrd * MIB + 1)
    words = (machine.write(folder / "host"), images.path(SMALLEST), "--initrd-unpack=no",
             f"--initrd={folder / 'initrd'}")
    plan = plans.of(*words, machine=machine)
    assert plan.is_direct == is_direct
    assert ("bzimage/by-stub" in plan.notes) == (not is_direct)
    if not is_direct:
        run("--dry-run", *words, "--enter=direct").failed("bzimage/not-direct", says=("memory",))


def test_limit_on_memory(pc):
    """ulimit -v, LimitAS=: what the process may not have is no fault of the image."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (100 * MIB, 100 * MIB))
    kernel = images.path(SMALLEST)
    plan = plans.of(pc, kernel, preexec_fn=limit)
    assert plan["entry_name"] == "64" and "bzimage/by-stub" in plan.notes
    run("--dry-run", pc, kernel, "--enter=direct", preexec_fn=limit).failed("memory/exhausted")


@pytest.mark.parametrize("enter", ["64", "32"])
def test_stub_that_is_asked_for_is_no_note(pc, enter):
    plan = plans.of(pc, images.path(SMALLEST), f"--enter={enter}")
    assert plan["entry_name"] == enter and "bzimage/by-stub" not in plan.notes


# ------------------------------------------------------------------------------ other wrappings


@functools.lru_cache(maxsize=1)
def whole():
    return bzimage.Image(images.bare(SMALLEST))


@functools.lru_cache(maxsize=1)
def vmlinux():
    return images.unpacked(SMALLEST)


@pytest.mark.parametrize("name", bzimage.FORMATS)
def test_packed_otherwise(folder, pc, name):
    """Every format of the boot protocol gives the same kernel at the same place; damage in it, a
    missing end and a false length are seen."""
    where = folder / "repacked"
    packed = bzimage.pack(vmlinux().data, name)
    where.write_bytes(whole().with_payload(packed).data)
    plan = plans.Plan(run("--dry-run", "--json", "--seed=1", pc, where).done().out)
    original = plans.of(pc, images.path(SMALLEST), "--seed=1")
    assert plan.segment("kernel") == original.segment("kernel")
    assert plan["kaslr"] == original["kaslr"] and plan["jump"] == original["jump"]
    if name == "elf":
        return
    known = bzimage.FORMATS[name]
    trailer = packed[-4:]
    half = len(packed) // 2
    wrong = {
        "cut": packed[:half] + trailer,
        "one more": packed[:-4] + struct.pack("<I", len(vmlinux().data) + 1),
        "one fewer": packed[:-4] + struct.pack("<I", len(vmlinux().data) - 1),
        "hardly begun": packed[:16] + trailer,
    }
    if known.has_checksum:
        wrong["damaged"] = packed[:half] + bytes([packed[half] ^ 0x40]) + packed[half + 1:]
    for what, payload in wrong.items():
        where.write_bytes(whole().with_payload(payload).data)
        for enter in ("auto", "direct"):
            result = run("--dry-run", pc, where, f"--enter={enter}")
            assert result.status == 255 and result.out == b"", (what, result)
            found, = result.reasons()
            assert found["id"] in ("unpack/damaged", "unpack/truncated", "unpack/short",
                                   "unpack/long", "unpack/trailing"), (what, result)
            assert b"--enter=64" in result.err, (what, result)
        plans.of(pc, where, "--enter=64")


# What is wrong with the unpacked kernel: a change to its bytes, and the id.
PHOFF, E_MACHINE, E_TYPE, E_PHENTSIZE, E_SHOFF, E_ENTRY = 32, 18, 16, 54, 40, 24


def put(off, kind, value):
    def change(data):
        struct.pack_into("<" + kind, data, off, value)
    return change


def load_field(off, kind, value_of):
    """A field of the first program header, from what is in it."""
    def change(data):
        at = struct.unpack_from("<Q", data, PHOFF)[0] + off
        old, = struct.unpack_from("<" + kind, data, at)
        struct.pack_into("<" + kind, data, at, value_of(old))
    return change


def cut(n):
    def change(data):
        del data[-n:]
    return change


def without_table(data):
    del data[vmlinux().elf_len:]


def table(off, words):
    def change(data):
        struct.pack_into(f"<{len(words)}I", data, vmlinux().elf_len + 4 * off, *words)
    return change


def swap_first_two(data):
    """Of the list at the end, which is not empty."""
    one, two = struct.unpack_from("<2I", data, len(data) - 8)
    struct.pack_into("<2I", data, len(data) - 8, two, one)


def last_word(value):
    def change(data):
        struct.pack_into("<I", data, len(data) - 4, value)
    return change


WRONG = {
    "no ELF": (put(0, "I", 0), "bzimage/payload-unknown"),
    "ELF of 32 bits": (put(4, "B", 1), "elf/"),
    "big endian": (put(5, "B", 2), "elf/class"),
    "other machine": (put(E_MACHINE, "H", 183), "elf/machine"),
    "object file": (put(E_TYPE, "H", 1), "elf/type"),
    "program headers of no size": (put(E_PHENTSIZE, "H", 0), "elf/program-headers"),
    "program headers outside": (put(PHOFF, "Q", 1 << 40), "elf/program-headers-outside"),
    "section headers outside": (put(E_SHOFF, "Q", 1 << 40), "elf/section-headers-outside"),
    "entry outside": (put(E_ENTRY, "Q", 0), "direct/entry-outside"),
    "load from outside": (load_field(8, "Q", lambda v: 1 << 40), "elf/load-outside"),
    "load that wraps": (load_field(24, "Q", lambda v: (1 << 64) - 4096), "elf/load-wraps"),
    "load that is longer than its memory": (load_field(40, "Q", lambda v: 1), "elf/load-lengths"),
    "loads that overlap": (load_field(40, "Q", lambda v: v + (1 << 29)), "elf/loads-overlap"),
    "linked elsewhere": (load_field(24, "Q", lambda v: v - 2 * MIB), "direct/link-address"),
    "table cut inside a word": (cut(1), "reloc/no-table"),
    "table that begins otherwise": (table(0, (1,)), "reloc/no-table"),
    "table of too many lists": (last_word(0), "reloc/layout"),
    "table not in order": (swap_first_two, "reloc/not-sorted"),
    "relocation outside": (last_word(0xffffffff), "reloc/outside"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_kernel(folder, pc, name):
    """Seen before the jump, where the stub would see it after, or never."""
    change, expected = WRONG[name]
    data = bytearray(vmlinux().data)
    change(data)
    where = folder / "wrong"
    where.write_bytes(whole().with_payload(bytes(data)).data)
    for enter in ("auto", "direct"):
        result = run("--dry-run", "--seed=1", pc, where, f"--enter={enter}")
        assert result.status == 255 and result.out == b"", result
        found, = result.reasons()
        assert found["id"].startswith(expected), result
        assert b"--enter=64" in result.err, result
    plans.of(pc, where, "--enter=64")


def test_kernel_without_relocations(folder, pc):
    """Built without KASLR: it is where it was linked, as far as it can tell."""
    data = bytearray(vmlinux().data)
    without_table(data)
    where = folder / "fixed"
    where.write_bytes(whole().with_payload(bytes(data)).data)
    plan = plans.of(pc, where)
    assert plan.is_direct and plan["kaslr"] == {"drawn": False, "vaddr_delta": "0x0"}
    assert plan.segment("kernel")["sha256"] == plans.of(
        pc, images.path(SMALLEST), "--append=nokaslr").segment("kernel")["sha256"]


@pytest.mark.parametrize("fields, expected", [
    ({images.PREF_ADDRESS: 0x1200000}, "direct/link-address"),
    ({images.XLOADFLAGS: 0}, "direct/class")])
def test_header_of_another_kernel(folder, pc, fields, expected):
    where = folder / "mixed"
    where.write_bytes(images.bare(SMALLEST).with_fields(fields))
    run("--dry-run", pc, where).failed(expected)


@pytest.mark.parametrize("what", ["short", "damaged"])
def test_wrong_kernel_as_json(folder, pc, what):
    image = images.bare()
    at = image.payload_end - (4 if what == "short" else 100000)
    where = folder / "wrong"
    where.write_bytes(image.patched(at, bytes([image[at] ^ 1])))
    failed = run("--dry-run", "--json", pc, where)
    found, = failed.reasons()
    error = plans.parse(failed.out)["error"]
    assert error["id"] == found["id"] and error["id"].startswith("unpack/")
    assert "--enter=64" in error["advice"]


@pytest.mark.parametrize("seed", range(2))
def test_noise_in_the_payload(folder, pc, seed):
    """Whatever is turned where: refused by name. This one's checksums are over all of it."""
    chance = random.Random(seed)
    image = images.bare()
    assert bzimage.format_of(image.payload) == "xz"
    begin = image.payload_end - len(image.payload)
    where = folder / "damaged"
    for _ in range(4):
        at = chance.randrange(begin, image.payload_end)
        where.write_bytes(image.patched(at, bytes([image[at] ^ 1 << chance.randrange(8)])))
        result = run("--dry-run", pc, where)
        assert result.status == 255 and result.out == b"", (at - begin, result)
        found, = result.reasons()
        assert found["id"].split("/")[0] in ("unpack", "bzimage"), result


@pytest.mark.parametrize("append, flags, is_low", [
    ("", FLAGS, True), ("no5lvl", FLAGS + " la57", True), ("no5lvl", FLAGS, False),
    ("", FLAGS + " la57", False)])
def test_purgatory_is_where_it_can_change_the_paging_mode(folder, append, flags, is_low):
    """Below 4 GiB, if it must."""
    machine = Machine(pc_map(64 * GIB), flags=flags)
    host = machine.write(folder)
    plan = plans.of(host, images.path(SMALLEST), f"--append={append}", machine=machine)
    purgatory = plan.segment("purgatory")
    assert plan.is_direct and (purgatory["addr"] + purgatory["reserve_len"] <= 4 * GIB) == is_low
    if is_low:
        run("--dry-run", host, images.path(SMALLEST), f"--append={append}", "--enter=direct",
            "--mem-min=4G").failed("bzimage/not-direct", says=("--mem-min",))
    else:
        plan = plans.of(host, images.path(SMALLEST), f"--append={append}", "--mem-min=4G",
                        machine=machine, mem_min=4 * GIB)
        assert plan.is_direct
