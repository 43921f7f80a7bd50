# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel is loaded by the name of its boot entry, and runs with the entry's initrds and command line."""

from guest import (Guest, Machine, expected_parts, initramfs, initrd_parts, kernel, kexec_files)

LINE = "console=ttyS0 panic=-1 loglevel=4 ng.from=entry"
ENTRY = f"""title Second
version 2
sort-key test
linux /boot/second/linux
initrd /boot/second/one
initrd /boot/second/two
options {LINE}
"""
MENU = f"""set default=0
if loadfont unicode ; then set gfxmode=auto; fi
menuentry 'First' {{ linux /boot/nosuch; }}
submenu 'More' {{
	menuentry 'Second' --class os --id second {{
		insmod gzio
		linux	/boot/second/linux {LINE}
		initrd	/boot/second/one /boot/second/two
	}}
}}
"""


def test_menu_of_grub(log_folder):
    """An entry in a submenu, by GRUB's path to it."""
    first, second = kernel("6.12-amd64"), kernel("6.1-cloud")
    parts = initrd_parts({"": "facts\nproof second"}, 2)
    files = {**kexec_files(), "/boot/second/linux": second.image, "/boot/second/one": parts[0],
             "/boot/second/two": parts[1], "/boot/grub/grub.cfg": MENU.encode()}
    job = "\n".join(["facts", "run-expect 255 /sbin/kexec -l @default", "run /sbin/kexec -l @1>0",
                     "run /sbin/kexec -e"])
    with Guest(Machine("seabios", memory=2048), first, initramfs({"": job}, files), "loglevel=4",
               log=log_folder) as guest:
        assert guest.facts()["release"] == first.release
        assert "[entries/no-file]" in guest.output_of("/sbin/kexec -l @default")
        guest.expect(r"NG-STATUS 0$")
        after = guest.facts()
        guest.expect(r"NG-PROOF second")
    assert after["release"] == second.release
    assert after["cmdline"] == LINE
    assert after["parts"] == expected_parts(2)


def test_default_entry(log_folder):
    """The default one of two, of a /boot that is a folder of the root file system."""
    first, second = kernel("6.1-cloud"), kernel("6.12-amd64")
    parts = initrd_parts({"": "facts\nproof second"}, 2)
    files = {**kexec_files(), "/boot/second/linux": second.image, "/boot/second/one": parts[0],
             "/boot/second/two": parts[1], "/boot/loader/entries/second.conf": ENTRY.encode(),
             "/boot/loader/entries/older.conf": b"sort-key test\nversion 1\nlinux /boot/nosuch\n"}
    job = "\n".join(["facts", "run /sbin/kexec --list", "run /sbin/kexec -l @default",
                     "run /sbin/kexec -e"])
    with Guest(Machine("seabios", memory=2048), first, initramfs({"": job}, files), "loglevel=4",
               log=log_folder) as guest:
        assert guest.facts()["release"] == first.release
        listed = guest.output_of("/sbin/kexec --list")
        assert "*  bls       second.conf" in listed and "[entries/no-file]" in listed
        guest.expect(r"NG-STATUS 0$")
        after = guest.facts()
        guest.expect(r"NG-PROOF second")
    assert after["release"] == second.release
    assert after["cmdline"] == LINE
    assert after["parts"] == expected_parts(2)
