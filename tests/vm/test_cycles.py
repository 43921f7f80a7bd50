# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/kexec-cycle on a machine: kernels under test pass, fail, panic and hang, and it comes back.

The guest's system is busybox with the script as its only service. What the script syncs is kept in a
piece of RAM that no kernel uses and that a reset leaves alone; what it does not sync is lost, as on
a disk.
"""

import json
import pathlib
import re

import jsonschema
import pytest

from debian import RebootingMachine
from guest import BUILD, TOP, Guest, kernel, kexec_files, libraries_of, newc
from guest import MODE_DIR, MODE_FILE, MODE_PROGRAM

import foreign  # beside bzimage; guest.py makes that known

BUSYBOX = ("busybox-static", "bin/busybox")
STORE, STORE_LEN = 0x10000000, 4 << 20
HOME = "6.1-amd64"
LINE = f"loglevel=4 crashkernel=224M memmap={STORE_LEN}${STORE:#x}"
SCHEMA = TOP / "doc" / "json-schema" / "cycles.json"

INIT = f"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /tmp /state
/bin/busybox --install -s /bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev 2>/dev/null
if [ -f /watchdog.of ] && [ "$(uname -r)" = "$(cat /watchdog.of)" ]; then
	insmod /watchdog.core; insmod /watchdog.ko
fi
page={STORE // 4096}
dd if=/dev/mem of=/tmp/store bs=4096 skip=$page count={STORE_LEN // 4096} 2>/dev/null
tar xf /tmp/store -C /state 2>/dev/null
# The same again for every kernel; a capture kernel has no room for it, and loads nothing.
grep -q kexec_cycle_panic= /proc/cmdline || (cd / && find bin boot dev init plan sbin lib lib64 watchdog.* etc -xdev 2>/dev/null |
	cpio -o -H newc 2>/dev/null > /initrd)
sync() {{
	tar cf /tmp/store -C /state . &&
	dd if=/tmp/store of=/dev/mem bs=4096 seek=$page conv=notrunc 2>/dev/null
}}
cycle() {{ (. /sbin/kexec-cycle); }}
echo "NG-BOOT $(uname -r) $(cat /proc/cmdline)"
set -- --state=/state resume
[ -e /state/current ] || set -- --state=/state start /plan $(cat /etc/options)
cycle "$@"; echo "NG-CYCLE $?"
set -- --state=/state status
cycle "$@"
echo "NG-RESULTS $(tr -d '\\n' < /state/results.json)"
for each in /state/results/*; do
	echo "NG-WHY ${{each##*/}}: $(cat $each/why)"
	echo "NG-LOG ${{each##*/}}: $(grep -c . $each/dmesg) lines, $(grep -c 'sysrq triggered crash' $each/dmesg)"
done
poweroff -f
"""


def system(plan, images, options="", watchdog_of=None):
    """An initramfs with busybox, kexec, the script and the kernels."""
    members = {"init": INIT.encode(), "bin/busybox": foreign.fetched(BUSYBOX),
               "sbin/kexec-cycle": TOP / "scripts" / "kexec-cycle", "plan": plan.encode(),
               "etc/options": options.encode()}
    members |= {path.lstrip("/"): data for path, data in kexec_files().items()}
    members["sbin/vmcore-dmesg"] = BUILD / "bin" / "vmcore-dmesg"
    members |= {path.lstrip("/"): data
                for path, data in libraries_of(BUILD / "bin" / "vmcore-dmesg").items()}
    members |= {f"boot/{name}": data for name, data in images.items()}
    if watchdog_of:
        for member, module in ("watchdog.core", "watchdog"), ("watchdog.ko", "i6300esb"):
            members[member] = foreign.fetched((
                f"linux-image-{watchdog_of}",
                f"lib/modules/{watchdog_of}/kernel/drivers/watchdog/{module}.ko"))
        members["watchdog.of"] = watchdog_of.encode()
    folders = {str(parent) for path in members for parent in pathlib.PurePath(path).parents}
    folders |= {"dev", "proc", "sys", "tmp", "state"}
    return newc([(folder, MODE_DIR, b"") for folder in sorted(folders - {"."})] + [
        (path, MODE_PROGRAM if path == "init" or "bin/" in path or "/ld-" in path else MODE_FILE,
         data.read_bytes() if isinstance(data, pathlib.Path) else data)
        for path, data in members.items()])


