# SPDX-License-Identifier: GPL-2.0-or-later
"""Unified kernel images: what is in them is what is planned, and what is broken has a name."""

import errno
import gzip
import hashlib
import itertools
import random
import shutil

import pytest

import images
import pe
import plans
from kexec_run import NOBODY, run
from machines import GIB, MIB, Machine, pc as pc_map
from test_refusals import MISSING, load

PAGE = 4096


@pytest.fixture
def make(folder):
    """Writes an image of sections, with a small kernel unless they have one, and returns its path."""
    def write(sections=(), name="image.efi", **options):
        sections = list(sections.items() if isinstance(sections, dict) else sections)
        if ".linux" not in dict(sections):
            sections = [(".linux", images.small()), *sections]
        return write_file(folder / name, pe.image(sections, **options))
    return write


def write_file(where, data):
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(data)
    return where


def plan_of(pc, image, *words, kernel=None, warns=None):
    result = run("--dry-run", "--json", pc, image, "--initrd-unpack=no", *words)
    assert result.status == 0 and result.reasons() == [], result
    if not warns:
        result.done()
    else:
        assert result.err.count(b"\n") == 1 and f" [{warns}]\n".encode() in result.err, result
    plan = plans.Plan(result.out)
    plan.check(images.Image(kernel or images.small()))
    return plan


def joined(*parts):
    """(data, how far into its page it is in its file) as kexec lays them side by side."""
    out = bytearray()
    for data, off in parts:
        out += bytes(-len(out) % PAGE) + bytes(off % PAGE if off % 4 == 0 else 0) + data
    first = parts[0][1] % PAGE if parts[0][1] % 4 == 0 else 0
    return bytes(out[first:])


def assert_initrd(plan, data, n_files):
    segment = plan.segment("initrd")
    assert segment["sha256"] == hashlib.sha256(data).hexdigest()
    assert plan["initrd"] == {"files": n_files, "len": len(data)}


def noise(length, seed=1):
    return random.Random(seed).randbytes(length)


# ------------------------------------------------------------------------------------ what is in it


def test_kernel_alone(pc, make):
    plan = plan_of(pc, make())
    assert plan["type_text"] == "bzImage in uki"
    assert plan["cmdline"] == "" and plan["initrd"] == {"files": 0, "len": 0}
    assert plan["uki"] == {"os": None, "uname": None, "signed": False, "profile": 0,
                           "profiles": [], "cmdline": None, "initrds": [], "addons": []}


def test_no_uki(pc, small):
    assert plans.of(pc, small)["uki"] is None


def test_the_same_as_its_parts(folder, pc, make):
    """An image is planned as its parts are that are given one by one."""
    initrd = noise(5001)
    image = make({".initrd": initrd, ".cmdline": b"root=/dev/vda1 \"two words\"\n\0"})
    apart = plans.of(pc, write_file(folder / "vmlinuz", images.small()), "--initrd-unpack=no",
                     f"--initrd={write_file(folder / 'initrd', initrd)}", "--seed=1",
                     '--append=root=/dev/vda1 "two words"')
    together = plan_of(pc, image, "--seed=1")
    assert together["segments"] == apart["segments"]
    assert together["cmdline"] == apart["cmdline"]


def test_report(pc, make):
    image = make({".initrd": noise(8192), ".ucode": noise(512), ".uname": b"6.1.0-x",
                  ".osrel": b'NAME=x\nPRETTY_NAME="An \\"OS\\" 1"\n'})
    image.write_bytes(pe.sign(image.read_bytes()))
    out = run("--dry-run", pc, image).out.decode()
    assert 'uki         An "OS" 1, 6.1.0-x, signed as a whole\n' in out
    assert "profile     @0, the only one\n" in out
    assert "initrds     .ucode 512 B, .initrd 8 KiB\n" in out
    assert plan_of(pc, image)["uki"]["signed"]


