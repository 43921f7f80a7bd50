# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12 as it is, with our kexec diverted into the place of its own."""

import pytest

from debian import BOOT_LIMIT, Debian, our_files
from dumps import PANIC

MARK = "NG-MARK-LOG said-before-the-crash"

# The first time the system is up it crashes, the second time it has a dump.
KDUMP_JOB = f"""
dump=$(ls /var/crash/*/dump.* 2>/dev/null)
if [ -z "$dump" ]; then
	kdump-config status
	cat /var/crash/kexec_cmd
	echo "NG-LOADED $(cat /sys/kernel/kexec_crash_loaded)"
	echo '{MARK}' >/dev/kmsg
	sync
	echo c >/proc/sysrq-trigger
	sleep 60
fi
ls -l /var/crash/*
grep -c '{MARK}' /var/crash/*/dmesg.*
makedumpfile -R /var/tmp/dump <"$dump" && echo NG-PROOF rearranged
makedumpfile --dump-dmesg /var/tmp/dump /var/tmp/log && echo NG-PROOF readable
echo "NG-LOG $(grep -c '{MARK}' /var/tmp/log) $(grep -c 'sysrq triggered crash' /var/tmp/log)"
echo "NG-DMESG $(cat /var/crash/*/dmesg.* | grep -c '{MARK}')"
echo NG-PROOF done
systemctl --no-block poweroff
"""


def payload(job):
    return {**our_files(), "/ng/job": job.encode()}


@pytest.mark.long_form     # several boots of a whole system
def test_kdump_tools(log_folder):
    """kdump-config load, a crash, the dump in /var/crash, and the machine is up again."""
    with Debian(payload(KDUMP_JOB), log_folder) as machine:
        machine.expect(r"kexec-ng \d", BOOT_LIMIT)
        machine.expect(r"current state *: ready to kdump", BOOT_LIMIT)
        machine.expect(r"/sbin/kexec -p .*--initrd=/var/lib/kdump/initrd.img ")
        machine.expect("NG-LOADED 1")
        machine.expect(r"kexec: .*starting kernel", allow=PANIC)
        machine.expect(r"saved vmcore in /var/crash/\d+", 2 * BOOT_LIMIT)
        machine.expect(r"kexec-ng \d", BOOT_LIMIT)
        machine.expect("NG-PROOF rearranged", BOOT_LIMIT)
        machine.expect("NG-PROOF readable")
        assert machine.expect(r"NG-LOG (.*)")[1] == "1 1"
        assert machine.expect(r"NG-DMESG (.*)")[1] == "1"
        machine.expect("NG-PROOF done")
