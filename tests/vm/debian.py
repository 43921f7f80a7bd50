# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Debian in a virtual machine, its disk, and our kexec in it: Debian 12 with systemd and
kdump-tools, with sysvinit, and sid.

A disk is made once (debian-disk; where there is kdump-tools also a first boot, in which that makes
its initrd) and kept in the cache under the digest of its recipe. Tests boot copies of it:

    with Debian({"/ng/job": "..."}, log) as machine:
        machine.expect("NG-PROOF ...")

Run as a program it makes the disks, so that no test has to.
"""

import fcntl
import hashlib
import io
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

from guest import HERE, Guest, Kernel, Machine, cache, kexec_binary, libraries_of

MAKE_LIMIT = 3600  # seconds
BOOT_LIMIT = 900   # seconds, on a machine that does many other things too

# Of these the guest has its own, of the same suite; others would not fit its dynamic linker.
OWN_LIBRARIES = ("libc.so.6", "ld-linux-x86-64.so.2")

# Our binary in the place of Debian's, the way an administrator does it.
SETUP = """
set -e
if ! [ -e /sbin/kexec.debian ]; then
	theirs=$(dpkg --listfiles kexec-tools | grep '/sbin/kexec$')
	dpkg-divert --local --rename --divert /sbin/kexec.debian --add $theirs
	cp /ng/kexec /sbin/kexec
	ldconfig
fi
/sbin/kexec --version
"""

# A first boot: kdump-tools.service makes the initrd of the capture kernel, and loads.
FIRST_JOB = """
ls -l /var/lib/kdump
kdump-config show
kdump-config unload
[ -s /var/lib/kdump/initrd.img-$(uname -r) ] && echo NG-PROOF made
sync
systemctl --no-block poweroff
"""
FLAVOURS = ("bookworm", "sysv", "sid")


class RebootingMachine(Machine):
    """One that goes on when its system resets it."""

    def arguments(self, folder):
        return [word for word in super().arguments(folder) if word != "-no-reboot"]


def archive(files):
    """A tar archive of {path: bytes or Path}, all of them programs to be simple."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, data in files.items():
            if isinstance(data, pathlib.Path):
                data = data.read_bytes()
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def our_files():
    """kexec and what it needs beyond Debian's minimum, for /ng/setup."""
    program = kexec_binary()
    libraries = {f"/usr/local/lib/{pathlib.Path(path).name}": data
                 for path, data in libraries_of(program).items()
                 if pathlib.Path(path).name not in OWN_LIBRARIES}
    return {"/ng/kexec": program, "/ng/setup": SETUP.encode(), **libraries}


class Debian(Guest):
    """The machine, with files over its root; what it writes is gone afterwards, unless kept."""

    def __init__(self, files, log=None, append="", folder=None, keep=False, machine=None,
                 flavour="bookworm"):
        folder = folder or disk_folder(flavour)
        self._payload = tempfile.NamedTemporaryFile(prefix="kexec-ng-debian.", suffix=".tar")
        self._payload.write(archive(files))
        self._payload.flush()
        kernel = Kernel(f"debian-{flavour}", folder / "vmlinuz", (folder / "release").read_text().strip())
        drive = "if=virtio,format=raw"
        super().__init__(
            machine or RebootingMachine(memory=768), kernel, (folder / "initrd").read_bytes(),
            f"root=/dev/vda ro net.ifnames=0 crashkernel=256M systemd.show_status=no {append}",
            log=log, limit=MAKE_LIMIT,
            qemu=["-drive", f"{drive},file={folder / 'disk'},snapshot={'off' if keep else 'on'}",
                  "-drive", f"{drive},file={self._payload.name},readonly=on"])

    def __exit__(self, *failure):
        super().__exit__(*failure)
        self._payload.close()


def disk_folder(flavour):
    """The folder with the disk of a flavour of debian-disk; makes it if it is not there."""
    recipe = (HERE / "debian-disk").read_bytes() + FIRST_JOB.encode()
    key = hashlib.sha256(recipe).hexdigest()[:12]
    folder = cache() / "debian" / f"{flavour}-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"lock-{flavour}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            make_disk(folder, flavour)
    return folder


def make_disk(folder, flavour):
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    if subprocess.run([HERE / "debian-disk", part, flavour], timeout=MAKE_LIMIT).returncode != 0:
        raise FileNotFoundError("no Debian: tests/vm/debian-disk failed")
    if flavour == "bookworm":
        files = {"/ng/setup": b"true\n", "/ng/job": FIRST_JOB.encode()}
        with Debian(files, folder=part, keep=True, machine=Machine(memory=768)) as machine:
            machine.expect("NG-PROOF made", seconds=2 * BOOT_LIMIT)
            machine.expect("reboot: Power down", seconds=BOOT_LIMIT)
    # Only the newest: each has half a gigabyte.
    for old in folder.parent.glob(f"{flavour}-*"):
        if old != part:
            shutil.rmtree(old)
    part.rename(folder)


if __name__ == "__main__":
    for name in FLAVOURS:
        print(disk_folder(name))
    sys.exit(0)
