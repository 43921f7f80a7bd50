# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make install` puts where, and the Debian package: built, read by lintian, put in place of
kexec-tools below a root of its own. No maintainer script runs: there is none."""

import os
import re
import shutil
import subprocess

import pytest

from kexec_run import TOP, confine

LIMIT = 600  # seconds; a build takes one minute on a machine that does nothing else
FILES = {"sbin/kexec", "sbin/vmcore-dmesg", "sbin/kexec-cycle",
         "lib/systemd/system/kexec-cycle.service", "share/man/man8/kexec.8",
         "share/man/man8/kexec-cycle.8",
         "share/man/man8/vmcore-dmesg.8", "share/bash-completion/completions/kexec",
         "share/zsh/site-functions/_kexec"}


def command(*words, **popen):
    done = subprocess.run([*confine(), *map(str, words)], capture_output=True, text=True,
                          timeout=LIMIT, cwd=TOP, env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                          **popen)
    assert done.returncode == 0, (words, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("prefix", ["/usr", "/opt/ng"])
def test_install(folder, prefix):
    # As it was built: other tests are using it.
    static = ["STATIC=1"] if (TOP / "build" / "link-static").exists() else []
    command("make", "install", f"DESTDIR={folder}/dest", f"PREFIX={prefix}", *static)
    where = folder / "dest" / prefix.lstrip("/")
    assert files_below(folder / "dest") == {f"{prefix.lstrip('/')}/{name}" for name in FILES}
    assert os.access(where / "sbin" / "kexec", os.X_OK)
    assert command(where / "sbin" / "kexec", "--version").startswith("kexec-ng ")
    unit = (where / "lib/systemd/system/kexec-cycle.service").read_text()
    assert f"\nExecStart={prefix}/sbin/kexec-cycle resume\n" in unit and "@" not in unit


def test_unit(folder):
    """systemd's own reader has nothing to say about it."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    text = (TOP / "scripts" / "kexec-cycle.service").read_text()
    unit = folder / "kexec-cycle.service"
    unit.write_text(text.replace("@SBINDIR@/kexec-cycle", "/bin/true"))
    assert command("systemd-analyze", "verify", "--man=no", unit) == ""


@pytest.fixture(scope="module")
def package():
    if not shutil.which("dpkg-buildpackage") or not shutil.which("dh"):
        pytest.skip("no tools to build a Debian package")
    command("make", "deb")
    (found,) = (TOP / "build" / "deb").glob("kexec-ng_*.deb")
    return found


def test_version(package):
    makefile = (TOP / "Makefile").read_text()
    version = re.search(r"^VERSION := (.*)$", makefile, re.M)[1]
    assert command("dpkg-deb", "-f", package, "Version").strip() == version


def test_lintian(package):
    if not shutil.which("lintian"):
        pytest.skip("no lintian")
    changes = package.parent.glob("*.changes")
    # kexec-cycle is no daemon: with sysvinit a line in /etc/rc.local starts it.
    assert command("lintian", "--allow-root", "--display-info", "--pedantic", "--suppress-tags",
                   "package-supports-alternative-init-but-no-init.d-script", *changes) == ""


def test_contents(package, folder):
    command("dpkg-deb", "-x", package, folder / "tree")
    names = {name.removeprefix("usr/").replace("vendor-completions", "site-functions")
             for name in files_below(folder / "tree") if not name.startswith("usr/share/doc/")}
    assert {name.removesuffix(".gz") for name in names} == FILES
    command("dpkg-deb", "-e", package, folder / "control")
    assert files_below(folder / "control") == {"control", "md5sums"}


def other_package(folder, where):
    """A package kexec-tools with nothing but the program, where a release of Debian has it."""
    tree = folder / "kexec-tools"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / where).mkdir(parents=True)
    (tree / where / "kexec").write_text("theirs\n")
    (tree / where / "coldreboot").write_text("theirs\n")
    (tree / "DEBIAN" / "control").write_text(
        "Package: kexec-tools\nVersion: 1:2.0.25-3\nArchitecture: amd64\n"
        "Maintainer: nobody <nobody@example.org>\nDescription: stands in for the real one\n")
    command("dpkg-deb", "-Zgzip", "--root-owner-group", "-b", tree, folder / "kexec-tools.deb")
    return folder / "kexec-tools.deb"


def test_takes_the_place_of_kexec_tools(package, folder):
    """Their file goes, ours is there: by both names, as /sbin is a link."""
    root = folder / "root"
    for part in ("usr/sbin", "var/lib/dpkg/updates", "var/lib/dpkg/info"):
        (root / part).mkdir(parents=True)
    (root / "sbin").symlink_to("usr/sbin")
    (root / "var/lib/dpkg/status").touch()
    (root / "var/lib/dpkg/available").touch()
    where = "sbin" if " ./sbin/kexec" in command("dpkg-deb", "-c", package) else "usr/sbin"
    dpkg = ("dpkg", f"--root={root}", f"--log={folder}/log", "--force-not-root",
            "--force-script-chrootless")
    command(*dpkg, "--unpack", other_package(folder, where))
    assert (root / "sbin/kexec").read_text() == "theirs\n"
    command(*dpkg, "--unpack", package)
    assert (root / "usr/sbin/kexec").read_bytes()[:4] == b"\x7fELF"
    assert not (root / "sbin/coldreboot").exists()
    status = (root / "var/lib/dpkg/status").read_text()
    assert "Package: kexec-ng\n" in status and "Package: kexec-tools\nStatus: install" not in status
