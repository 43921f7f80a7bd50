# SPDX-License-Identifier: GPL-2.0-or-later
"""Hundreds of command lines, done by kexec-tools and by us in one guest: what came of each?"""

import dataclasses
import gzip
import itertools
import json
import os
import random
import re
import shlex
import struct
import sys

import pytest

from guest import ALONE, BUILD, HERE, TOP, Guest, Machine, compiled, initramfs, kernel, kexec_files

sys.path += [str(TOP / "tests" / "cli"), str(TOP / "tests" / "lib")]

import images  # noqa: E402 (not before the line above)
import kexec_tools  # noqa: E402

LINES = HERE / "side_by_side.lines"
FIRST = "6.1-cloud"
LIMIT = 1500  # seconds for the guest; two take three minutes alone
MACHINE = Machine(memory=1024)
RUNNING = 'loglevel=0 no_timer_check crashkernel=128M BOOT_IMAGE=/boot/k initrd=/boot/i word="two words"'
MODES = ("-l", "-p", "-u", "-e", "-f", "-S")


# ------------------------------------------------------------------------------------ the guest


def elf(bits, load_at, extra=b""):
    """A program of one segment, as simple as they come; extra is at the segment's beginning."""
    code = extra + b"\xf4\xeb\xfd" + bytes(4096)
    if bits == 64:
        header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1,
                             load_at + len(extra), 64, 0, 0, 64, 56, 1, 0, 0, 0)
        load = struct.pack("<IIQQQQQQ", 1, 5, 4096, load_at, load_at, len(code), len(code), 4096)
    else:
        header = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\1\1\1", 2, 3, 1,
                             load_at + len(extra), 52, 0, 0, 52, 32, 1, 0, 0, 0)
        load = struct.pack("<IIIIIIII", 1, 4096, load_at, load_at, len(code), len(code), 5, 4096)
    return (header + load).ljust(4096, b"\0") + code


def multiboot():
    magic, flags = 0x1badb002, 0
    return elf(32, 0x2000000, struct.pack("<III", magic, flags, -(magic + flags) % (1 << 32)))


def elf_of_20():
    """Twenty segments: more than a loader without a bound has room for."""
    loads = b"".join(struct.pack("<IIQQQQQQ", 1, 5, 4096, at, at, 4096, 4096, 4096)
                     for at in range(0x2000000, 0x2000000 + 40 * 4096, 2 * 4096))
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, 0x2000000, 64, 0, 0, 64,
                         56, 20, 0, 0, 0)
    return (header + loads).ljust(4096, b"\0") + bytes(4096)


def elf_that_wraps():
    """Its segment's end in the file is beyond 2^64, where it looks small."""
    plain = elf(64, 0x2000000)
    load = struct.pack("<IIQQQQQQ", 1, 5, (1 << 64) - 4096, 0x2000000, 0x2000000, 8192, 8192, 4096)
    return plain[:64] + load + plain[64 + len(load):]


def device_tree():
    """An empty one."""
    words = struct.pack(">IIII", 1, 0, 2, 9)
    return struct.pack(">10I", 0xd00dfeed, 56 + len(words), 56, 56 + len(words), 40, 17, 16, 0, 0,
                       len(words)) + bytes(16) + words


def small(name):
    """The header of a real kernel, and so little of it that loading takes no time."""
    image = images.real(name)
    kept = 64 << 10
    return images.Image(image[:image.setup_len + kept]).with_fields({
        images.SYSSIZE: kept // 16, images.INIT_SIZE: 1 << 20, images.PAYLOAD_OFFSET: 0,
        images.PAYLOAD_LENGTH: 0, images.KERNEL_INFO_OFFSET: 0})


def guest_files(first=FIRST):
    initrd = initramfs({"": "facts"}, {"/some": random.Random(1).randbytes(50000)}, init=False)
    k = small("6.1-amd64")
    return {
        "/k": k, "/k32": small("6.1-686-pae"), "/real": images.path("6.1-cloud"),
        "/half": k[:len(k) - (32 << 10)], "/i": initrd, "/iz": gzip.compress(initrd, mtime=0),
        "/empty": b"", "/text": b"no kernel at all\n" * 300, "/dt": device_tree(),
        "/noise": random.Random(2).randbytes(65536), "/mb": multiboot(),
        "/elf": elf(64, 0x2000000), "/elf20": elf_of_20(), "/elfwrap": elf_that_wraps(),
        "/module.ko": kernel(first).module,
    }


def beside():
    return compiled("beside", "beside.c", *ALONE, "-D_GNU_SOURCE")


