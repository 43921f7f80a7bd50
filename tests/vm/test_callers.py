# SPDX-License-Identifier: GPL-2.0-or-later
"""What calls kexec-tools calls ours: each in a Debian as it is, our kexec diverted into the place of
its own, to a second kernel that runs or a dump that was taken.

A test is a row of boots of one system. Each boot's job tells how it was started, then does the next
step: a caller, or where its package is not Debian's, its command lines to the letter. That it was
our kexec that loaded the next kernel is read off that kernel: the type of its boot loader.
"""

import dataclasses
import re
import subprocess

import pytest

import foreign  # beside bzimage; guest.py makes that known
from debian import BOOT_LIMIT, Debian, RebootingMachine, disk_folder, our_files
from dumps import PANIC
from guest import BUILD, TOP, initramfs, kernel

# /proc/sys/kernel/bootloader_type: ours, the kernel's own kexec_file_load, QEMU.
OURS, FILE_CALL, FIRMWARE = 0xd1, 0xd0, 0xb0

WORDS = "root=/dev/vda ro console=ttyS0 panic=-1 net.ifnames=0 systemd.show_status=no"

JOB = """
n=$(cat /var/lib/ng-step 2>/dev/null || echo 0)
echo "NG-BOOT $n $(cat /proc/sys/kernel/bootloader_type) $(uname -r) $(cat /proc/cmdline)"
n=$((n + 1))
echo $n >/var/lib/ng-step
sync
export K=/boot/vmlinuz-$(uname -r) I=/boot/initrd.img-$(uname -r)
if [ -e /ng/steps/$n ]; then
	echo "NG-STEP $n"
	sh /ng/steps/$n || echo "NG-FAIL step $n: status $?"
fi
"""


@dataclasses.dataclass(frozen=True)
class Step:
    caller: str
    script: str
    loader: int = OURS         # of the boot that follows
    cmdline: str = None        # all of it, where that is known
    says: tuple = ()           # patterns of lines before that
    may_panic: bool = False


def entry_for_systemd(kernel_name, words):
    """A boot loader entry, which systemctl kexec loads where no kernel is. Its checks want /boot to
    be a partition of its own."""
    return f"""
mkdir -p /boot/loader/entries
cat >/boot/loader/entries/ng.conf <<END
title ng
linux /{kernel_name}
initrd /$(basename $I)
options {words}
END
export SYSTEMD_RELAX_ESP_CHECKS=1 SYSTEMD_ESP_PATH=/boot
systemctl --no-block kexec
"""


# As Debian 12 is installed.
BOOKWORM = (
    Step("systemd 252 loads and jumps",
         entry_for_systemd("$(basename $K)", f"{WORDS} ng=systemd"), cmdline=f"{WORDS} ng=systemd",
         says=(rf'Running /s?bin/kexec --load "/boot/vmlinuz-\S+" --append "{WORDS} ng=systemd" '
               r'--initrd "/boot/initrd\.img-\S+"',)),
    Step("by hand, as Fedora and RHEL have it in their manuals; systemd jumps",
         "kexec -l $K --initrd=$I --reuse-cmdline && systemctl --no-block kexec",
         cmdline=f"{WORDS} ng=systemd"),
)

# With sysvinit, which is up sooner: Debian's scripts are for it, and the others do not care.
SYSV = (
    Step("Debian's init scripts", "sed -i s/LOAD_KEXEC=.*/LOAD_KEXEC=true/ /etc/default/kexec && "
         "reboot", says=("Loading new kernel image into memory", "Will now restart with kexec")),
    Step("petitboot, where shutdown jumps",
         f"kexec -l --initrd=$I '--append={WORDS} ng=petitboot' $K && shutdown -r now",
         cmdline=f"{WORDS} ng=petitboot", says=("Will now restart with kexec",)),
    Step("petitboot's other try, which is the bare form",
         f"kexec -s --initrd=$I '--append={WORDS} ng=file' $K", loader=FILE_CALL,
         cmdline=f"{WORDS} ng=file"),
    Step("petitboot, to its last resort",
         f"""printf '\\320\\015\\376\\355\\000\\000\\000\\050%032d' 0 >/tmp/dtb
         kexec -l --debug --initrd=$I --dtb=/tmp/dtb '--append={WORDS} ng=resort' $K && kexec -e -f""",
         cmdline=f"{WORDS} ng=resort"),
    Step("openSUSE's kexec-bootloader",
         f"""kernel=$K initrd=$I root=root=/dev/vda append='{WORDS} ng=opensuse'
         sh -c "kexec --kexec-syscall-auto --load '$kernel' --initrd='$initrd' \
         --append='$root $append'" && kexec --exec""",
         cmdline=f"root=/dev/vda {WORDS} ng=opensuse"),
    Step("Heads", f"""kexeccmd="kexec -l $K --initrd=$I --append=\\"{WORDS} ng=heads\\""
         eval "$kexeccmd" && exec kexec -e""", cmdline=f"{WORDS} ng=heads"),
    Step("the bare form", f"kexec $K --initrd=$I '--append={WORDS} ng=bare'",
         cmdline=f"{WORDS} ng=bare"),
    Step("coldreboot", "coldreboot", loader=FIRMWARE),
)