@pytest.mark.parametrize("wrap", [gzip.compress, lambda data: data])
def test_wrapped_in_each_other(folder, pc, make, wrap):
    """The kernel in it may be compressed, and the whole may be."""
    image = make({".linux": wrap(images.small()), ".initrd": noise(3000), ".ucode": noise(100, 2)})
    data = image.read_bytes()
    ucode, initrd = noise(100, 2), noise(3000)
    inside = "bzImage in gzip" if wrap is gzip.compress else "bzImage"
    plan = plan_of(pc, image)
    assert plan["type_text"] == f"{inside} in uki"
    assert_initrd(plan, joined((ucode, data.index(ucode)), (initrd, data.index(initrd))), 2)
    # What came out of memory is copied: there is nothing before it in its page.
    plan = plan_of(pc, write_file(folder / "image.efi.gz", gzip.compress(data, 1)))
    assert plan["type_text"] == f"{inside} in uki in gzip"
    assert_initrd(plan, joined((ucode, 0), (initrd, 0)), 2)


# -------------------------------------------------------------------------------------- the initrds


@pytest.mark.parametrize("shift", [0, 4, 1, 2047])
def test_one_part_is_what_the_file_has(pc, make, shift):
    plan = plan_of(pc, make({".initrd": noise(10000)}, shift=shift))
    assert_initrd(plan, noise(10000), 1)


LENGTHS = (16, 511, 512, 4095, 4096, 4097, 10001)


@pytest.mark.parametrize("shift", [0, 4, 3])
@pytest.mark.parametrize("lengths", itertools.permutations(LENGTHS, 2))
def test_microcode_first(folder, pc, make, lengths, shift):
    """Whatever the order of the sections; nothing else of the file gets in between."""
    ucode, initrd = noise(lengths[0], 1), noise(lengths[1], 2)
    image = make([(".text", b"x" * 700), (".initrd", initrd), (".cmdline", b"y" * 100),
                  (".ucode", ucode), (".data", b"z" * 600)], shift=shift)
    data = image.read_bytes()
    assert_initrd(plan_of(pc, image), joined((ucode, data.index(ucode)),
                                             (initrd, data.index(initrd))), 2)


def test_nothing_is_copied(folder, pc, make):
    """64 MiB of initrds, in a process that may have 16 MiB of memory of its own."""
    image = make({".initrd": bytes(32 * MIB), ".ucode": noise(512)})
    more = write_file(folder / "more", bytes(32 * MIB))
    words = ("--dry-run", pc, image, f"--initrd={more}", "--initrd-unpack=no", "--enter=64")
    limit = ("prlimit", f"--data={16 * MIB}")
    run(*words, between=limit).done()
    # The limit is one: what came out of a compressed image is in memory.
    packed = write_file(folder / "image.efi.gz", gzip.compress(image.read_bytes(), 1))
    run(*words[:2], packed, *words[3:], between=limit).failed("memory/exhausted")


def test_files_come_last(folder, pc, make):
    image = make({".initrd": noise(3000), ".ucode": noise(700, 2)})
    data = image.read_bytes()
    more = [write_file(folder / f"more{i}", noise(5000 + i, i)) for i in (3, 4)]
    plan = plan_of(pc, image, *(f"--initrd={path}" for path in more))
    assert_initrd(plan, joined((noise(700, 2), data.index(noise(700, 2))),
                               (noise(3000), data.index(noise(3000))),
                               (noise(5003, 3), 0), (noise(5004, 4), 0)), 4)
    assert "then 2 of --initrd" in run("--dry-run", pc, image,
                                       *(f"--initrd={path}" for path in more)).out.decode()


def test_parts_are_unpacked_ahead(folder, pc, make):
    """What a part is surrounded by does not stop it from being unpacked."""
    from test_initrd import EARLY, OTHER, SMALL  # noqa: PLC0415

    image = make({".initrd": gzip.compress(SMALL), ".ucode": EARLY})
    more = write_file(folder / "more", OTHER)
    result = run("--dry-run", "--json", pc, image, "--initrd-unpack=yes", f"--initrd={more}")
    plan = plans.Plan(result.done().out)
    assert "load/initrd-unpacked" in plan.notes
    assert plan.segment("initrd")["len"] >= len(EARLY + SMALL + OTHER)


# ------------------------------------------------------------------------------- the command line


