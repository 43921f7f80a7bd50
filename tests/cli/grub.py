# SPDX-License-Identifier: GPL-2.0-or-later
"""A grub.cfg as Debian's own grub-mkconfig writes it, for a /boot that is made up.

What it asks of the machine's disks is answered here (grub-probe); all else is the package's.
"""

import shutil
import subprocess

import images
from kexec_run import TOP

UUID = "11111111-2222-3333-4444-555555555555"
DEFAULTS = """GRUB_DISTRIBUTOR=Debian
GRUB_DISABLE_OS_PROBER=true
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
"""
PROBE = f"""#!/bin/sh
for word; do
	case $word in
	--target=*) target=${{word#*=}} ;;
	-t) target= ;;
	*) target=${{target-$word}}; target=${{target:-$word}} ;;
	esac
done
case $target in
device) echo /dev/sda2 ;;
fs) echo ext2 ;;
fs_uuid) echo {UUID} ;;
partmap) echo gpt ;;
partuuid) echo 2-2 ;;
compatibility_hint) echo hd0,gpt2 ;;
drive) echo "(hd0,gpt2)" ;;
hints_string) echo "--hint-bios=hd0,gpt2 --hint-efi=hd0,gpt2" ;;
esac
"""
RELPATH = """#!/bin/sh
for path; do :; done
echo "${{path#{}}}"
"""


def tool(name):
    where = images.cache() / "tools" / "grub" / name
    if not where.exists() and subprocess.run([TOP / "tests/vm/fetch", "grub"], timeout=600,
                                             check=False).returncode:
        raise FileNotFoundError("no grub-mkconfig: tests/vm/fetch failed")
    return where


def mkconfig(work, boot, defaults="", has_boot_partition=False):
    """Writes boot/grub/grub.cfg for the kernels in boot, by a copy of the package's programs below
    the folder work that takes work for /. With a partition for it, boot is where that is mounted."""
    root = work / "mkconfig"
    for folder in ("usr/sbin", "usr/bin", "usr/share/grub", "etc/grub.d", "etc/default"):
        (root / folder).mkdir(parents=True)
    shutil.copytree(boot, root / "boot")
    (root / "boot/grub").mkdir(exist_ok=True)
    places = {"grub-mkconfig": "usr/sbin", "grub-mkconfig_lib": "usr/share/grub",
              **{name: "etc/grub.d" for name in ("00_header", "10_linux", "30_uefi-firmware",
                                                 "41_custom")}}
    for name, folder in places.items():
        text = tool(name).read_text()
        for path in ("/usr/share", "/usr", "/etc"):
            text = text.replace(f'"{path}"', f'"{root}{path}"')
        for path in ("vmlinuz", "vmlinux", "kernel"):
            text = text.replace(f" /boot/{path}-", f" {root}/boot/{path}-")
        write(root / folder / name, text.replace("/boot/grub", f"{root}/boot/grub"))
    write(root / "usr/sbin/grub-probe", PROBE)
    write(root / "usr/bin/grub-mkrelpath",
          RELPATH.format(root / "boot" if has_boot_partition else root))
    shutil.copy(tool("grub-editenv"), root / "usr/bin/grub-editenv")
    (root / "usr/bin/grub-editenv").chmod(0o755)
    write(root / "etc/default/grub", DEFAULTS + defaults)
    done = subprocess.run(["bash", root / "usr/sbin/grub-mkconfig"], capture_output=True, text=True,
                          timeout=60, check=False, cwd=root,
                          env={"PATH": f"{root}/usr/bin:{root}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
                               "LC_ALL": "C"})
    assert done.returncode == 0 and "menuentry" in done.stdout, done
    (boot / "grub").mkdir(exist_ok=True)
    (boot / "grub/grub.cfg").write_text(done.stdout.replace(str(root), ""))


def write(where, text):
    where.write_text(text)
    where.chmod(0o755)


def editenv(file, **values):
    """grubenv by grub-editenv, the real one."""
    program = file.parent / "grub-editenv"
    shutil.copy(tool("grub-editenv"), program)
    program.chmod(0o755)
    words = [f"{name}={value}" for name, value in values.items()]
    subprocess.run([program, file, "create"], check=True, timeout=20)
    subprocess.run([program, file, "set", *words], check=True, timeout=20)
    program.unlink()
