# SPDX-License-Identifier: GPL-2.0-or-later
"""No option is ignored in silence: with each kind of image it changes the plan, or something is said."""

import json

import pytest

import images
import test_completion
import test_multiboot
import test_uki
from kexec_run import run
from machines import GIB, MIB, Machine, pc as pc_map

VALUES = {
    "append": "x", "command-line": "x", "initrd": "{file}", "ramdisk": "{file}", "dtb": "{tree}",
    "module": "{file}", "type": "bzImage", "profile": "1", "addon": "{file}",
    "initrd-unpack": "yes", "backup": "yes", "mem-min": "1M", "mem-max": "900M", "enter": "32",
    "entry": "0x1000", "serial": "ttyS1", "serial-baud": "9600", "on-failure": "halt",
    "digest": "none", "time-limit": "5", "flip": "kernel+0",
}

# What is so without them too, or is no part of a plan.
DEFAULTS = {"load", "load-panic", "kexec-syscall-auto", "kexec-syscall", "elf64-core-headers"}
CONDITIONS = {"type", "mem-min", "strict", "reload"}     # met already
CONDITIONS |= {"no-sandbox"}                             # how, not what
MODES = {"exec", "force", "dry-run", "json", "map", "debug", "host-root", "seed"}
OTHER = {"help", "version", "print-ckr-size", "status", "unload", "inspect", "rehearse"}  # no plan
OWN = {"file": {"kexec-file-syscall", "no-cma", "force-dtb"}, "elf": {"args-elf"}, "none": {"args-none"},
       "uki": {"no-addons", "image-cmdline"}}            # the kind of image has them already

KINDS = {
    "small": ("-l", "{small}"), "stub": ("-l", "{small}", "--enter=64"),
    "file": ("-l", "{small}", "-s"), "segments": ("-l", "{small}", "-c"),
    "crash": ("-p", "{kernel}"), "uki": ("-l", "{uki}"),
    "multiboot": ("-l", "{mb1}"), "multiboot2": ("-l", "{mb2}"),
    "elf": ("-l", "{elf}", "--args-elf"), "none": ("-l", "{elf}", "--args-none"),
}


@pytest.fixture
def words_of(folder):
    """Fills in the names of files."""
    contents = {
        "file": b"070701" * 1000, "tree": b"\xd0\x0d\xfe\xed" + (40).to_bytes(4, "big") + bytes(32),
        "small": images.small(), "mb1": test_multiboot.elf(test_multiboot.header_1()),
        "mb2": test_multiboot.elf(test_multiboot.header_2()),
        "elf": test_multiboot.elf(bits=64),
    }
    names = {"kernel": images.path("6.1-cloud"), "uki": folder / "uki.efi"}
    for name, data in contents.items():
        names[name] = folder / name
        names[name].write_bytes(data)
    test_uki.write_file(names["uki"], test_uki.pe.image({".linux": images.small(),
                                                         ".cmdline": b"of the image"}))
    return lambda words: [word.format(**names) for word in words]


def outcome(words):
    """(the plan without its notes, what was said); None for what fails, by name."""
    result = run("--dry-run", "--json", *words)
    if result.status != 0:
        assert len(result.reasons()) == 1, result
        return None
    plan, _ = json.JSONDecoder().raw_decode(result.out.decode())
    said = {(note["id"], note["text"]) for note in plan.pop("notes")}
    assert b"options/no-effect" not in result.err or any("effect" in id for id, _ in said)
    return plan, said


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_ignored_in_silence(folder, words_of, kind):
    machine = Machine(pc_map(2 * GIB), crash_kernel=(1 * GIB, 1 * GIB + 256 * MIB))
    base = (machine.write(folder), "--seed=1", *words_of(KINDS[kind]))
    before, said_before = outcome(base)
    silent = []
    for name, has_value in test_completion.options().items():
        if name in OTHER:
            continue
        value = f"={VALUES[name]}" if has_value and name in VALUES else ""
        found = outcome((*base, *words_of([f"--{name}{value}"])))
        if found and found[0] == before and found[1] <= said_before:
            silent.append(name)
    assert not set(silent) - DEFAULTS - CONDITIONS - MODES - OWN.get(kind, set())
    assert "load" in silent or kind == "crash"      # so the comparison is one
