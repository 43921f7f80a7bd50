# SPDX-License-Identifier: GPL-2.0-or-later
"""--rehearse: real kernels are carried to their own entry, and what is wrong is found out."""

import os
import pathlib
import re
import shutil
import struct
import subprocess
import time

import pytest

import images
import plans
import test_multiboot
from kexec_run import NOBODY, run
from machines import FLAGS, GIB, MIB, TIB, Machine, pc as pc_map

GOOD, BAD, UNKNOWN = 0, 1, 2
VERDICTS = {GOOD: "good", BAD: "bad", UNKNOWN: "unknown"}
STUB_STAGES = ["plan", "purgatory", "entry", "segments", "stub", "kept", "kernel"]
PVH_STAGES = ["plan", "purgatory", "entry", "segments", "handed", "program"]
LIMIT = 180  # seconds; two runs, on a machine that has other things to do

QUICK = "6.1-cloud"     # lz4: its stub takes 50 ms
XZ = "6.1-amd64"
ENTRY_64 = 0x200        # of the stub, in the kernel
HOOK_LEN = 6            # of whole instructions at its beginning: cld; cli; xor; mov to ds
HOOK_ROOM = 0x180       # from here to the entry a stub has nothing


class Rehearsal(dict):
    def __init__(self, result):
        super().__init__(plans.parse(result.out))
        self.result = result
        assert self["format"] == 1, result
        assert VERDICTS[result.status] == self.of["verdict"], result
        worst = max(self.of["stages"], key=lambda s: ("good", "unknown", "bad").index(s["verdict"]))
        assert self.of["verdict"] == worst["verdict"]
        for stage in self.of["stages"]:
            assert (stage["verdict"] == "good") == (stage["id"] is None), stage
            assert stage["id"] is None or re.fullmatch("[a-z0-9-]+/[a-z0-9-]+", stage["id"])

    @property
    def of(self):
        return self["rehearsal"]

    @property
    def names(self):
        return [stage["name"] for stage in self.of["stages"]]

    def serial(self, run_number=0):
        return self.of["consoles"][run_number]["serial"]

    def good(self):
        assert self.result.status == GOOD, self.result
        return self

    def found(self, stage, name, status=BAD):
        """The last stage is this one, and says this id."""
        assert self.result.status == status, self.result
        last = [s for s in self.of["stages"] if s["id"]][-1]
        assert (last["name"], last["id"]) == (stage, name), self.result
        return last["text"]


def rehearse(host, kernel, *more, **popen):
    popen.setdefault("limit", LIMIT)
    result = run("--dry-run", "--rehearse", "--json", host, kernel, *more, **popen)
    assert result.status in VERDICTS, result
    assert result.err == b"", result
    return Rehearsal(result)


