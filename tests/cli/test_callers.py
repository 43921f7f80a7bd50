# SPDX-License-Identifier: GPL-2.0-or-later
"""Command lines that other programs issue today, with --dry-run before them."""

import pytest

import images
import plans
from kexec_run import run
from machines import GIB, MIB, Machine, pc as pc_map

# systemd, init scripts, kdump-tools, Fedora and openSUSE kdump, Heads, petitboot.
LOADS = {
    "systemd": ("--load", "KERNEL", "--append", "root=/dev/vda1 quiet", "--initrd", "INITRD"),
    "systemd without initrd": ("--load", "KERNEL", "--append", ""),
    "init script": ("-l", "KERNEL", "--initrd=INITRD", "--append=root=/dev/vda1 quiet"),
    "init script without initrd": ("-l", "KERNEL", "--append=root=/dev/vda1"),
    "Heads": ("-d", "-l", "KERNEL", "--command-line", "root=/dev/vda1", "--initrd=INITRD"),
    "Heads, append": ("-l", "KERNEL", "--initrd=INITRD", "--append=root=/dev/vda1"),
    "petitboot": ("-l", "--debug", "--initrd=INITRD", "--append=root=/dev/vda1", "KERNEL"),
    "abbreviated": ("--dry", "--load", "KERNEL", "--init=INITRD", "--com=root=/dev/vda1"),
    "by hand": ("-l", "KERNEL", "--initrd=INITRD", "--reuse-cmdline"),
    "petitboot, device tree": ("-l", "--initrd=INITRD", "--dtb=TREE", "--append=x", "KERNEL"),
    "all in one": ("-fd", "KERNEL", "--initrd=INITRD", "--append=x"),
    "bare": ("KERNEL", "--initrd=INITRD", "--append=x"),
    "call chosen": ("-a", "-l", "KERNEL", "--initrd=INITRD", "--append=x"),
    "kexec_load": ("-c", "-l", "KERNEL", "--initrd=INITRD", "--append=x"),
    "petitboot without arguments": ("-l", "--initrd=INITRD", '--append=""', "KERNEL"),
    "openSUSE kexec-bootloader": ("--kexec-syscall-auto", "--load", "KERNEL", "--initrd=INITRD",
                                  "--append=root=/dev/vda1 quiet"),
    "NixOS": ("--load", "--initrd=INITRD", "--command-line=root=/dev/vda1", "--", "KERNEL"),
    "Linux arguments": ("-l", "KERNEL", "--args-linux", "--initrd=INITRD", "--append=x"),
}

CRASH_LOADS = {
    "kdump-tools": ("-p", "--command-line=root=/dev/vda1 maxcpus=1", "--initrd=INITRD", "KERNEL"),
    "kdump-tools, secure boot": ("-p", "-s", "--command-line=x", "--initrd=INITRD", "KERNEL"),
    "kdump-tools, vmlinux": ("-p", "--args-linux", "--command-line=x", "--initrd=INITRD", "KERNEL"),
    "Fedora": ("-s", "-p", "--command-line=x", "--initrd=INITRD", "KERNEL"),
    "Fedora, early": ("-s", "--command-line=x", "--initrd=INITRD", "KERNEL", "-p"),
    "Fedora, unified or not": ("-p", "--command-line=x", "--initrd=INITRD", "KERNEL"),
    "openSUSE": ("-p", "KERNEL", "--append=x", "--initrd=INITRD", "-a"),
}

MODULES = {
    "Heads, multiboot": ("-l", "KERNEL", "--command-line", "x", "--module", "INITRD args"),
}

NO_LOAD = {
    "jump": ("-e",),
    "petitboot jumps": ("-e", "-f"),
    "unload": ("-u",),
    "kdump-tools unloads": ("-p", "-u"),
    "Fedora unloads": ("-s", "-p", "-u"),
    "openSUSE unloads": ("-a", "-p", "-u"),
}


@pytest.fixture
def fill(folder):
    """Puts real files into a command line."""
    (folder / "initrd").write_bytes(b"070701" * 1000)
    (folder / "tree").write_bytes(b"\xd0\x0d\xfe\xed" + (40).to_bytes(4, "big") + bytes(32))

    def filled(words):
        return [word.replace("KERNEL", str(images.path("6.1-amd64"))).replace(
            "INITRD", str(folder / "initrd")).replace("TREE", str(folder / "tree"))
                for word in words]

    return filled


@pytest.mark.parametrize("name", LOADS)
def test_load(pc, fill, name):
    words = fill(LOADS[name])
    result = run("--dry-run", "--json", pc, *words)
    assert result.status == 0, result
    assert result.err == b"" or {"-d", "--debug", "-fd"} & set(words), result
    plan = plans.Plan(result.out)
    plan.check(images.real())
    assert plan.is_direct and plan["kaslr"]["drawn"]
    appended = [w.split("=", 1)[1] for w in words if w.startswith(("--append=", "--com"))
                and "=" in w]
    appended += [after for w, after in zip(words, words[1:]) if w in ("--append", "--command-line")]
    expected = "root=/dev/vda1 quiet" if "--reuse-cmdline" in words else appended[0]
    assert plan["cmdline"] == expected
    assert plan["initrd"]["files"] == any("initrd" in w for w in words)