@dataclasses.dataclass(frozen=True)
class Line:
    state: str
    words: tuple

    def __str__(self):
        return (f"[{self.state}] " if self.state else "") + shlex.join(self.words)

    def has(self, *words):
        return any(word in self.words for word in words)


def read_lines():
    found = []
    for text in LINES.read_text().splitlines():
        if not text or text.startswith("#"):
            continue
        state = re.match(r"\[([lc]+)\] ", text)
        words = shlex.split(text[state.end():] if state else text)
        words = [re.sub(r"LONG(\d+)$", lambda n: "x" * int(n[1]), word) for word in words]
        found.append(Line(state[1] if state else "", tuple(words)))
    return found


def make_lines():
    """Each two modes in both orders, with and without a kernel, with and without some loaded."""
    pairs = [pair for pair in itertools.product(MODES, MODES)]
    for state, kernel_words, pair in itertools.product(("", "lc"), ((), ("/k",)), pairs):
        yield Line(state, (*pair, *kernel_words))
    for triple in itertools.permutations(("-l", "-p", "-u"), 3):
        yield Line("lc", triple)
        yield Line("lc", (*triple, "/k"))


def pack_lines(lines, tools):
    out = bytearray()
    for line, tool in itertools.product(lines, tools):
        words = [*tool, *line.words]
        for text in (line.state, str(len(words)), *words):
            out += text.encode() + b"\0"
    return bytes(out)


def run_all(lines, tools, machine, log, append=RUNNING, files=None, first=FIRST):
    """What every tool did with every line: for each a list of results."""
    files = {**guest_files(first), **(files or {}), "/sbin/beside": beside(),
             "/sbin/shutdown": beside(), "/lines": pack_lines(lines, [tool.words for tool in tools])}
    for tool in tools:
        files.update(tool.files)
    job = f"limit {LIMIT - 60}\nload-module /module.ko\nrun /sbin/beside /lines\nproof done"
    with Guest(machine, kernel(first), initramfs({"": job}, files), append, log=log,
               limit=LIMIT) as guest:
        guest.expect("NG-PROOF done", LIMIT)
        text = guest.dump_path.read_text()
    results = [json.loads(row) for row in text[text.index('{"n":'):].splitlines()]
    assert results.pop() == {"runs": len(lines) * len(tools)}
    return list(zip(*[iter(results)] * len(tools)))


@dataclasses.dataclass(frozen=True)
class Tool:
    words: tuple
    files: dict


def theirs(suite):
    found = kexec_tools.fetched(suite)
    return Tool(tuple(found.command(f"/{suite}")), found.files(f"/{suite}"))


def ours():
    return Tool(("/sbin/kexec",), kexec_files())


# -------------------------------------------------------------------------- what came of a line

REBOOT_KEXEC = 0x45584543
ON_CRASH, FILE_UNLOAD, FILE_ON_CRASH = 1, 1, 2
# What is added to the command line of a crash kernel.
FOR_A_PANIC = r"\b(elfcorehdr|acpi_rsdp|memmap)=\S*"
SETUP_E820_EXT, SETUP_DTB, SETUP_EFI = 1, 2, 4


class Given:
    """What the boot_params of a load tell the next kernel."""

    def __init__(self, call):
        self.page = bytes.fromhex(call["boot_params"])
        self.nodes = {node["type"]: bytes.fromhex(node["bytes"]) for node in call["setup_data"]}
        self.efi_map = call["efi_map"]

    def e820(self, is_crash):
        """Neighbours of one type that touch are one entry, in order of address.

        Without the first KiB. Of a crash kernel's map only what is no RAM, above 1 MiB: what it may
        use is different on purpose (FOR_A_PANIC).
        """
        table = self.page[0x2d0:0x2d0 + 20 * self.page[0x1e8]] + self.nodes.get(SETUP_E820_EXT, b"")
        merged = []
        for start, length, kind in sorted(struct.iter_unpack("<QQI", table)):
            if merged and merged[-1][1] == start and merged[-1][2] == kind:
                merged[-1][1] = start + length
            elif length:
                merged.append([start, start + length, kind])
        if is_crash:
            merged = [row for row in merged if row[2] != 1 and row[0] >= 1 << 20]
        return [f"{max(start, 0x400):#x}-{end:#x} {kind}" for start, end, kind in merged]

    def meaning(self, is_crash):
        efi_info = self.page[0x1c0:0x1e0]
        return {
            "e820": self.e820(is_crash),
            "rsdp": hex(int.from_bytes(self.page[0x70:0x78], "little")),
            "screen": self.page[:0x40].hex() if self.page[0x0f] else None,
            "video": self.page[0x0f],
            "edd": self.page[0x1e9:0x1eb].hex() + self.page[0x290:0x2d0].hex()
                   + self.page[0xd00:0xeec].hex(),
            "subarch": self.page[0x23c:0x240].hex(),
            "efi": (efi_info[:4] + efi_info[4:8] + efi_info[0x18:0x1c]).hex(),
            "efi map": sorted(self.efi_map[i:i + 80] for i in range(0, len(self.efi_map), 80)),
            "efi tables": self.nodes.get(SETUP_EFI, b"").hex(),
            "device tree": self.nodes.get(SETUP_DTB, b"").hex(),
            "seed": len(self.nodes.get(9, b"")),
            "loader": self.page[0x210],
            "header": (self.page[0x1f2:0x1f4] + self.page[0x1fc:0x200]).hex(),
        }