@pytest.mark.parametrize("words, expected, notes", [
    ((), "of=image", ()),
    (("--image-cmdline",), "of=image", ()),
    (("--append=a b",), "a b", ("cmdline/image-replaced",)),
    (("--append=",), "", ("cmdline/image-replaced",)),
    (("--image-cmdline", "--append=a b"), "of=image a b", ()),
    (("--reuse-cmdline",), "root=/dev/vda1 quiet", ()),
    (("--reuse-cmdline", "--append=a"), "root=/dev/vda1 quiet a", ()),
])
def test_command_line(pc, make, words, expected, notes):
    plan = plan_of(pc, make({".cmdline": b" of=image\n\0junk"}), *words)
    assert plan["cmdline"] == expected
    assert plan["uki"]["cmdline"] == "of=image"
    assert tuple(note for note in plan.notes if note.startswith("cmdline/")) == notes


def test_command_line_with_dashes(pc, make):
    plan = plan_of(pc, make({".cmdline": b"a -- b"}), "--image-cmdline", "--append=c")
    assert plan["cmdline"] == "a -- b c" and "cmdline/append-after-dashes" in plan.notes


def test_control_character_in_it(pc, make):
    run("--dry-run", pc, make({".cmdline": b"a \x1b[2J b"})).failed(
        "cmdline/control-character", says=("image's command line", "0x1b"))


def test_two_beginnings(pc, make):
    run("--dry-run", pc, make(), "--image-cmdline", "--reuse-cmdline").failed(
        "options/conflict", status=1)


def test_image_cmdline_without_an_image(pc, small):
    run("--dry-run", pc, small, "--image-cmdline").failed("cmdline/no-image")


# --------------------------------------------------------------------------------------- profiles

PROFILES = [(".cmdline", b"base"), (".initrd", noise(600)),
            (".profile", b"ID=main\nTITLE='The usual'\n"),
            (".profile", b"ID=rescue\n"), (".cmdline", b"rescue"), (".ucode", noise(512, 2)),
            (".profile", b""), (".cmdline", b"third"), (".initrd", noise(700, 3))]


@pytest.mark.parametrize("which, number, line, sections", [
    (None, 0, "base", [".initrd"]), ("0", 0, "base", [".initrd"]), ("@0", 0, "base", [".initrd"]),
    ("main", 0, "base", [".initrd"]), ("1", 1, "rescue", [".ucode", ".initrd"]),
    ("rescue", 1, "rescue", [".ucode", ".initrd"]), ("@2", 2, "third", [".initrd"]),
])
def test_profile(pc, make, which, number, line, sections):
    plan = plan_of(pc, make(PROFILES), *([f"--profile={which}"] if which else []))
    assert plan["cmdline"] == line and plan["uki"]["profile"] == number
    assert [part["section"] for part in plan["uki"]["initrds"]] == sections
    assert plan["uki"]["initrds"][-1]["len"] == (700 if number == 2 else 600)
    assert plan["uki"]["profiles"] == [{"id": "main", "title": "The usual"},
                                       {"id": "rescue", "title": None},
                                       {"id": None, "title": None}]


def test_profiles_in_words(pc, make):
    out = run("--dry-run", pc, make(PROFILES), "--profile=rescue").out.decode()
    assert "profile     @1 of @0 (main: The usual), @1 (rescue), @2\n" in out


@pytest.mark.parametrize("which", ["3", "rescu", "@", "-1", "RESCUE"])
def test_no_such_profile(pc, make, which):
    run("--dry-run", pc, make(PROFILES), f"--profile={which}").failed(
        "uki/no-such-profile", says=(which, "@0 (main), @1 (rescue), @2"))


def test_no_profiles(pc, make):
    assert plan_of(pc, make(), "--profile=0")["uki"]["profile"] == 0
    run("--dry-run", pc, make(), "--profile=1").failed("uki/no-such-profile")


def test_profile_with_its_own_kernel(pc, make):
    length = images.small().at(images.INIT_SIZE) + PAGE
    other = images.small().with_fields({images.INIT_SIZE: length})
    image = make([(".linux", images.small()), (".profile", b"ID=a\n"), (".profile", b"ID=b\n"), (".linux", other)])
    assert plan_of(pc, image, "--profile=b", kernel=other).segment("kernel")["reserve_len"] == \
        plan_of(pc, image).segment("kernel")["reserve_len"] + PAGE


# ----------------------------------------------------------------------------------------- addons


