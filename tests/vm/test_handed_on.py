# SPDX-License-Identifier: GPL-2.0-or-later
"""Things of the running kernel and of the user's that the next kernel gets on request."""

import subprocess

import pytest

from guest import BUILD, HERE, Guest, Machine, initramfs, kernel, kexec_files

FIRST = "6.12-amd64"  # the first of ours that shows its initrd
TREE = b"\xd0\x0d\xfe\xed" + (40).to_bytes(4, "big") + bytes(range(32))
NODES = "/sys/kernel/boot_params/setup_data"
APPEND = "--append='console=ttyS0 panic=-1 ng.job=second'"


def in_guest(load, log, append="retain_initrd", jobs=None):
    jobs = {"": f"run /sbin/kexec {load} {APPEND}\nrun /sbin/kexec -e", **(jobs or {})}
    files = {**kexec_files(), "/k2": kernel(FIRST).image, "/tree": TREE}
    return Guest(Machine(), kernel(FIRST), initramfs(jobs, files), append, log=log)


@pytest.mark.parametrize("call", ["-c", "-s"])
def test_initrd_of_the_running_kernel(call, log_folder):
    """It is the only one here that has the second job."""
    with in_guest(f"{call} -l /k2 --reuseinitrd", log_folder,
                  jobs={"second": "proof second"}) as guest:
        guest.expect("NG-PROOF second")


def test_no_initrd_to_reuse(log_folder):
    with Guest(Machine(), kernel(FIRST), initramfs(
            {"": "run-expect 255 /sbin/kexec -l /k2 --reuseinitrd\nproof done"},
            {**kexec_files(), "/k2": kernel(FIRST).image}), log=log_folder) as guest:
        guest.expect(r"cannot open '/sys/firmware/initrd'.*\[file/open\]")
        guest.expect("try: .*retain_initrd")
        guest.expect("NG-PROOF done")


def test_vga(log_folder):
    """--reset-vga: the second kernel finds text mode. Without it the third finds graphics."""
    program = BUILD / "vm" / "vga"
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-std=gnu11", "-Os", "-Wall", "-Wextra", "-static", "-s", "-o", program,
                    HERE / "vga.c"], check=True, timeout=60)
    shows = "run /sbin/vga show"
    jumps = (f"{shows}\nrun /sbin/vga graphics\nrun /sbin/kexec -l /k2 --reuseinitrd {{}} "
             "--append='console=ttyS0 panic=-1 retain_initrd ng.job={}'\nrun /sbin/kexec -e")
    jobs = {"": jumps.format("--reset-vga", "second"), "second": jumps.format("", "third"),
            "third": f"{shows}\nproof third"}
    files = {**kexec_files(), "/k2": kernel(FIRST).image, "/sbin/vga": program}
    with Guest(Machine(vga="std"), kernel(FIRST), initramfs(jobs, files), "retain_initrd",
               log=log_folder) as guest:
        found = [guest.expect("NG-VGA (text|graphics)")[1] for _ in range(5)]
        guest.expect("NG-PROOF third")
    assert found == ["text", "graphics", "text", "graphics", "graphics"]


def test_table_of_the_efi_stub(log_folder):
    """The stub left a table with the initrd's address in RAM, which the next kernel clears: nothing of what is
    loaded is there. That kernel finds its initrd whole: init and kexec in it work."""
    first, second = kernel("7-amd64"), kernel("6.1-cloud")
    jobs = {"": "save-log /log\nshow /log\n"
                f"run /sbin/kexec -l /k2 --initrd=/next --json --seed=1 {APPEND}\nrun /sbin/kexec -e",
            "second": "run /sbin/kexec --version\nproof second"}
    files = {**kexec_files(), "/k2": second.image}
    files["/next"] = initramfs(jobs, files)
    with Guest(Machine("ovmf", "max", 2048), first, initramfs(jobs, files), "loglevel=4",
               log=log_folder) as guest:
        table = int(guest.expect(r"efi:.* INITRD=(0x[0-9a-f]+)")[1], 16)
        plan = guest.plan()
        assert f"{table:#x}" in " ".join(note["text"] for note in plan["notes"]
                                         if note["id"] == "host/efi-table")
        for segment in plan["segments"]:
            begin = int(segment["addr"], 0)
            assert not begin <= table < begin + segment["reserve_len"], segment["name"]
        guest.expect("NG-PROOF second")


def test_device_tree(log_folder):
    """Among the nodes that the next kernel shows is one of type 2 (SETUP_DTB)."""
    shows = "\n".join(f"show {NODES}/{n}/type" for n in range(2))
    with in_guest("-l /k2 --reuseinitrd --dtb=/tree", log_folder,
                  jobs={"second": f"{shows}\nproof second"}) as guest:
        guest.expect(f"NG-SHOW {NODES}/0/type")
        begin = guest.n_used
        guest.expect("NG-PROOF second")
        assert "0x2" in [text for _, text in guest.lines[begin:]]