def is_load(call):
    if call["call"] == "kexec_load":
        return bool(call["segments"]) and call["result"] == 0
    return call["call"] == "kexec_file_load" and not call["flags"] & FILE_UNLOAD and \
        call["result"] == 0


def outcome(result):
    """What the machine and a calling program see of it."""
    jumps = any(call["call"] == "reboot" for call in result["calls"])
    status = "jump" if jumps else f"signal {result['signal']}" if result["signal"] else \
        result["status"]
    found = {"status": status, "loaded": result["after"], "interface": result["is_up"],
             "shutdown": result["shutdown"]}
    if status in (0, "jump"):
        found["silent"] = not result["out"] and not result["err"]
        found["sync"] = any(call["call"] == "sync" for call in result["calls"])
    loads = [call for call in result["calls"] if is_load(call)]
    if loads:
        load = loads[-1]
        found["call"] = load["call"]
        found["crash"] = bool(load["flags"] & (ON_CRASH if load["call"] == "kexec_load"
                                               else FILE_ON_CRASH))
        if "cmdline" in load:
            found["cmdline"] = load["cmdline"]
            if found["crash"]:
                found["cmdline"] = " ".join(re.sub(FOR_A_PANIC, "", load["cmdline"]).split())
            # Of the other call the running kernel adds it.
            if found["crash"] and load["call"] == "kexec_load":
                found["elfcorehdr"] = "elfcorehdr=" in load["cmdline"]
            found["initrd"] = load["initrd"] and load["initrd"]["digest"]
        # With the boot sector in front it is real mode that is entered: the rest is asked there.
        if load.get("boot_params") and not load["boot_params"].startswith("4d5a"):
            found |= Given(load).meaning(found["crash"])
    return found


def differences(theirs_outcome, ours_outcome):
    """(what, theirs, ours) of all that both have and differ in."""
    for what in theirs_outcome.keys() & ours_outcome.keys():
        their, our = theirs_outcome[what], ours_outcome[what]
        if what == "silent" and not their:
            continue    # saying less than they do is fine
        if their != our:
            yield what, their, our


# ------------------------------------------------------------------- differences that are intended


@dataclasses.dataclass(frozen=True)
class Intended:
    """Where this holds, what is listed may differ. row: how a row of doc/differences.md begins."""

    row: str
    what: tuple                 # what may differ
    line: str = ""              # a pattern that the line has
    id: str = ""                # a pattern of our reason or warning's id
    their: tuple = ()           # their status is one of these
    suite: str = ""             # of that kexec-tools only
    is_optional: bool = False   # it depends on what this version can do

    def covers(self, suite, line, what, their, result):
        ids = re.findall(r"\[([a-z0-9]+/[a-z0-9-]+)\]$", result["err"], re.M)
        return (what in self.what and self.suite in ("", suite) and
                re.search(self.line, str(line)) is not None and
                (not self.their or their["status"] in self.their) and
                (not self.id or any(re.fullmatch(self.id, found) for found in ids)))