def addon(where, **sections):
    machine = sections.pop("machine", pe.X86_64)
    return write_file(where, pe.image({f".{name}": data for name, data in sections.items()},
                                      machine=machine))


def test_addons(folder, pc, make):
    """Those in the folder by name, then those asked for as given; of microcode the last is first."""
    image = make({".cmdline": b"image", ".initrd": noise(600), ".ucode": noise(601, 1)})
    beside = folder / "image.efi.extra.d"
    addon(beside / "b.addon.efi", cmdline=b"b", initrd=noise(602, 2), ucode=noise(603, 3))
    addon(beside / "a.ADDON.EFI", cmdline=b"a", initrd=noise(604, 4))
    addon(beside / "ignored.efi", cmdline=b"ignored")
    addon(beside / ".hidden.addon.efi", cmdline=b"ignored")
    asked = addon(folder / "z", cmdline=b"z", ucode=noise(605, 5))
    also = addon(folder / "y", cmdline=b"y")
    plan = plan_of(pc, image, f"--addon={asked}", f"--addon={also}")
    assert plan["cmdline"] == "image a b z y"
    assert plan["uki"]["addons"] == ["a.ADDON.EFI", "b.addon.efi", "z", "y"]
    assert [(part["section"], part["addon"], part["len"]) for part in plan["uki"]["initrds"]] == [
        (".ucode", "z", 605), (".ucode", "b.addon.efi", 603), (".ucode", None, 601),
        (".initrd", None, 600), (".initrd", "a.ADDON.EFI", 604), (".initrd", "b.addon.efi", 602)]
    parts = [(noise(605, 5), asked), (noise(603, 3), beside / "b.addon.efi"), (noise(601, 1), image),
             (noise(600), image), (noise(604, 4), beside / "a.ADDON.EFI"),
             (noise(602, 2), beside / "b.addon.efi")]
    assert_initrd(plan, joined(*((data, path.read_bytes().index(data)) for data, path in parts)), 6)
    plan = plan_of(pc, image, "--no-addons", f"--addon={asked}")
    assert plan["cmdline"] == "image z" and plan["uki"]["addons"] == ["z"]
    # Words beside the image belong to the image's; those that were asked for count in any case.
    assert plan_of(pc, image, f"--addon={asked}", "--append=x")["cmdline"] == "z x"
    assert plan_of(pc, image, f"--addon={asked}", "--reuse-cmdline")["cmdline"] == \
        "root=/dev/vda1 quiet z"
    assert plan_of(pc, image, "--image-cmdline", "--append=x")["cmdline"] == "image a b x"


@pytest.mark.parametrize("name, beside", [
    ("image+3.efi", "image.efi.extra.d"), ("image+3-1.efi", "image.efi.extra.d"),
    ("image+.efi", "image+.efi.extra.d"), ("image-1.efi", "image-1.efi.extra.d"),
    ("image+3-.efi", "image+3-.efi.extra.d"), ("image", "image.extra.d"),
    ("a+1-2+3.EFI", "a+1-2.EFI.extra.d"),
])
def test_folder_of_addons(folder, pc, make, name, beside):
    """Boot counters are no part of its name."""
    addon(folder / beside / "x.addon.efi", cmdline=b"found")
    assert plan_of(pc, make(name=name))["cmdline"] == "found"


BAD_ADDONS = {
    "uki/addon-has-kernel": {"linux": b"x", "cmdline": b"x"},
    "uki/addon-empty": {"text": b"x"},
    "uki/addon-uname": {"uname": b"6.1.0-y", "cmdline": b"x"},
    "uki/addon-machine": {"machine": pe.ARM64, "cmdline": b"x"},
}


@pytest.mark.parametrize("reason", BAD_ADDONS)
def test_addon_that_does_not_fit(folder, pc, make, reason):
    """Refused when asked for; left out when it merely lies there, and that is said."""
    image = make({".cmdline": b"image", ".uname": b"6.1.0-x"})
    asked = addon(folder / "asked", **BAD_ADDONS[reason])
    run("--dry-run", pc, image, f"--addon={asked}").failed(reason, says=("asked",))
    addon(folder / "image.efi.extra.d/x.addon.efi", **BAD_ADDONS[reason])
    plan = plan_of(pc, image, warns=None if reason == "uki/addon-machine" else reason)
    assert plan["cmdline"] == "image" and reason in plan.notes and plan["uki"]["addons"] == []