@pytest.mark.parametrize("name", CRASH_LOADS)
def test_crash_load(folder, fill, name):
    machine = Machine(pc_map(2 * GIB), crash_kernel=(1 * GIB, 1 * GIB + 256 * MIB))
    words = fill(CRASH_LOADS[name])
    plan = plans.Plan(run("--dry-run", "--json", machine.write(folder), *words).done().out)
    assert plan["cmdline"].startswith("elfcorehdr=0x")
    assert all(GIB <= int(s["addr"], 0) < GIB + 256 * MIB for s in plan["segments"])


@pytest.mark.parametrize("name", MODULES)
def test_modules_for_linux(pc, fill, name):
    """They would be lost: a status that these callers take for a failure."""
    run("--dry-run", pc, *fill(MODULES[name])).failed("load/modules", says=("bzImage",))


@pytest.mark.parametrize("name", NO_LOAD)
def test_dry_run_of_what_is_no_load(pc, name):
    """It would not be dry."""
    run("--dry-run", *NO_LOAD[name]).failed("options/no-load", 1, says=("--dry-run",))


def test_option_after_the_kernel(pc, fill):
    """Words may come in any order, and no option of ours takes an abbreviation over."""
    words = fill(("KERNEL", "-l", "--append=x", "-a", "another word"))
    plan = plans.Plan(run("--dry-run", "--json", pc, *words).done().out)
    assert plan["cmdline"] == "x"
    assert "options/extra-word" in plan.notes


def test_file_call_with_what_it_cannot_do(pc, fill):
    """-s makes the running kernel decide: what is asked besides is not dropped in silence."""
    result = run("--dry-run", "--json", pc, *fill(("-s", "-l", "KERNEL", "--mem-max=1G")))
    assert result.status == 0 and result.reasons() == [], result
    assert b"--mem-max" in result.err and b"[options/no-effect]" in result.err


def test_file_call_names_all_it_cannot_do(pc, fill):
    result = run("--dry-run", pc, *fill(("-s", "-l", "KERNEL", "--mem-max=1G", "-i", "--noefi")))
    assert result.status == 0 and b": --noefi, --mem-max, --no-checks [" in result.err, result


def test_entry(pc, fill):
    """It has to be in something that is loaded; purgatory is then left out."""
    words = fill(("-l", "KERNEL", "--seed=1"))
    plan = plans.Plan(run("--dry-run", "--json", pc, *words).done().out)
    purgatory = plan["entry"]
    inside = plan["jump"]["entry"]
    assert inside != purgatory
    plan = plans.Plan(run("--dry-run", "--json", pc, *words, f"--entry={inside}").done().out)
    assert plan["entry"] == inside and "load/entry-given" in plan.notes
    run("--dry-run", pc, *words, "--entry=0xfff").failed("plan/entry-outside", says=("0xfff",))


def test_device_tree_is_none(pc, fill):
    run("--dry-run", pc, *fill(("-l", "KERNEL", "--dtb=INITRD"))).failed("params/no-device-tree")
    run("--dry-run", pc, *fill(("-l", "KERNEL", "--dtb=/nonexistent"))).failed("file/open")


def test_serial_without_a_console(pc, fill):
    """Said when it has no effect, and not when it has."""
    words = fill(("-l", "KERNEL", "--serial=ttyS1"))
    result = run("--dry-run", "--json", pc, *words)
    has_console = "ttyS" in plans.Plan(result.out)["console"]
    assert has_console != (b"[purgatory/serial-unused]" in result.err), result
    run("--dry-run", pc, *words, "--console-serial").done()


@pytest.mark.parametrize("enter", ["--enter=32", "--entry-32bit", "--enter=direct", "--enter=16",
                                   "--enter=pvh", "--real-mode"])
@pytest.mark.parametrize("form", [(), ("--json",), ("--map",)])
def test_dry_run_of_the_file_call(pc, fill, enter, form):
    """What kexec_file_load would refuse is not promised. That --enter does not reach it is said."""
    run("--dry-run", *form, pc, *fill(("-s", "-l", "KERNEL", enter))).failed(
        "load/file-entry", says=("kexec_file_load",), has_out="--json" in form)


@pytest.mark.parametrize("words", [(), ("--enter=64",), ("--enter=auto",)])
def test_plan_of_the_other_call(pc, fill, words):
    """With -s the running kernel makes its own: what is shown is no promise."""
    result = run("--dry-run", "--json", pc, *fill(("-s", "-l", "KERNEL", *words)))
    assert result.status == 0 and result.reasons() == [], result
    plan = plans.Plan(result.out)
    plan.check(images.real())
    assert "load/plan-of-another-call" in plan.notes
    text = run("--dry-run", pc, *fill(("-s", "-l", "KERNEL", *words)))
    assert b"[load/plan-of-another-call]" in text.out, text
    assert "load/plan-of-another-call" not in plans.of(pc, images.path("6.1-amd64")).notes


def test_rehearsal_of_the_other_call(pc, fill):
    """Its verdict is none of kexec_file_load, and the text says so as the JSON does."""
    words = ("--dry-run", "--rehearse", pc, *fill(("-l", "KERNEL")))
    text = run(*words, "-s").done().out
    assert text.count(b"[load/plan-of-another-call]") == 1, text
    assert b"[load/plan-of-another-call]" not in run(*words).done().out