STATE = ("status", "loaded", "interface", "shutdown")
INTENDED = (
    # What is not there yet. When it is, the lines are compared without a word here.
    Intended("Refused by name (`options/not-yet`", STATE, id="options/not-yet", is_optional=True),

    # Coming back. Kernels of Debian's refuse it, so that is all there is to compare.
    Intended("| `--load-jump-back-helper` finds where", ("interface",),
             line="--load-jump-back-helper", is_optional=True),

    # The order of words, and modes that contradict each other.
    Intended("| The order of modes does not matter. |", STATE,
             line="-u (-l )?-p|-u -l$|-p -u -l$"),
    Intended("| The order of modes does not matter. |", ("status", "interface"), line="-f -l /k",
             their=(0,)),
    Intended("| `-f` anywhere: load and jump.", STATE,
             line="-l -e|-e -l|-f -e|-e -p|-p -e|-p -f|-f -p"),
    Intended("| `-e -f` without a kernel is `-e`. |", STATE, line="-e -f$"),
    Intended("| `-e K` alone fails", STATE, line="-e -e /k", id="options/conflict"),
    Intended("| `-u` with `-e`, `-f` or `-l K` fails", STATE, id="options/conflict"),
    Intended("| Debian's 2.0.25 and 2.0.32 lack", STATE, line="--forc |--no-cma|--force-dtb"),
    Intended("| New: `--dry-run`", STATE, line="--quiet", their=(1,)),

    # Values of options.
    Intended("| Numbers: digits, `0x`", STATE, line="--mem-(min|max)=(-| |9{19}|$)",
             id="options/bad-value", their=(0,)),
    Intended("| Numbers: digits, `0x`", STATE, line="--mem-max=1G", their=(1,)),
    Intended("| `--mem-min` above", STATE, line="--mem-min", id="options/mem-range", suite="sid"),
    Intended("| `--serial-baud=0` is an error.", ("status",), line="--serial-baud=[0x]?$",
             their=("signal 8",)),
    Intended("| `--serial=0xPORT`", STATE, line="--serial=0x", id="options/bad-value", their=(0,)),
    Intended("| A wrong command line: one line on stderr, exit 1.", ("status",),
             id="options/bad-value", their=(255,)),
    Intended("| `--type` means the same whichever", STATE, line="-t|--type", their=(0,),
             id="options/bad-value|probe/.*", suite="sid"),
    Intended("| `--entry` names an address", STATE, line="--entr?y?=?", id="plan/entry-outside"),
    Intended("| `--reuseinitrd` takes", ("status",), line="--reusei", id="file/open", their=(1,)),
    Intended("| `--dtb` goes with every bzImage", ("status", "loaded", "device tree"),
             line="--dtb"),
    Intended("| Options that only one system call", ("silent",), id="options/no-effect"),
    Intended("| Warnings on stderr when something is lost on the way. |", ("silent",),
             id="params/efi-dropped|bzimage/.*", is_optional=True),
    Intended("| Options that only one system call", STATE, line="--mem-max=(0|1|0x100000)$",
             id="place/no-hole", suite="sid"),

    # For a panic.
    Intended("| `-p` on Linux 6.5 and newer:", STATE, line="--hotplug", their=(1,)),

    # How it ends.
    Intended("| Load failures: 255. |", ("status",), id="(file|place|kernel|bzimage|crash)/.*",
             their=(1,)),
    Intended("| `-s` and the running kernel refuses the image: 253", ("status",), line="-s ",
             id="kernel/file-format|kernel/invalid"),
    Intended("| A file of no known type: 255. |", ("status",),
             line="/text|/noise", their=("signal 11",), suite="sid"),
    Intended("| `-d` works with every kernel", STATE, line="-d|--debug", their=(253, 255),
             suite="sid"),
    Intended("| `-d` prints the plan", ("silent",), line="-d|--debug", suite="bookworm"),

    # The command line and the initrd of the next kernel.
    Intended("`BOOT_IMAGE=` and `initrd=` go", ("cmdline",), line="--re"),
    Intended("| `--noefi` leaves `--append` alone.", ("cmdline",),
             line="--append=x --(noefi|reuse-video-type|pass-memmap-cmdline)"),
    Intended("| The command line may have all the characters that the kernel takes. |", STATE,
             line="x{2047}$", their=(255,)),
    Intended("| A command line that is too long is refused before", ("status",),
             id="params/cmdline-too-long"),
    Intended("| Every `--initrd` counts", ("initrd",), line="--initrd=.*--(initrd|ramdisk)="),
    Intended("| A bzImage is unpacked, relocated (KASLR) and entered directly, and its initrd",
             ("initrd",), line="--initrd=/iz$"),
    Intended("| A bzImage that is truncated", STATE, line="/half", id="bzimage/kernel-truncated"),

    # Images that are no Linux.
    Intended("| ELF programs that are neither", STATE, id="elf/not-linux"),
    Intended("| `--module` with an image that takes none", STATE, id="load/modules"),
    Intended("| Multiboot images work with", STATE, line="^-l /mb", suite="sid", their=(1, 255)),
    Intended("| A kernel as an ELF file", STATE, line="^-l /elf --args", suite="sid", their=(1,)),

    # What kills them.
    Intended("| An ELF file of more than 16 segments", STATE, line="/elf20",
             their=("signal 11", 255), is_optional=True),
    Intended("| The end of an ELF segment wraps", STATE, line="/elfwrap", is_optional=True),

    # How it is loaded.
    Intended("| `-a`: `kexec_load` first;", ("call",), suite="sid"),
    Intended("| `-a`: `kexec_load` first;", ("call",), suite="bookworm",
             line="-[a-z]*a( |$)|-auto"),
    Intended("| `-a`: `kexec_load` first;", STATE, suite="sid", their=(1, 255),
             line="^-l (/k32|/k --(entry-32bit|real-mode))$"),
    Intended("| Loading writes out no file system", ("sync",), their=(0,)),
    Intended("| The display is handed on as", ("screen",), is_optional=True),
    Intended("| The kernel is told loader 0xd1.", ("loader",)),
    Intended("| Fields of the image's header stay", ("header",)),
)