def test_addon_for_this_kernel(folder, pc, make):
    asked = addon(folder / "asked", uname=b"6.1.0-x\n", cmdline=b"x")
    assert plan_of(pc, make({".uname": b"6.1.0-x"}), f"--addon={asked}")["cmdline"] == "x"
    assert plan_of(pc, make(), f"--addon={asked}")["cmdline"] == "x"


def test_broken_addon(folder, pc, make):
    broken = addon(folder / "asked", cmdline=b"x")
    broken.write_bytes(broken.read_bytes()[:512])
    run("--dry-run", pc, make(), f"--addon={broken}").failed("uki/addon-broken",
                                                            says=("pe/section-outside", ".cmdline"))
    write_file(folder / "image.efi.extra.d/x.addon.efi", b"no PE file")
    assert plan_of(pc, make(), warns="uki/addon-broken")["uki"]["addons"] == []


def test_missing_addon(folder, pc, make):
    run("--dry-run", pc, make(), f"--addon={folder / 'nothing'}").failed("file/open")
    (folder / "image.efi.extra.d").mkdir()
    (folder / "image.efi.extra.d/x.addon.efi").symlink_to("nowhere")
    plan_of(pc, make(), warns="file/open")


def test_unreadable_folder(folder, pc, make):
    image = make()
    addon(folder / "image.efi.extra.d/x.addon.efi", cmdline=b"x")
    (folder / "image.efi.extra.d").chmod(0)
    result = run("--dry-run", pc, image, user=NOBODY)
    (folder / "image.efi.extra.d").chmod(0o755)
    assert result.status == 0 and b"[addons/unreadable]" in result.err


def test_a_folder_that_is_read_in_part(folder, pc, make):
    """What is left of it is not taken for all that there is."""
    image, log = make(), folder / "log"
    addon(folder / "image.efi.extra.d/x.addon.efi", cmdline=b"x")
    strace = (shutil.which("strace"), "-f", "-y", "-o", str(log), "-e", "trace=getdents64")
    run("--dry-run", pc, image, between=strace).done()
    calls = log.read_text().splitlines()
    found = [n for n, line in enumerate(calls, 1) if ".extra.d>" in line]
    assert len(found) == 2, calls
    for n in found:
        result = run("--dry-run", pc, image, between=(*strace, "-e", f"inject=getdents64:error=EIO:when={n}"))
        assert result.status == 0 and b"[addons/unreadable]" in result.err, result


def test_what_only_the_stub_hands_on(folder, pc, make):
    for name in "x.cred", "y.sysext.raw":
        write_file(folder / "image.efi.extra.d" / name, b"x")
    plan_of(pc, make(), warns="addons/others-left-out")


@pytest.mark.parametrize("option", ["--profile=0", "--addon=addon"])
def test_options_on_something_else(folder, pc, small, option):
    addon(folder / "addon", cmdline=b"x")
    run("--dry-run", pc, small, option, cwd=folder).failed(
        "load/no-uki", says=(option.partition("=")[0],))


def test_addons_beside_something_else(folder, pc, small):
    addon(folder / "small.extra.d/x.addon.efi", cmdline=b"x")
    plan = plans.of(pc, small)
    assert plan["cmdline"] == "" and "load/addons-unused" in plan.notes


# ------------------------------------------------------------------------------- handing it over


@pytest.mark.parametrize("number, expected", [
    (errno.EKEYREJECTED, "kernel/signature"), (errno.ENODATA, "kernel/signature"),
    (errno.EACCES, "kernel/access")])
def test_refused_for_its_signature(make, number, expected):
    """The signature that people see is the one around the kernel: that it does not count is said."""
    image = make({".cmdline": b"x"})
    image.write_bytes(pe.sign(image.read_bytes()))
    refused = load(image, "-s", kexec_load=MISSING, kexec_file_load=number)
    refused.failed(expected, says=("inside the uki", "does not count"))
    assert b"sign the kernel itself" in refused.err


@pytest.mark.parametrize("sections", [{}, {".initrd": noise(5000)},
                                      {".initrd": noise(5000), ".ucode": noise(600)}])
