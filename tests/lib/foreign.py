# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of others that kexec boots: files of Debian packages, each fetched once by apt and kept in
the cache. Nothing is installed."""

import os
import pathlib
import subprocess
import tempfile

LIMIT = 300  # seconds for apt

XEN = ("xen-hypervisor-4.17-amd64", "boot/xen-4.17-amd64.gz")
MEMTEST_64 = ("memtest86+", "boot/memtest86+x64.bin")
MEMTEST_32 = ("memtest86+", "boot/memtest86+ia32.bin")


def cache():
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return pathlib.Path(os.environ.get("KEXEC_NG_CACHE") or home / "kexec-ng")


def _download(package, work):
    """Unpacks a package below a folder."""
    subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package],
                   cwd=work, check=True, timeout=LIMIT)
    deb, = pathlib.Path(work).glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", deb, f"{work}/root"], check=True, timeout=LIMIT)
    return pathlib.Path(work) / "root"


def fetched(what):
    """The path of a file, one of those above."""
    package, name = what
    where = cache() / "foreign" / package / pathlib.PurePath(name).name
    if where.exists():
        return where
    where.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=where.parent) as work:
        (_download(package, work) / name).rename(where)
    return where


def unpacked(package):
    """The folder with all files of a package."""
    where = cache() / "foreign" / package / "root"
    if where.exists():
        return where
    where.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=where.parent) as work:
        _download(package, work).rename(where)
    return where