def assemble(folder, text, bits=64):
    """The bytes of this assembly."""
    (folder / "hook.S").write_text(text + "\n")
    obj, flat = folder / "hook.o", folder / "hook.bin"
    subprocess.run(["as", f"--{bits}", "-o", obj, folder / "hook.S"], check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", obj, flat], check=True)
    return flat.read_bytes()


def with_entry(folder, text, name=QUICK):
    """A kernel whose stub does this first, and nothing else."""
    image = images.bare(name)
    where = folder / "hostile"
    where.write_bytes(image.patched(image.setup_len + ENTRY_64, assemble(folder, text)))
    return where


def with_hook(folder, text, name=QUICK):
    """A kernel whose stub does this first, then all that it does."""
    image = images.bare(name)
    kernel = image.kernel
    assert kernel[ENTRY_64:ENTRY_64 + HOOK_LEN] == bytes.fromhex("fcfa31c08ed8")
    assert not any(kernel[HOOK_ROOM:ENTRY_64])
    hook = assemble(folder, f"start: {text}\ncld\ncli\nxor %eax, %eax\nmov %eax, %ds\n"
                            f"jmp start + {ENTRY_64 + HOOK_LEN - HOOK_ROOM}")
    assert len(hook) <= ENTRY_64 - HOOK_ROOM
    jump = assemble(folder, f"start: jmp start - {ENTRY_64 - HOOK_ROOM}").ljust(HOOK_LEN, b"\x90")
    where = folder / "hooked"
    where.write_bytes(image.patched(image.setup_len + HOOK_ROOM, hook)
                      .patched(image.setup_len + ENTRY_64, jump))
    return where


# ---- good ones ----

@pytest.mark.parametrize("enter", ["auto", "64", "32"])
@pytest.mark.parametrize("kaslr", ["", "nokaslr"])
def test_a_kernel(pc, folder, enter, kaslr):
    check_kernel(pc, folder, QUICK, enter, kaslr)


@pytest.mark.parametrize("name", ["6.12-amd64", "7-amd64", "6.1-686-pae"])
def test_kernels(pc, folder, name):
    check_kernel(pc, folder, name, "auto", "")


@pytest.mark.long_form
@pytest.mark.parametrize("enter", ["auto", "64", "32"])
@pytest.mark.parametrize("kaslr", ["", "nokaslr"])
@pytest.mark.parametrize("name", ["5.10-amd64", XZ, "6.12-amd64", "7-amd64", "6.1-686-pae"])
def test_all_kernels(pc, folder, name, enter, kaslr):
    if not (name == "6.1-686-pae" and enter == "64"):
        check_kernel(pc, folder, name, enter, kaslr)


def check_kernel(pc, folder, name, enter, kaslr):
    initrd = folder / "initrd"
    initrd.write_bytes(os.urandom(3 * MIB + 5))
    done = rehearse(pc, images.path(name), f"--initrd={initrd}", f"--enter={enter}",
                    f"--append=console=ttyS0 earlyprintk=serial {kaslr}", "--console-serial").good()
    assert done.names == STUB_STAGES
    kernel, vmlinux = done.of["kernel"], images.unpacked(name)
    assert kernel["compared_len"] == sum(load.file_len for load in vmlinux.loads)
    delta = int(kernel["vaddr_delta"], 16)
    assert delta % (2 * MIB) == 0 and not (kaslr and delta)
    assert kernel["relocations"] == (sum(map(len, vmlinux.lists())) if delta else 0)
    assert done["entry_name"] == ("direct" if enter == "auto" else enter)
    for printed in done.of["consoles"]:
        assert printed["serial"].startswith("kexec: 3 segments intact, starting kernel\r\n")
    # A stub of 6.1 says so only without KASLR.
    if kaslr and name == QUICK:
        assert "KASLR disabled" in done.of["consoles"][-1]["serial"]


def test_as_anybody_on_this_machine(folder):
    """With the facts of the machine that tests, and no rights at all."""
    kernel = folder / "vmlinuz"
    kernel.write_bytes(images.path(QUICK).read_bytes())
    rehearse("--digest=crc32c", kernel, user=NOBODY).good()


@pytest.mark.parametrize("machine, options", [
    (Machine(pc_map(16 * GIB), flags=FLAGS + " la57"), ["--enter=64", "--append=no5lvl"]),
    (Machine(pc_map(16 * GIB), flags=FLAGS + " la57"), ["--append=no5lvl"]),
    (Machine(pc_map(2 * TIB)), ["--enter=64"]),
    (Machine(pc_map(512 * MIB)), ["--enter=32"]),
    (Machine(pc_map(16 * GIB), is_efi=True), ["--enter=64"]),
    (Machine(pc_map(16 * GIB), crash_kernel=(0x60000000, 0x70000000)), ["-p", "--backup=yes"]),
    (Machine(pc_map(16 * GIB), crash_kernel=(0x60000000, 0x70000000)), ["-p", "--enter=64"]),
], ids=["to-4-level-by-stub", "to-4-level", "2-tib", "small", "efi", "panic", "panic-by-stub"])
def test_machines(folder, machine, options):
    (folder / "machine").mkdir()
    rehearse(machine.write(folder / "machine"), images.path(QUICK), *options).good()


@pytest.mark.parametrize("digest", ["sha256", "none"])
def test_digests_and_the_screen(pc, digest):
    done = rehearse(pc, images.path(QUICK), f"--digest={digest}", "--console-vga", "--reset-vga",
                    "--enter=64").good()
    said = "nothing checked" if digest == "none" else "2 segments intact"
    assert done.of["consoles"][0]["screen"].splitlines()[-1] == f"kexec: {said}, starting kernel"


def test_a_vmlinux_has_no_stub(pc, folder):
    vmlinux = folder / "vmlinux"
    vmlinux.write_bytes(images.unpacked(QUICK).data[:images.unpacked(QUICK).elf_len])
    done = rehearse(pc, vmlinux).good()
    assert done.names == ["plan", "purgatory", "entry", "segments"]


@pytest.mark.parametrize("bits, options", [(64, ["--args-elf"]), (64, ["--args-none"]),
                                           (32, ["--args-elf"])])
def test_other_programs(pc, folder, bits, options):
    image = folder / "image"
    image.write_bytes(test_multiboot.elf(b"", bits=bits))
    done = rehearse(pc, image, *options).good()
    assert done.names == ["plan", "purgatory", "entry", "segments"] and not done.of["kernel"]


@pytest.mark.parametrize("header", [test_multiboot.header_1(), test_multiboot.header_2(),
                                    test_multiboot.header_2(test_multiboot.tag(10, 0, 0x1000000, 0x7fffffff,
                                                                               0x1000, 2))],
                         ids=["1", "2", "2-moved"])
def test_multiboot_programs(pc, folder, header):
    """What they are told is read back from the sandbox's memory, as they would."""
    image, module = folder / "image", folder / "module"
    image.write_bytes(test_multiboot.elf(header))
    module.write_bytes(os.urandom(70001))
    done = rehearse(pc, image, "--append=a b", f"--module={module} c", f"--module={image}").good()
    assert done.names == ["plan", "purgatory", "entry", "segments", "handed", "program"]
    handed, program = done.of["stages"][-2:]
    assert re.search(r"\b8 memory ranges, command line, 2 modules\b", handed["text"])
    assert program["text"].startswith("4096 bytes ")
    assert not done.of["kernel"]


def test_a_multiboot_header_with_addresses(pc, folder):
    """No ELF header says where its bytes go."""
    at, flags = test_multiboot.LINK, 1 << 16
    image = folder / "image"
    image.write_bytes(struct.pack("<8I", test_multiboot.HEADER1, flags,
                                  -(test_multiboot.HEADER1 + flags) & 0xffffffff, at, at, 0,
                                  at + 0x9000, at + 0x20).ljust(0x1234, b"\x90"))
    done = rehearse(pc, image).good()
    assert done.names == ["plan", "purgatory", "entry", "segments", "handed"]


@pytest.mark.parametrize("name, options", [(QUICK, []), ("6.1-686-pae", ["--enter=32"])])
def test_from_a_32_bit_kernel(folder, name, options):
    """Purgatory makes its way into long mode first."""
    (folder / "machine").mkdir()
    host = Machine(pc_map(2 * GIB), flags=FLAGS).write(folder / "machine")
    (folder / "machine/proc/sys/kernel/arch").write_text("i686\n")
    rehearse(host, images.path(name), *options).good()


@pytest.mark.parametrize("name, options", [
    (QUICK, ["--append=nokaslr"]), ("7-amd64", ["--subarch=xen"]), ("6.1-686-pae", [])])
def test_pvh(pc, folder, name, options):
    """The kernel inside is entered; the stub beside it says what that has to look like."""
    initrd = folder / "initrd"
    initrd.write_bytes(os.urandom(MIB + 5))
    done = rehearse(pc, images.path(name), "--enter=pvh", f"--initrd={initrd}", *options).good()
    assert done["entry_name"] == "pvh"
    assert done.names == PVH_STAGES + STUB_STAGES[-3:]
    file_len = sum(load.file_len for load in images.unpacked(name).loads)
    said = {s["name"]: s["text"] for s in done.of["stages"]}
    assert "8 memory ranges, command line, initrd, RSDP at 0" in said["handed"]
    assert said["program"].startswith(f"{file_len} bytes ")
    assert done.of["kernel"]["compared_len"] == file_len
    assert [c["of"] for c in done.of["consoles"]] == ["as loaded", "by its stub"]


def test_pvh_of_a_vmlinux(pc, folder):
    vmlinux = folder / "vmlinux"
    vmlinux.write_bytes(images.unpacked(QUICK).data[:images.unpacked(QUICK).elf_len])
    done = rehearse(pc, vmlinux, "--enter=pvh").good()
    assert done.names == PVH_STAGES and not done.of["kernel"]


def test_pvh_damaged(pc):
    """What is handed on is in segments that purgatory verifies."""
    for segment in "kernel+0x123456", "params+0":
        rehearse(pc, images.path(QUICK), "--enter=pvh", f"--flip={segment}").found(
            "purgatory", "rehearse/damaged")
        rehearse(pc, images.path(QUICK), "--enter=pvh", f"--flip={segment}", "--digest=none").found(
            "segments", "rehearse/segment-changed")


def test_text(pc):
    result = run("--dry-run", "--rehearse", pc, images.path(QUICK), limit=LIMIT).done()
    lines = result.out.decode().splitlines()
    for name in STUB_STAGES:
        assert any(re.match(rf"{name} +good +[0-9.]+ s  .", line) for line in lines), result
    assert lines[-1].startswith("verdict    good: ")


def test_nothing_is_loaded_whatever_else_is_asked(pc):
    """-l, -e and -f with --rehearse are a rehearsal."""
    for word in ("-l", "-e", "-f"):
        done = rehearse(pc, images.path(QUICK), word, "--digest=none") if word != "-e" else \
            rehearse(pc, images.path(QUICK), "-l", word)
        done.good()


# ---- damage ----

@pytest.mark.parametrize("segment, offset", [("kernel", 0x123456), ("params", 0x228),
                                             ("purgatory", 0x100)])
def test_damage_is_named_by_purgatory(pc, segment, offset):
    done = rehearse(pc, images.path(QUICK), f"--flip={segment}+{offset:#x}", "--console-serial")
    text = done.found("purgatory", "rehearse/damaged")
    assert f"segment {segment} is damaged" in text
    assert "resetting in 5 s" in done.serial()
    assert done.result.seconds < 20, "it waited"


def test_damage_that_purgatory_may_not_look_for(pc):
    done = rehearse(pc, images.path(QUICK), "--flip=kernel+0x123456", "--digest=none")
    done.found("segments", "rehearse/segment-changed")


def test_a_segment_that_is_none(pc):
    rehearse(pc, images.path(QUICK), "--flip=sector+1").found(
        "sandbox", "rehearse/nothing-to-flip", UNKNOWN)


@pytest.mark.parametrize("name, length", [(XZ, 1), (XZ, 4096), (QUICK, 4096)])
def test_a_damaged_payload(pc, folder, name, length):
    """The stub says that it is, and halts. One flipped bit is no damage to an lz4 stub."""
    image = images.bare(name)
    at = image.payload_end - len(image.payload) // 2
    where = folder / "damaged"
    new = bytes([image[at] ^ 1]) if length == 1 else bytes(length)
    where.write_bytes(image.patched(at, new))
    done = rehearse(pc, where, "--enter=64", "--append=console=ttyS0 earlyprintk=serial nokaslr")
    text = done.found("stub", "rehearse/halted")
    assert "System halted" in text and "System halted" in done.serial()


def test_too_small_a_window(pc, folder):
    image = images.bare(QUICK)
    where = folder / "small-window"
    out_len = int.from_bytes(image.payload[-4:], "little")
    init_size = (out_len + 4096) // 4096 * 4096
    assert image.at(images.INIT_SIZE) - init_size > 256 << 10
    where.write_bytes(image.with_fields({images.INIT_SIZE: init_size}))
    done = rehearse(pc, where, "--enter=64", "--append=nokaslr")
    assert done.result.status == BAD, done.result


@pytest.mark.parametrize("name", [QUICK, XZ])
def test_a_window_that_the_kernel_does_not_fit_into(pc, folder, name):
    """8 MiB less is less than the kernel: that is seen before anything runs."""
    image = images.bare(name)
    where = folder / "small-window"
    where.write_bytes(image.with_fields({images.INIT_SIZE: image.at(images.INIT_SIZE) - 8 * MIB}))
    run("--dry-run", "--rehearse", pc, where, "--enter=64").failed("bzimage/init-size-below-payload")


def test_a_lower_alignment_does_no_harm(pc, folder):
    image = images.bare(QUICK)
    where = folder / "aligned"
    where.write_bytes(image.with_fields({images.KERNEL_ALIGNMENT: MIB, images.MIN_ALIGNMENT: 20}))
    done = rehearse(pc, where, "--enter=64", "--append=nokaslr", "--mem-max=1G").good()
    assert int(done.of["kernel"]["base"], 0) % (2 * MIB) == 0


def test_one_flipped_bit_that_nobody_can_see(pc, folder):
    """An lz4 payload has no checksum: stub and kexec agree on the same wrong kernel. The page says so."""
    image = images.bare(QUICK)
    at = image.payload_end - len(image.payload) // 2
    where = folder / "damaged"
    where.write_bytes(image.patched(at, bytes([image[at] ^ 1])))
    rehearse(pc, where, "--enter=64", "--append=nokaslr").good()
    page = pathlib.Path(__file__).parents[2] / "doc/rehearsal.md"
    assert "An lz4 or lzma payload has no checksum" in page.read_text()


# ---- stubs that do what they should not ----

def test_an_initrd_that_the_stub_overwrites(pc, folder):
    initrd = folder / "initrd"
    initrd.write_bytes(os.urandom(MIB))
    kernel = with_hook(folder, "mov 0x218(%rsi), %eax\nnotb 0x1234(%rax)")
    done = rehearse(pc, kernel, f"--initrd={initrd}", "--enter=64", "--mem-max=3G")
    text = [s for s in done.of["stages"] if s["name"] == "kept"][0]
    assert text["id"] == "rehearse/segment-changed" and "'initrd'" in text["text"]
    assert "1 of its" in text["text"] and "+0x1234" in text["text"]
    assert done.result.status == BAD


def test_the_hook_does_no_harm(pc, folder):
    rehearse(pc, with_hook(folder, "nop"), "--enter=64").good()


@pytest.mark.parametrize("text, name, status", [
    ("mov 0x228(%rsi), %eax\nnotb (%rax)", "rehearse/segment-changed", BAD),
    ("notb 0xff0(%rsi)", "rehearse/boot-params-changed", UNKNOWN),
], ids=["cmdline", "boot_params"])
def test_parameters_that_the_stub_overwrites(pc, folder, text, name, status):
    done = rehearse(pc, with_hook(folder, text), "--enter=64", "--mem-max=3G")
    kept, = [s for s in done.of["stages"] if s["name"] == "kept"]
    assert kept["id"] == name and done.result.status == status, done.result


@pytest.mark.parametrize("entry", ["auto", "pvh"])
@pytest.mark.parametrize("text, name", [
    ("mov 0x218(%rsi), %eax\nnotb 0x1234(%rax)", "rehearse/segment-changed"),
    ("mov 0x228(%rsi), %eax\nnotb (%rax)", "rehearse/segment-changed"),
    ("notb 0xff0(%rsi)", "rehearse/boot-params-changed"),
], ids=["initrd", "cmdline", "boot_params"])
def test_what_only_the_stub_overwrites(pc, folder, text, name, entry):
    """A plan that needs no stub is not bad for it; that its kernel is the stub's too is then not known."""
    initrd = folder / "initrd"
    initrd.write_bytes(os.urandom(MIB))
    done = rehearse(pc, with_hook(folder, text), f"--initrd={initrd}", f"--enter={entry}", "--mem-max=3G")
    kept, = [s for s in done.of["stages"] if s["name"] == "kept"]
    assert (kept["id"], kept["verdict"]) == (name, "unknown") and done.result.status == UNKNOWN, done.result


@pytest.mark.parametrize("entry", ["64", "auto", "pvh"])
def test_another_kernel_than_the_stubs(pc, folder, entry):
    """The stub changes a byte of what it is about to unpack: it is not known whose kernel is the right one."""
    image = images.bare(QUICK)
    at = image.payload_end - len(image.payload) // 2 - image.setup_len
    kernel = with_hook(folder, f"notb start + {at - HOOK_ROOM}(%rip)")
    done = rehearse(pc, kernel, f"--enter={entry}", "--append=nokaslr")
    assert "differs at +" in done.found("kernel", "rehearse/kernel-differs")


WILD = {
    "store": ("movabs $0x700000000000, %rax\nmov %rax, (%rax)", "rehearse/exception"),
    "load": ("mov 0xd0000000, %eax\n1: jmp 1b", "rehearse/exception"),
    "ud2": ("ud2", "rehearse/exception"),
    "int3": ("int3", "rehearse/exception"),
    "divide": ("xor %ecx, %ecx\ndiv %ecx", "rehearse/exception"),
    "jump": ("mov $0x5000000, %eax\njmp *%rax", "rehearse/wild-jump"),
    "jump-low": ("xor %eax, %eax\njmp *%rax", "rehearse/wild-jump"),
    "halt": ("cli\nhlt", "rehearse/halted"),
    "reset": ("mov $0xfe, %al\nout %al, $0x64\n1: jmp 1b", "rehearse/reset"),
    "ring-3": ("mov $0x33, %eax\nmov %eax, %ss\nhlt", "rehearse/exception"),
    "cr0": ("mov %cr0, %rax\nbtr $31, %rax\nmov %rax, %cr0\nhlt", "rehearse/exception"),
}


@pytest.mark.parametrize("what", WILD)
def test_wild(pc, folder, what):
    text, name = WILD[what]
    done = rehearse(pc, with_entry(folder, text), "--enter=64", "--console-serial")
    done.found("stub", name)
    if name == "rehearse/exception":
        assert "kexec: exception" in done.serial(), "purgatory's handler is still in charge"


@pytest.mark.parametrize("text", ["1: jmp 1b", "1: cli\njmp 1b"], ids=["loop", "loop-with-traps"])
def test_endless(pc, folder, text):
    start = time.monotonic()
    done = rehearse(pc, with_entry(folder, text), "--enter=64", "--time-limit=2")
    done.found("stub", "rehearse/endless")
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("text", ["rdpmc", "xsetbv", "lmsw %ax"])
def test_not_emulated_is_unknown(pc, folder, text):
    done = rehearse(pc, with_entry(folder, text), "--enter=64")
    done.found("stub", "rehearse/not-emulated", UNKNOWN)


# open(path, O_CREAT | O_WRONLY, 0666) would leave a file, kill(getppid()) would be seen.
HOSTILE = {
    "exit": "mov $60, %eax\nmov $7, %edi\nsyscall",
    "open": "lea path(%rip), %rdi\nmov $2, %eax\nmov $0x41, %esi\nmov $0x1b6, %edx\nsyscall\n"
            "path: .asciz \"PATH\"",
    "int80": "mov $1, %eax\nmov $7, %ebx\nint $0x80",
    "int80-open": "lea path(%rip), %rbx\nmov $5, %eax\nmov $0x41, %ecx\nmov $0x1b6, %edx\n"
                  "int $0x80\npath: .asciz \"PATH\"",
    "sysenter": "mov $1, %eax\nmov $7, %ebx\nxor %ebp, %ebp\nsysenter",
    "sysenter-with-a-stack": "lea path(%rip), %rbx\nmov $5, %eax\nmov $0x41, %ecx\n"
                             "mov $0x1b6, %edx\nmov %rsi, %rbp\nmov %rsi, %rsp\nsysenter\n"
                             "path: .asciz \"PATH\"",
    "kill": "mov $110, %eax\nsyscall\nmov %eax, %edi\nmov $9, %esi\nmov $62, %eax\nsyscall",
    "fork": "1: mov $57, %eax\nsyscall\njmp 1b",
    "our-page": "movabs $0x7e0000000000, %rcx\nmov $60, %eax\nmov $7, %edi\njmp *%rcx",
    "vsyscall": "mov $0xffffffffff600000, %rax\nxor %edi, %edi\ncall *%rax\nhlt",
    "fs-base": "xor %eax, %eax\nmov %eax, %fs\nmov %fs:0, %rax\nhlt",
    "alignment": "pushfq\norl $0x40000, (%rsp)\npopfq\nmov 1(%rsi), %eax\nhlt",
    "trap-flag": "pushfq\norl $0x100, (%rsp)\npopfq\nnop\nnop\nhlt",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_gets_out(pc, folder, what):
    path = folder / "got-out"
    folder.chmod(0o777)
    done = rehearse(pc, with_entry(folder, HOSTILE[what].replace("PATH", str(path))), "--enter=64",
                    "--mem-max=3G", "--time-limit=5")
    assert done.result.status in (BAD, UNKNOWN), done.result
    assert not path.exists()
    if what in ("exit", "open", "int80", "int80-open", "kill", "fork"):
        done.found("stub", "rehearse/system-call")


def test_nothing_gets_out_of_32_bit_code(pc, folder):
    image = images.bare(QUICK)
    where = folder / "hostile32"
    code = assemble(folder, ".code32\nmov $1, %eax\nmov $7, %ebx\nint $0x80")
    where.write_bytes(image.patched(image.setup_len, code))
    rehearse(pc, where, "--enter=32").found("stub", "rehearse/system-call")


# ---- what cannot be rehearsed ----

def test_real_mode(pc):
    done = run("--dry-run", "--rehearse", "--json", pc, images.path(QUICK), "--enter=16",
               "--append=edd=off")
    assert Rehearsal(done).found("sandbox", "rehearse/real-mode", UNKNOWN)


def test_entry_given(pc):
    entry = run("--dry-run", "--json", pc, images.path(QUICK), "--seed=1").done()
    entry = plans.Plan(entry.out)["jump"]["entry"]
    rehearse(pc, images.path(QUICK), f"--entry={entry}", "--seed=1").found(
        "sandbox", "rehearse/entry-given", UNKNOWN)


def test_no_tracing(pc, folder):
    """As in a container: who is traced itself may not be traced by its parent."""
    tracer = pathlib.Path(__file__).with_name("under_filter.py")
    result = run("--dry-run", "--rehearse", "--json", pc, images.path(QUICK),
                 between=("/usr/bin/python3", str(tracer), "ptrace"), limit=LIMIT)
    Rehearsal(result).found("sandbox", "rehearse/no-ptrace", UNKNOWN)
    result = run("--dry-run", "--rehearse", "--json", pc, images.path(QUICK),
                 between=("/usr/bin/python3", str(tracer), "memfd_create"), limit=LIMIT)
    Rehearsal(result).found("sandbox", "rehearse/no-memfd", UNKNOWN)


def test_little_address_space(pc):
    result = run("--dry-run", "--rehearse", "--json", pc, images.path(QUICK),
                 between=("prlimit", f"--as={4 * GIB}"), limit=LIMIT)
    Rehearsal(result).found("sandbox", "rehearse/no-address-space", UNKNOWN)


def test_memory_beyond_what_can_be_mapped(folder):
    (folder / "machine").mkdir()
    host = Machine(pc_map(90 * TIB)).write(folder / "machine")
    result = run("--dry-run", "--rehearse", "--json", host, images.path(QUICK), "--mem-max=1T",
                 limit=LIMIT)
    assert b"[rehearse/memory-cut]" in result.err
    assert Rehearsal(result).of["stages"][1]["verdict"] == "good"


def test_options(pc):
    plans.of(pc, images.path(QUICK), "--flip=kernel", warns="options/no-effect")
    run("--dry-run", "--rehearse", "--time-limit=0", pc, "x").failed("options/bad-value", status=1)
    run("--dry-run", "--rehearse", "--flip=+1", pc, "x").failed("options/bad-value", status=1)


def test_a_truncated_image(pc, folder):
    """Its last 64 KiB are the stub's own code. What the header says of them keeps it from being planned; when
    that is made to fit, the stub finds no descriptors for its first far jump, and purgatory says so."""
    image = images.bare(QUICK)
    where = folder / "short"
    short = images.Image(image[:-(64 << 10)])
    where.write_bytes(short)
    run("--dry-run", "--rehearse", pc, where, "--enter=64").failed("bzimage/kernel-truncated")
    where.write_bytes(short.with_fields({images.SYSSIZE: len(short.kernel) // 16,
                                         images.KERNEL_INFO_OFFSET: 0}))
    rehearse(pc, where, "--enter=64").found("stub", "rehearse/exception")


# ---- in a virtual machine: what needs none; tests/vm/test_rehearse_vm.py has the rest ----

def test_vm_without_qemu(pc, small, tmp_path):
    """No QEMU is no verdict, and says what to install."""
    (tmp_path / "setpriv").symlink_to(shutil.which("setpriv"))
    done = run("--dry-run", "--rehearse=vm", "--json", pc, small,
               env={**os.environ, "PATH": str(tmp_path)})
    assert done.status == UNKNOWN, done
    last = plans.parse(done.out)["rehearsal"]["stages"][-1]
    assert (last["name"], last["id"]) == ("machine", "rehearse/vm-no-qemu")
    assert "qemu-system-x86" in last["advice"]


def test_vm_that_fails(pc, small, tmp_path):
    """What QEMU says when it does not start is passed on; nothing of it stays behind."""
    for name in ("bin", "temp"):
        (tmp_path / name).mkdir()
    program = tmp_path / "bin" / "qemu-system-x86_64"
    program.write_text("#!/bin/sh\necho no such machine >&2\nexit 1\n")
    program.chmod(0o755)
    done = run("--dry-run", "--rehearse=vm", "--json", pc, small,
               env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                    "TMPDIR": str(tmp_path / "temp")})
    assert done.status == UNKNOWN, done
    last = plans.parse(done.out)["rehearsal"]["stages"][-1]
    assert (last["name"], last["id"]) == ("machine", "rehearse/qemu-failed")
    assert "no such machine" in last["text"]
    assert not any((tmp_path / "temp").iterdir())


def test_vm_is_the_only_word(pc, small):
    run("--dry-run", pc, small, "--rehearse=host").failed("options/bad-value", 1)