@pytest.mark.parametrize("n_files", [0, 1, 2])
def test_as_far_as_the_call(folder, make, sections, n_files):
    """No reason of ours before the running kernel is asked, whichever call it is."""
    files = [f"--initrd={write_file(folder / f'part{i}', noise(100, i))}" for i in range(n_files)]
    for call in "-s", "-c", "-a":
        load(make(sections), call, *files).failed("kernel/no-capability")


def test_for_a_panic(folder, make):
    """Its command line loses what would take memory away from the capture kernel."""
    machine = Machine(pc_map(2 * GIB), crash_kernel=(GIB, GIB + 256 * MIB)).write(folder / "host")
    image = make({".cmdline": b"image crashkernel=256M quiet", ".initrd": noise(5000)})
    plan = plans.Plan(run("--dry-run", "--json", machine, "-p", image).done().out)
    header, _, line = plan["cmdline"].partition(" ")
    assert header.startswith("elfcorehdr=") and line == "image quiet"
    assert plan["type_text"] == "bzImage in uki"


# ------------------------------------------------------------------------------- what is no image


def test_addon_as_a_kernel(folder, pc):
    where = addon(folder / "x.addon.efi", cmdline=b"x")
    run("--dry-run", pc, where).failed("uki/is-addon", says=("x.addon.efi",))


def test_program(folder, pc):
    where = write_file(folder / "boot.efi", pe.image({".text": b"code"}))
    run("--dry-run", pc, where).failed("uki/no-kernel", says=("boot.efi",))


@pytest.mark.parametrize("machine, name", [(pe.ARM64, "arm64"), (0x5064, "0x5064")])
def test_other_machine(pc, make, machine, name):
    run("--dry-run", pc, make(machine=machine)).failed("uki/machine", says=(name,))


def test_32_bit_stub(pc, make):
    """Firmware of 32 bits starts a 64-bit kernel through such a stub."""
    assert plan_of(pc, make(machine=pe.I386))["type_text"] == "bzImage in uki"


def test_image_in_an_image(pc, make):
    inner = pe.image({".linux": images.small()})
    run("--dry-run", pc, make({".linux": inner})).failed("uki/nested")


def test_what_is_inside_is_no_kernel(pc, make):
    run("--dry-run", pc, make({".linux": b"no kernel" * 100})).failed(
        "probe/unknown-content", says=("uki",))


def test_device_tree(pc, make):
    assert "uki/device-tree" in plan_of(pc, make({".dtb": b"\xd0\x0d\xfe\xed"})).notes


def test_two_of_a_kind(pc, make):
    plan = plan_of(pc, make([(".cmdline", b"first"), (".cmdline", b"second")]))
    assert plan["cmdline"] == "first" and "uki/duplicate-section" in plan.notes


@pytest.mark.parametrize("type_name, works", [
    ("uki", True), ("bzImage", True), ("multiboot", False), ("xz", False)])
def test_type(pc, make, type_name, works):
    result = run("--dry-run", "--json", pc, make(), f"--type={type_name}")
    assert (result.status == 0) == works, result


def test_type_of_something_else(pc, small):
    run("--dry-run", pc, small, "--type=uki").failed("probe/not-in-container", says=("uki",))


def test_every_truncation(folder, pc, make):
    data = make({".cmdline": b"x", ".initrd": noise(3000)}).read_bytes()
    where = folder / "cut"
    for length in (*range(2, 0x1f0, 37), 0x400, 0x1000, len(data) - 3000, len(data) - 600):
        where.write_bytes(data[:length])
        result = run("--dry-run", pc, where)
        assert result.status == 255 and len(result.reasons()) == 1, (length, result)


@pytest.mark.parametrize("seed", range(4))
def test_bent(folder, pc, make, seed):
    """Wrong bits in headers and section table: a plan, or a reason."""
    chance = random.Random(seed)
    whole = make(PROFILES).read_bytes()
    where = folder / "bent"
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(0x3c, 0x300)
            data[at] = chance.choice((0, 0xff, data[at] ^ 1 << chance.randrange(8)))
        where.write_bytes(data)
        result = run("--dry-run", "--json", pc, where, "--initrd-unpack=no")
        assert result.status in (0, 255) and \
            len(result.reasons()) == (result.status == 255), result
