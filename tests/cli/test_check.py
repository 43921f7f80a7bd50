# SPDX-License-Identifier: GPL-2.0-or-later
"""--check, --show and --last, on this machine as nobody and on machines that are made up."""

import gzip
import shutil
import struct

import pytest

import machines
import plans
from kexec_run import NOBODY, run

CONFIG = "".join(f"CONFIG_{name}=y\n" for name in (
    "KEXEC", "KEXEC_FILE", "KEXEC_SIG", "CRASH_DUMP", "PROC_VMCORE", "RELOCATABLE", "IMA_ARCH_POLICY"))
STATUS = "Name:\tkexec\nCapEff:\t{0:016x}\nCapBnd:\t{0:016x}\nSeccomp:\t{1}\n"
CAP_SYS_BOOT = 1 << 22
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@pytest.fixture
def tree(folder):
    """A machine with all that a load needs, and how to change it."""
    root = folder / "tree"
    machine = machines.Machine(machines.pc(8 * machines.GIB), available=6 * machines.GIB,
                               crash_kernel=(1 << 30, (1 << 30) + 256 * machines.MIB))
    option = machine.write(root)

    def put(path, data):
        where = root / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(data if isinstance(data, bytes) else data.encode())
    put("proc/config.gz", gzip.compress(CONFIG.encode()))
    put("proc/self/status", STATUS.format(CAP_SYS_BOOT, 0))
    for kind, number in (("user", 4026531837), ("pid", 4026531836)):
        (root / "proc/self/ns").mkdir(exist_ok=True)
        (root / "proc/self/ns" / kind).symlink_to(f"{kind}:[{number}]")
    put("sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
    put("sys/class/tty/ttyS0/io_type", "0\n")
    put("sys/class/tty/ttyS0/port", "0x3F8\n")
    put("proc/consoles", "ttyS0                -W- (EC  p a)    4:64\n")
    put("sys/class/dmi/id/sys_vendor", "QEMU\n")
    return option, put, root


def check(option, *more, status=0):
    """The verdicts, and {name: (state, id)} of what is not right."""
    result = run("--check", option, "--json", *more)
    assert result.status == status and result.err == b"", result
    said = plans.parse(result.out)["check"]
    assert run("--check", option, *more).status == status
    return said["verdicts"], {item["name"]: (item["state"], item["id"]) for item in said["items"]
                              if item["state"] != "ok"}


def test_all_is_well(tree):
    option, _, _ = tree
    verdicts, wrong = check(option)
    assert verdicts == {"-l": "ok", "-p": "ok", "-s": "ok"}
    assert {name: found for name, found in wrong.items() if name != "display"} == {}
    text = run("--check", option).done().out.decode()
    assert all(len(line.split()[0]) <= 7 for line in text.splitlines() if line and line[0] != " ")
    assert text.endswith("ok       -s would work\n")


def test_only_what_was_asked(tree):
    option, put, _ = tree
    put("proc/iomem", "00000000-7fffffff : System RAM\n")
    assert check(option, "-l") == ({"-l": "ok"}, {"display": ("unknown", "check/display-unknown")}) or \
        check(option, "-l")[0] == {"-l": "ok"}
    assert "reservation" not in check(option, "-l")[1]
    verdicts, wrong = check(option, "-p", status=1)
    assert verdicts == {"-p": "no"} and wrong["reservation"] == ("no", "check/no-reservation")


@pytest.mark.parametrize("path, data, name, found, verdicts", [
    ("proc/sys/kernel/kexec_load_disabled", "1\n", "sysctl", ("no", "kernel/load-disabled"), "no no no"),
    ("proc/sys/kernel/kexec_load_limit_reboot", "0\n", "limits", ("no", "kernel/load-limit"), "no ok no"),
    ("proc/sys/kernel/kexec_load_limit_panic", "0\n", "limits", ("no", "kernel/load-limit"), "ok no ok"),
    ("sys/kernel/security/lockdown", "none [integrity] confidentiality\n", "lockdown",
     ("warning", "kernel/lockdown"), "warning warning ok"),
    ("sys/kernel/security/ima/policy", "measure func=BPRM_CHECK\nappraise func=KEXEC_KERNEL_CHECK\n", "ima",
     ("warning", "kernel/ima"), "warning warning ok"),
    ("sys/kernel/security/ima/policy", "measure func=KEXEC_KERNEL_CHECK\n", "ima", None, "ok ok ok"),
    ("sys/kernel/security/ima/violations", "0\n", "ima", ("unknown", "check/ima-unknown"),
     "unknown unknown unknown"),
    (SECURE_BOOT, b"\6\0\0\0\1", "ima", ("warning", "kernel/ima"), "warning warning ok"),
    ("proc/self/status", STATUS.format(0, 0), "privileges", ("no", "kernel/no-capability"), "no no no"),
    ("proc/self/status", STATUS.format(CAP_SYS_BOOT, 2), "seccomp", ("unknown", "check/seccomp"),
     "unknown unknown unknown"),
    ("proc/config.gz", gzip.compress(b"CONFIG_KEXEC_FILE=y\n", mtime=0), "system-calls",
     ("warning", "kernel/no-syscall"), "warning no ok"),
    ("proc/config.gz", gzip.compress(b"CONFIG_X86=y\n", mtime=0), "system-calls", ("no", "kernel/no-syscall"), "no no no"),
    ("proc/config.gz", b"\x1f\x8bdamaged", "system-calls", ("unknown", "check/config-unknown"),
     "ok ok unknown"),
    ("proc/config.gz", gzip.compress(b"nothing of the kind\n" * 9, mtime=0), "system-calls",
     ("unknown", "check/config-unknown"), "ok ok unknown"),
    ("sys/class/dmi/id/sys_vendor", "Google\n", "platform", None, "ok ok ok"),
    ("sys/hypervisor/type", "xen\n", "platform", ("warning", "check/xen-guest"), "ok ok ok"),
    ("proc/consoles", "tty0                 -WU (EC  p  )    4:7\n", "console",
     ("warning", "check/no-console"), "ok ok ok"),
])
def test_one_thing_is_different(path, data, name, found, verdicts, tree):
    option, put, _ = tree
    put(path, data)
    words = verdicts.split()
    status = 1 if "no" in words else 2 if "unknown" in words else 0
    said, wrong = check(option, status=status)
    assert list(said.values()) == words
    assert wrong.get(name) == found


def test_boot_config(tree):
    """Where the kernel does not show its own build, its package may."""
    option, put, root = tree
    (root / "proc/config.gz").unlink()
    assert check(option, status=2)[1]["system-calls"][1] == "check/config-unknown"
    put("boot/config-6.1.0-test", CONFIG)
    assert check(option)[0] == {"-l": "ok", "-p": "ok", "-s": "ok"}


def test_containers(tree):
    option, put, root = tree
    (root / "proc/self/ns/user").unlink()
    (root / "proc/self/ns/user").symlink_to("user:[4026532999]")
    put("run/systemd/container", "lxc\n")
    assert check(option, status=1)[1]["privileges"] == ("no", "kernel/user-namespace")
    (root / "proc/self/ns/pid").unlink()
    (root / "proc/self/ns/pid").symlink_to("pid:[4026532998]")
    assert check(option, status=1)[1]["namespaces"] == ("warning", "check/pid-namespace")


def failing(path, call, error):
    """strace, which has this call fail for this file."""
    strace = shutil.which("strace")
    assert strace, "strace is not installed"
    return (strace, "-f", "-o", "/dev/null", "-P", str(path), "-e", f"trace={call}", "-e", f"inject={call}:error={error}")


def test_what_cannot_be_read(tree):
    """Of the machine it is a failure; firmware that does not give a variable says nothing of a load."""
    option, put, root = tree
    put(SECURE_BOOT, b"\6\0\0\0\0")
    between = failing(root / "proc/self/status", "read", "EIO")
    said = run("--check", option, between=between).failed("host/unreadable")
    assert "/proc/self/status" in said
    assert run("--check", option, between=failing(root / SECURE_BOOT, "read", "EIO")).status == 0


def test_here_as_nobody():
    """Any user may ask, and gets an answer that says what only root could see."""
    result = run("--check", user=NOBODY)
    assert result.status == 1 and result.err == b"", result
    assert b"[kernel/no-capability]" in result.out
    for question in ("--show", "--last"):
        result = run(question, user=NOBODY)
        assert result.status in (0, 1, 2, 255) and result.err == b"", result
        plans.parse(run(question, "--json", user=NOBODY).out)


def note(release=b"6.1.0", marks=(1000, 2000, 3000, 4000), magic=b"KXNGNOTE"):
    loaded, entered, verified, left = marks
    return struct.pack("<8sIIQ24s64sQQQII", magic, 144, 0, loaded, b"kexec-ng 9", release, entered,
                       verified, left, 1, 0)


def test_last(tree):
    option, put, root = tree
    params = bytearray((root / "sys/kernel/boot_params/data").read_bytes())
    params[0x210] = 0x72
    put("sys/kernel/boot_params/data", bytes(params))
    assert plans.parse(run("--last", "--json", option).out)["last"]["started_by"] == "boot-loader"
    assert run("--last", option).status == 2
    params[0x210] = 0xd0
    put("sys/kernel/boot_params/data", bytes(params))
    result = run("--last", option)
    assert result.status == 1 and b"kexec_file_load" in result.out
    put("sys/kernel/boot_params/setup_data/0/type", "0x0\n")
    put("sys/kernel/boot_params/setup_data/0/data", note(magic=b"KXNGNOTF"))
    assert run("--last", option).status == 1
    put("sys/kernel/boot_params/setup_data/0/data", note(release=b"\x1b[2J"))
    said = plans.parse(run("--last", "--json", option).done().out)["last"]
    assert said["started_by"] == "kexec-ng" and said["from_release"] == "?[2J"
    # Another machine's clock is not known: nothing is made up.
    assert {step["state"] for step in said["steps"]} == {"unknown"}
    assert run("--last", option).done().out.count(b"unknown: ") == 5


RECORD = """{"format":1,"is_crash":false,"loader":"kexec-ng 9","call":"kexec_load","time":5,"uid":0,"pid":7,
"release":"6.1","type":"bzImage","cmdline":"a\\u001b[2Jb","files":[{"role":"kernel","path":"/k","len":1,
"mtime_ns":2,"inode":3}],"segments":[{"name":"kernel","addr":4096,"len":1,"mem_len":4096}]}"""


def test_show(tree):
    option, put, _ = tree
    assert run("--show", option).status == 1
    put("run/kexec-ng/load.json", RECORD)
    result = run("--show", "-l", option)
    assert result.status == 1 and b"left from what was unloaded" in result.out
    put("sys/kernel/kexec_loaded", "1\n")
    said = plans.parse(run("--show", option, "--json").done().out)["show"]
    assert said["panic"]["state"] == "nothing" and said["boot"]["state"] == "recorded"
    assert said["boot"]["record"]["segments"][0]["addr"] == "0x1000"
    text = run("--show", option).done().out
    assert b"a?[2Jb" in text and b"\x1b" not in text
    put("run/kexec-ng/load.json", "[" * 100000)
    result = run("--show", option, "--json").done()
    assert plans.parse(result.out)["show"]["boot"]["state"] == "unreadable"


def test_what_does_not_go_together():
    for line in (["--check", "--show"], ["--last", "-l"], ["--show", "-e"], ["--check", "kernel"],
                 ["--check", "--map"], ["--last", "--initrd=x"]):
        run(*line).failed("options/question", status=1)


@pytest.mark.parametrize("question", ["--check", "--last"])
def test_no_answer_is_said_in_json(folder, question):
    for root, name in ((folder, "host/no-memory-map"), (folder / "nowhere", "host/root")):
        run(question, f"--host-root={root}").failed(name)
        result = run(question, "--json", f"--host-root={root}")
        text = result.failed(name, has_out=True)
        said = plans.parse(result.out)
        assert (said["error"]["id"], said["error"]["text"]) == (name, text)