def section(name, image, **settings):
    lines = [f"[{name}]", f"kernel = /boot/{image}", "initrd = /initrd"]
    return "\n".join(lines + [f"{key} = {value}" for key, value in settings.items()]) + "\n"


def run(plan, images, log, options="", watchdog_of=None, qemu=(), seconds=180):
    """{name: (verdict, status, release)} and all that the guest said."""
    with Guest(RebootingMachine(memory=1024), kernel(HOME),
               system(plan, images, options, watchdog_of), LINE, log=log, qemu=qemu) as guest:
        guest.expect("NG-BOOT", allow="Kernel panic|end trace")
        found = guest.expect(r"NG-RESULTS (\{.*\})", seconds=seconds, allow="Kernel panic|end trace")
        results = json.loads(found[1])
        guest.expect(r"reboot: Power down", allow="Kernel panic")
        text = "\n".join(line for _, line in guest.lines)
    pathlib.Path(log).mkdir(parents=True, exist_ok=True)
    (pathlib.Path(log) / "said").write_text(text)
    jsonschema.validate(results, json.loads(SCHEMA.read_text()))
    return {k["name"]: (k["verdict"], k["status"], k["release"]) for k in results["kernels"]}, text


def boots(text):
    """The releases in the order in which they came up."""
    return re.findall(r"NG-BOOT (\S+)", text)


def test_good_and_panic(log_folder):
    """One that passes comes home by kexec; one that panics by a crash kernel, with its log."""
    cloud = kernel("6.1-cloud")
    plan = (section("home", "home") +
            section("good", "cloud", test="uname -r; test -e /proc/kcore") +
            section("panics", "cloud", append="quiet", test="echo c > /proc/sysrq-trigger"))
    results, text = run(plan, {"home": kernel(HOME).image, "cloud": cloud.image}, log_folder,
                        "--accept-hangs --no-rehearse")
    assert results == {"good": ("passed", 0, cloud.release),
                       "panics": ("panicked", None, cloud.release)}
    home = kernel(HOME).release
    # The last but one is home as the capture kernel, which resets the machine.
    assert boots(text) == [home, cloud.release, home, cloud.release, home, home]
    assert "NG-LOG panics:" in text and re.search(r"NG-LOG panics: \d+ lines, [1-9]", text)
    assert re.search(r"NG-WHY panics: Kernel panic - not syncing: sysrq triggered crash", text)


@pytest.mark.long_form
def test_every_verdict(log_folder):
    home, cloud = kernel(HOME), kernel("6.1-cloud")
    broken = bytearray(cloud.image.read_bytes())
    broken[len(broken) // 2] ^= 0x10
    plan = (section("home", "home") +
            section("rehearsed", "cloud", test="true") +
            section("fails", "cloud", test="exit 3") +
            section("late", "cloud", test="sleep 1000", limit=5) +
            section("stops", "home", test="kill -STOP -1; sleep 1000", limit=15) +
            section("dies", "cloud", append="crashkernel=1K panic=1",
                    test="echo c > /proc/sysrq-trigger") +
            section("damaged", "broken", test="true") +
            section("newer", "new", test="true"))
    results, text = run(
        plan, {"home": home.image, "cloud": cloud.image, "broken": bytes(broken),
               "new": kernel("7-amd64").image},
        log_folder, watchdog_of=home.release,
        qemu=["-device", "i6300esb", "-action", "watchdog=reset"], seconds=420)
    assert results["rehearsed"] == ("passed", 0, cloud.release)
    assert results["fails"] == ("failed", 3, cloud.release)
    assert results["late"][0] == "timed-out"
    assert results["stops"][0] in ("hung", "reset")
    assert results["dies"] == ("reset", None, cloud.release)
    assert results["damaged"][0] in ("would-not-boot", "not-loaded")
    assert results["newer"] == ("passed", 0, kernel("7-amd64").release)