SID = (
    Step("systemd loads by itself", entry_for_systemd("$(basename $K)", f"{WORDS} ng=own"),
         loader=FILE_CALL, cmdline=f"{WORDS} ng=own"),
    Step("systemd falls back to us, for a kernel that neither it nor the running one can unpack",
         "export SYSTEMD_LOG_LEVEL=debug\n" + entry_for_systemd("packed", f"{WORDS} ng=packed"),
         cmdline=f"{WORDS} ng=packed", says=("falling back to /usr/sbin/kexec",)),
    Step("Debian's kexec-load-kernel, and a reboot that finds a kernel loaded",
         "kexec-load-kernel && systemctl --no-block reboot",
         cmdline=f"{WORDS} ng=packed", says=("kexec kernel loaded",)),
    Step("the bare form, whose shutdown finds one too",
         f"kexec $K --initrd=$I '--append={WORDS} ng=bare'", cmdline=f"{WORDS} ng=bare"),
)


def crash_after(load):
    """Loads, with the command line and the initrd of kdump-tools, and panics."""
    return f"""
rm -rf /var/crash/2*
words="{WORDS} reset_devices nr_cpus=1 irqpoll nousb systemd.unit=kdump-tools-dump.service"
initrd=/var/lib/kdump/initrd.img-$(uname -r)
{load}
[ "$(cat /sys/kernel/kexec_crash_loaded)" = 1 ] || exit 99
sync
echo c >/proc/sysrq-trigger
sleep 60
"""


CRASHES = (
    Step("Fedora's kdumpctl", crash_after(
        '/sbin/kexec -s -p -u && [ "$(cat /sys/kernel/kexec_crash_loaded)" = 0 ] || exit 98\n'
        '/sbin/kexec -s -p "--command-line=$words" --initrd=$initrd $K'),
         loader=FIRMWARE, says=(r"saved vmcore in /var/crash/\d+",), may_panic=True),
    Step("openSUSE's kdump", "ls /var/crash/2*/dump.2* || exit 97\n" + crash_after(
        '/sbin/kexec -a -p -u && [ "$(cat /sys/kernel/kexec_crash_loaded)" = 0 ] || exit 98\n'
        '/sbin/kexec -p $K "--append=$words" --initrd=$initrd  -a'),
         loader=FIRMWARE, says=(r"kexec: .*starting kernel", r"saved vmcore in /var/crash/\d+"),
         may_panic=True),
    Step("makedumpfile reads the last dump",
         "dump=$(ls /var/crash/2*/dump.2*) && makedumpfile -R /var/tmp/dump <$dump && "
         "makedumpfile --dump-dmesg /var/tmp/dump /var/tmp/log && "
         "grep -q 'sysrq triggered crash' /var/tmp/log && echo NG-READABLE"),
)


def boots(machine, n, step=None):
    """Waits for the boot that follows step n, and checks how it came about."""
    allow = PANIC if step and step.may_panic else None
    for pattern in step.says if step else ():
        machine.expect(pattern, 2 * BOOT_LIMIT, allow)
    found = machine.expect(rf"NG-BOOT (\d+) (\d+) (\S+) (.*)", 2 * BOOT_LIMIT, allow)
    assert int(found[1]) == n
    if step:
        assert int(found[2]) == step.loader, (step.caller, found[0])
        assert not step.cmdline or found[4].strip() == step.cmdline, step.caller
    return found


def row(steps, log, also=None, **debian):
    """All steps, in one system, with other files too."""
    files = {**our_files(), **(also or {}), "/ng/job": JOB.encode(),
             **{f"/ng/steps/{n}": step.script.encode() for n, step in enumerate(steps, start=1)}}
    return Debian(files, log, machine=RebootingMachine(memory=1024), **debian)


@pytest.mark.long_form     # several boots of a whole system
@pytest.mark.parametrize("flavour, steps", [("bookworm", BOOKWORM), ("sysv", SYSV), ("sid", SID)],
                         ids=["bookworm", "sysv", "sid"])
