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
PLAIN = f"loglevel=4 no_timer_check memmap={STORE_LEN}${STORE:#x}"
LINE = f"{PLAIN} crashkernel=224M"
# QEMU 7.2 does a far return of ring 3 with the rights of ring 0, which SMAP forbids: no rehearsals.
MACHINE = RebootingMachine(memory=1024, cpu="max,smap=off")
TIMED_OUT = 143     # of busybox's timeout
SCHEMA = TOP / "doc" / "json-schema" / "cycles.json"

INIT = f"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /tmp /state
/bin/busybox --install -s /bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev 2>/dev/null
if [ -f /watchdog.of ] && [ "$(uname -r)" = "$(cat /watchdog.of)" ]; then
	# As modprobe does it.
	insmod /watchdog.core $(sed -n 's/.*watchdog\\.\\(stop_on_reboot=0\\).*/\\1/p' /proc/cmdline)
	insmod /watchdog.ko
fi
page={STORE // 4096}
dd if=/dev/mem of=/tmp/store bs=4096 skip=$page count={STORE_LEN // 4096} 2>/dev/null
tar xf /tmp/store -C /state 2>/dev/null
# The same again for every kernel; a capture kernel has no room for it, and loads nothing.
grep -q kexec_cycle_panic= /proc/cmdline || (cd / && find bin boot dev init hang plan sbin lib lib64 watchdog.* etc -xdev 2>/dev/null |
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
HANG = b"#!/bin/busybox sh\nwhile :; do :; done\n"


def system(plan, images, options="", watchdog_of=None):
    """An initramfs with busybox, kexec, the script and the kernels."""
    members = {"init": INIT.encode(), "hang": HANG, "bin/busybox": foreign.fetched(BUSYBOX),
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
        (path, MODE_PROGRAM if path in ("init", "hang") or "bin/" in path or "/ld-" in path else MODE_FILE,
         data.read_bytes() if isinstance(data, pathlib.Path) else data)
        for path, data in members.items()])


def section(name, image, **settings):
    lines = [f"[{name}]", f"kernel = /boot/{image}", "initrd = /initrd"]
    return "\n".join(lines + [f"{key} = {value}" for key, value in settings.items()]) + "\n"


def run(plan, images, log, options="", watchdog_of=None, qemu=(), line=LINE, seconds=900):
    """{name: (verdict, status, release)} and all that the guest said."""
    with Guest(MACHINE, kernel(HOME), system(plan, images, options, watchdog_of), line, log=log,
               qemu=qemu, limit=seconds) as guest:
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
def test_by_kexec(log_folder):
    """Whatever a test comes to, home is reached by kexec."""
    cloud = kernel("6.1-cloud")
    plan = (section("home", "home") +
            section("rehearsed", "cloud", test="true") +
            section("fails", "cloud", test="exit 3") +
            section("late", "cloud", test="sleep 1000", limit=5))
    results, text = run(plan, {"home": kernel(HOME).image, "cloud": cloud.image}, log_folder,
                        "--accept-hangs", line=PLAIN)
    assert results == {"rehearsed": ("passed", 0, cloud.release),
                       "fails": ("failed", 3, cloud.release),
                       "late": ("timed-out", TIMED_OUT, cloud.release)}
    assert boots(text) == [kernel(HOME).release, cloud.release] * 3 + [kernel(HOME).release]


@pytest.mark.long_form
def test_no_jump(log_folder):
    """A damaged image does not even load; what comes behind it is tested."""
    newer = kernel("7-amd64")
    broken = bytearray(newer.image.read_bytes())
    broken[len(broken) // 2] ^= 0x10
    plan = (section("home", "home") +
            section("damaged", "broken", test="true") +
            section("newer", "new", test="true"))
    results, text = run(plan, {"home": kernel(HOME).image, "broken": bytes(broken),
                               "new": newer.image}, log_folder, "--accept-hangs", line=PLAIN)
    assert results == {"damaged": ("not-loaded", None, None),
                       "newer": ("passed", 0, newer.release)}
    assert boots(text) == [kernel(HOME).release, newer.release, kernel(HOME).release]


@pytest.mark.long_form
def test_hang(log_folder):
    """All processes stop, and so nobody feeds the watchdog: it resets the machine, and home knows that
    from it. The next kernel has its turn then."""
    home, cloud = kernel(HOME), kernel("6.1-cloud")
    plan = (section("home", "home") +
            section("stops", "home", test="kill -STOP -1; sleep 1000", limit=60) +
            section("next", "cloud", test="true"))
    results, text = run(plan, {"home": home.image, "cloud": cloud.image}, log_folder,
                        "--no-rehearse", line=PLAIN, watchdog_of=home.release,
                        qemu=["-device", "i6300esb", "-action", "watchdog=reset"])
    assert results == {"stops": ("hung", None, home.release), "next": ("passed", 0, cloud.release)}
    assert boots(text) == [home.release, home.release, home.release, cloud.release, home.release]


@pytest.mark.long_form
def test_early_hang(log_folder):
    """What hangs before "resume" could open the watchdog is reset by the one that home left running; what
    does not hang takes it over."""
    home = kernel(HOME)
    plan = (section("home", "home") +
            section("never-up", "home", append="rdinit=/hang", test="true") +
            section("next", "home", test="true"))
    results, text = run(plan, {"home": home.image}, log_folder, "--no-rehearse",
                        line=f"{PLAIN} watchdog.stop_on_reboot=0", watchdog_of=home.release,
                        qemu=["-device", "i6300esb", "-action", "watchdog=reset"])
    assert results == {"never-up": ("hung", None, None), "next": ("passed", 0, home.release)}
    assert re.search(r"NG-WHY never-up: the watchdog reset the machine, phase: jumping", text)
    assert boots(text) == [home.release] * 4


@pytest.mark.long_form
def test_panic_without_a_crash_kernel(log_folder):
    """panic= brings it home by the firmware, which nobody can tell from another reset."""
    home, cloud = kernel(HOME), kernel("6.1-cloud")
    plan = (section("home", "home") +
            section("dies", "cloud", append="panic=1", test="echo c > /proc/sysrq-trigger"))
    results, text = run(plan, {"home": home.image, "cloud": cloud.image}, log_folder,
                        "--accept-hangs --no-rehearse", line=PLAIN)
    assert results == {"dies": ("reset", None, cloud.release)}
    assert boots(text) == [home.release, cloud.release, home.release]