# Differences that outcome() leaves out of what it compares.
LEFT_OUT = ("| The memory map is handed on whole. |", "| `-p`: `elfcorehdr=` comes first;",
            "| `-p`: `acpi_rsdp=` for images")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    lines = read_lines() + list(make_lines())
    tools = {"bookworm": theirs("bookworm"), "sid": theirs("sid"), "ours": ours()}
    rows = run_all(lines, list(tools.values()), MACHINE, BUILD / "vm-logs" / f"side_by_side-{os.getpid()}")
    return lines, [dict(zip(tools, row)) for row in rows]


def compare(suite, results):
    """What is not the same and not intended, in words; the rules that were needed."""
    used, unexplained = set(), []
    for line, result in zip(*results):
        their, our = outcome(result[suite]), outcome(result["ours"])
        for what, was, now in differences(their, our):
            rules = [rule for rule in INTENDED
                     if rule.covers(suite, line, what, their, result["ours"])]
            used |= set(rules)
            if not rules:
                unexplained.append(f"{line}: {what} is {now}, not {was}\n    they: "
                                   f"{result[suite]['err']!r}\n    we: {result['ours']['err']!r}")
    return unexplained, used


@pytest.mark.parametrize("suite", ["bookworm", "sid"])
def test_same_as_kexec_tools(suite, results):
    """What is not the same is intended, and doc/differences.md says so."""
    document = (TOP / "doc" / "differences.md").read_text()
    unexplained, used = compare(suite, results)
    for rule in INTENDED:
        if rule not in used and not rule.is_optional and rule.suite in ("", suite):
            unexplained.append(f"nothing differs any more as in: {rule}")
    for row in {*LEFT_OUT, *(rule.row for rule in used)}:
        if f"\n{row}" not in document:
            unexplained.append(f"doc/differences.md has no row: {row}")
    assert not unexplained, "\n".join([f"{len(unexplained)} in all", *unexplained])


def test_same_on_an_efi_machine():
    """What kexec_load is given of EFI is the same to the byte."""
    lines = [Line("", tuple(shlex.split(text))) for text in (
        "-c -l /k --append=x", "-c -l /real --initrd=/i --append=x", "-c -l /k --noefi",
        "-c -p /k --append=x", "-s -l /k --append=x", "-c -l /k32")]
    tools = {"bookworm": theirs("bookworm"), "ours": ours()}
    machine = Machine(firmware="ovmf", memory=1024, vga="std")
    rows = run_all(lines, list(tools.values()), machine, BUILD / "vm-logs" / "side_by_side_efi")
    results = lines, [dict(zip(tools, row)) for row in rows]
    told = outcome(results[1][0]["ours"])
    assert told["efi"].startswith("454c3634") and len(told["efi map"]) > 3
    assert outcome(results[1][2]["ours"])["efi"] == "00" * 12
    unexplained, _ = compare("bookworm", results)
    assert not unexplained, "\n".join(unexplained)


def test_no_crash_no_noise(results):
    """Whatever the words: no signal, something said on each failure, and most lines agree."""
    lines, rows = results
    assert len(lines) > 500
    for line, result in zip(lines, rows):
        ran = result["ours"]
        assert not ran["signal"] or outcome(ran)["status"] == "jump", (line, ran)
        if ran["status"] not in (-1, 0) and not line.has("-S", "--status", "--stat", "-?"):
            assert ran["err"].startswith("kexec: ") and re.search(r"\[\S+/\S+\]$", ran["err"], re.M)
            assert not ran["out"], (line, ran)