def test_next_kernel(flavour, steps, log_folder):
    also = {}
    if flavour == "sid":     # systemd unpacks the other formats, and then makes the call again
        with (disk_folder("sid") / "vmlinuz").open("rb") as plain:
            also = {"/boot/packed": subprocess.run(["lzop", "-1", "-c"], stdin=plain, check=True,
                                                   capture_output=True, timeout=60).stdout}
    with row(steps, log_folder, also, flavour=flavour) as machine:
        boots(machine, 0)
        for n, step in enumerate(steps, start=1):
            boots(machine, n, step)


@pytest.mark.long_form     # several boots of a whole system
def test_dump(log_folder):
    with row(CRASHES, log_folder) as machine:
        boots(machine, 0)
        for n, step in enumerate(CRASHES[:-1], start=1):
            boots(machine, n, step)
        machine.expect("NG-READABLE")


# The package instead of a program diverted: apt takes kexec-tools away for it, kdump-tools stays.
PACKAGE = (
    Step("apt, with kexec-tools and kdump-tools installed", """set -e
    export DEBIAN_FRONTEND=noninteractive
    [ "$(dpkg-query -W -f '${db:Status-Status}' kexec-tools kdump-tools)" = installedinstalled ]
    apt-get -qq --yes install /ng/kexec-ng.deb
    [ "$(dpkg -S /sbin/kexec)" = "kexec-ng: /sbin/kexec" ]
    [ "$(dpkg-query -W -f '${db:Status-Status}' kexec-ng kdump-tools)" = installedinstalled ]
    [ "$(dpkg-query -W -f '${db:Status-Status}' kexec-tools)" != installed ]
    apt-get -qq check
    dpkg --verify kexec-ng
    ! debconf-show kexec-ng | grep .
    kdump-config unload
    kdump-config load
    kdump-config status
    kexec -l $K --initrd=$I --reuse-cmdline
    systemctl --no-block kexec""", says=("ready to kdump",)),
    Step("apt removes it", """set -e
    export DEBIAN_FRONTEND=noninteractive
    dpkg -L kexec-ng >/var/tmp/files
    apt-get -qq --yes purge kexec-ng
    while read -r file; do
        [ -d "$file" ] || [ ! -e "$file" ] || exit 9
    done </var/tmp/files
    ! dpkg-query -W kexec-ng
    ! dpkg-query -W -f '${db:Status-Status}' kdump-tools | grep -x installed
    apt-get -qq check
    echo NG-REMOVED"""),
)


def package():
    subprocess.run(["make", "deb"], cwd=TOP, check=True, capture_output=True, timeout=600)
    found, = (BUILD / "deb").glob("kexec-ng_*.deb")
    return found


@pytest.mark.long_form     # several boots of a whole system
def test_package(log_folder):
    with row(PACKAGE, log_folder, also={"/ng/setup": b"true", "/ng/kexec-ng.deb": package()}) as \
            machine:
        boots(machine, 0)
        boots(machine, 1, PACKAGE[0])
        machine.expect("NG-REMOVED", BOOT_LIMIT)


# To the letter, also the blank behind a module without arguments.
XEN = """
kexeccmd="kexec -l /boot/xen.gz"
kexeccmd="$kexeccmd --command-line \\"console=com1 com1=115200 dom0_mem=800M no-real-mode \
reboot=no vga=current\\""
kexeccmd="$kexeccmd --module \\"/boot/dom0 console=hvc0 loglevel=4 panic=-1 ng=heads\\""
kexeccmd="$kexeccmd --module \\"/boot/dom0-initrd \\""
eval "$kexeccmd" && exec kexec -e
"""


@pytest.mark.long_form     # a whole system
def test_heads_and_xen(log_folder):
    dom0 = kernel("6.1-amd64")
    files = {**our_files(), "/ng/job": XEN.encode(), "/boot/xen.gz": foreign.fetched(foreign.XEN),
             "/boot/dom0": dom0.image,
             "/boot/dom0-initrd": initramfs({"": "facts\nproof dom0\nshow /sys/hypervisor/type"})}
    # QEMU 7.2 and Xen disagree about SMAP, which only -cpu max has.
    with Debian(files, log_folder, machine=RebootingMachine(cpu="qemu64", memory=2048)) as machine:
        machine.expect(r"Xen version 4\.17", BOOT_LIMIT)
        assert re.search(r"ng=heads", machine.facts()["cmdline"])
        machine.expect(r"NG-PROOF dom0 ")
        machine.expect(r"^xen$")
