# SPDX-License-Identifier: GPL-2.0-or-later
"""Random command lines: a status, a reason, no signal, no waiting."""

import os
import random

import pytest

import images
from kexec_run import run

QUICK = 20  # seconds

WORDS = [
    "-l", "-e", "-f", "-u", "-p", "-S", "-d", "-h", "-v", "-a", "-c", "-s", "-i", "-x", "-y", "-t",
    "-?", "-", "--", "---", "-=", "--=", "", " ", "-le", "-lpu", "-tbzImage", "-dS", "-pu", "-fl",
    "--load", "--exec", "--force", "--unload", "--status", "--load-panic", "--print-ckr-size",
    "--help", "--version", "--append", "--append=", "--append=a b", "--command-line=x",
    "--reuse-cmdline", "--initrd", "--initrd=", "--initrd=/dev/null", "--ramdisk=/nonexistent",
    "--type", "--type=bzImage", "--noefi", "--args-linux", "--mem-min", "--mem-min=16M",
    "--mem-max=4G", "--mem-max=0", "--mem-min=0xffffffffffffffff", "--enter=32", "--enter=64",
    "--enter=auto", "--enter=direct", "--enter", "--digest=crc32c", "--digest=sha256",
    "--digest=none", "--digest", "--dig=x", "--initrd-unpack=yes", "--initrd-unpack=no",
    "--initrd-unpack=auto", "--initrd-unpack", "--append=nokaslr", "--append=mem=1G",
    "--entry-32bit", "--enter=16", "--enter=pvh", "--subarch=xen", "--subarch=9",
    "--subarch", "--subarch-data=1G", "--console-serial", "--console-vga",
    "--serial=ttyS1", "--serial=0x3f8", "--serial", "--serial-baud=115200", "--serial-baud=0",
    "--quiet", "--on-failure=halt", "--on-failure", "--no-checks", "--kexec-syscall-auto",
    "--kexec-file-syscall", "--kexec-syscall", "--no-cma", "--force-dtb", "--no-ifdown",
    "--no-sync", "--dry-run", "--inspect", "--export=elf", "-o", "--base=1", "--payload=elf",
    "--map", "--json", "--debug", "--host-root=/nonexistent",
    "--rehearse", "--time-limit=5", "--time-limit", "--flip=kernel+1", "--flip",
    "--host-root", "--seed=1", "--seed", "--entry=0x100000", "--module=x", "--dtb=x",
    "--real-mode", "--hotplug", "--backup=yes", "--backup", "--backup=x", "--reload", "--elf32-core-headers",
    "--pass-memmap-cmdline", "--args-elf", "--re", "--reuse", "--a", "--ap", "--m", "--lo",
    "--s", "--n", "--no", "--d", "--x=y", "--nonsense", "TEXT", "EMPTY", "FOLDER", "/nonexistent",
    "/dev/null", "HOST", "\x1b[31m", "%s%n%p", "--%n", "-%s", "--append=%s%n", "--\u00e4",
    "--append=" + "x" * 5000, "x" * 5000, "--seed=" + "f" * 64, "--mem-min=" + "9" * 400,
]


@pytest.mark.parametrize("seed", range(12))
def test_random_words(folder, pc, seed):
    chance = random.Random(seed)
    (folder / "text").write_text("no kernel at all\n" * 100)
    (folder / "empty").touch()
    names = {"TEXT": folder / "text", "EMPTY": folder / "empty", "FOLDER": folder, "HOST": pc}
    seen = set()
    for _ in range(250):
        words = [names.get(word, word) for word in
                 chance.choices(WORDS, k=chance.choice((0, 1, 2, 2, 3, 3, 4, 6, 10, 30)))]
        if chance.random() < 0.2:
            words = [mangle(chance, str(word)) for word in words]
        result = run("--dry-run", *words, limit=QUICK)
        seen.add(result.status)
        assert result.status in (0, 1, 255), result
        is_question = not result.err and (result.out or result.status == 255)
        if is_question:  # --help, --version, --print-ckr-size, -S that has no answer
            continue
        assert len(result.reasons(has_notes=True)) == (result.status != 0), result
        assert not result.out or result.out.startswith(b"{"), result
    assert seen == {0, 1, 255}


def mangle(chance, word):
    """Cut, doubled, or with one character changed; never a NUL, which argv cannot have."""
    if not word:
        return word
    at = chance.randrange(len(word))
    return chance.choice((word[:at], word[at:], word + word, word[:at] + chr(chance.randrange(
        1, 256)) + word[at + 1:]))


def test_very_many_words(pc):
    run("--dry-run", pc, *["x"] * 20000, limit=QUICK).failed("file/open")
    run("--dry-run", pc, *["--initrd=x"] * 20000, limit=QUICK).failed("options/no-kernel")
    run("--dry-run", pc, "-" + "d" * 100000, limit=QUICK).failed("options/no-kernel")


def test_posixly_correct(pc):
    """It does not end the options at the kernel."""
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "POSIXLY_CORRECT": "1"}
    run("--dry-run", pc, images.path("6.1-cloud"), "--append=x", "--nonsense", env=env).failed(
        "options/unknown", 1)


@pytest.mark.parametrize("words, said", [
    (("--time-limit=5",), "--time-limit has no effect without --rehearse"),
    (("--flip=kernel+1",), "--flip has no effect without --rehearse"),
    (("--time-limit=5", "--flip=kernel+1"), "--time-limit and --flip have no effect without --rehearse"),
    (("-x",), "-x has no effect, as there is no jump now"),
    (("-y",), "-y has no effect, as there is no jump now"),
    (("-x", "-y"), "-x and -y have no effect, as there is no jump now"),
])
def test_only_what_was_given_is_named(pc, small, words, said):
    result = run("--dry-run", pc, "-l", small, *words)
    assert result.status == 0 and result.err == f"kexec: warning: {said} [options/no-effect]\n".encode(), result
