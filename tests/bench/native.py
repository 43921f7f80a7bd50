# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured on this machine itself: digests, and what a load costs the running system.

kexec-tools has no rehearsal, so its load runs for real, up to the system call: it is refused, for
want of CAP_SYS_BOOT and by seccomp (confine.c, which verifies both before it starts anything).
"""

import os
import re
import statistics
import struct
import subprocess

import guest
import images

CONFINE = ["setpriv", "--bounding-set=-sys_boot", "--inh-caps=-sys_boot"]
SHT_NOBITS, ET_REL, EM_X86_64 = 8, 1, 62
LIMIT = 600


def embedded_object(program):
    """The relocatable object inside kexec-tools' command: what it loads as purgatory."""
    data, at = program.read_bytes(), 1
    while (at := data.find(b"\x7fELF\x02\x01\x01", at)) > 0:
        if struct.unpack_from("<HH", data, at + 16) == (ET_REL, EM_X86_64):
            break
        at += 1
    else:
        raise ValueError("no object inside kexec")
    sections, = struct.unpack_from("<Q", data, at + 40)
    size, count = struct.unpack_from("<HH", data, at + 58)
    end = sections + size * count
    for header in range(at + sections, at + end, size):
        if struct.unpack_from("<I", data, header + 4)[0] != SHT_NOBITS:
            end = max(end, sum(struct.unpack_from("<QQ", data, header + 24)))
    return data[at:at + end]


def peer_object(tool, prefix):
    """Its SHA-256 as an object to link; all other names become local."""
    path = images.WORK / f"{prefix}.o"
    path.write_bytes(embedded_object(tool.program))
    names = [f"sha256_{what}" for what in ("starts", "update", "finish")]
    subprocess.run(["objcopy", *(f"--redefine-sym={name}={prefix}_{name}" for name in names), path],
                   check=True, timeout=60)
    subprocess.run(["objcopy", *(f"--keep-global-symbol={prefix}_{name}" for name in names), path],
                   check=True, timeout=60)
    return path


def digests(peer, newest, rounds):
    """{way: bytes per second}; ours are the objects that purgatory is made of."""
    ours = [guest.BUILD / "purgatory" / f"{name}.o"
            for name in ("crc32c.c", "sha256.c", "sha256_ni.S")]
    program = images.program("digests", "-no-pie", "-Wl,-z,noexecstack",
                             "-iquote", guest.TOP / "include", peer_object(peer, "peer"),
                             peer_object(newest, "newest"), *ours)
    said = subprocess.run([program, str(rounds)], capture_output=True, text=True, check=True,
                          timeout=LIMIT).stdout
    return {name: int(speed) for name, speed in map(str.split, said.splitlines())}


def can_confine():
    return os.geteuid() == 0


def confined(program, what, command, expected):
    done = subprocess.run([*CONFINE, program, *what, *command], capture_output=True, text=True,
                          timeout=LIMIT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    lines = [line.split() for line in done.stdout.splitlines() if re.fullmatch(r"[\d. ]+", line)]
    for line in lines:
        if int(line[-1]) != expected:
            raise RuntimeError(f"{' '.join(map(str, command))}: status {line[-1]}, not {expected}; "
                               f"{done.stderr.strip()}")
    if expected and "kexec_load failed: Operation not permitted" not in done.stderr:
        raise RuntimeError(f"it ended elsewhere than at the system call: {done.stderr.strip()}")
    return lines


def loads(peer, newest, kernel, initrd, gzip_initrd, rounds):
    """What a load costs up to the system call: CPU seconds (medians) and peak memory."""
    confine = images.program("confine")
    ours = [guest.kexec_binary(), "--dry-run", "-l", kernel.image]
    common = [f"--initrd={initrd.path}", "--append=console=ttyS0"]
    cases = {
        f"kexec-tools {peer.suite} -c": [*peer.command(), "-c", "-l", kernel.image, *common],
        f"kexec-tools {newest.suite} -c": [*newest.command(), "-c", "-l", kernel.image, *common],
    }
    for enter in ("64", "direct"):
        for digest in ("crc32c", "sha256", "none"):
            cases[f"ours {enter} {digest}"] = [*ours, *common, f"--enter={enter}",
                                               f"--digest={digest}"]
    for when in ("no", "yes", "auto"):
        cases[f"ours direct crc32c, 40 MB gzip, --initrd-unpack={when}"] = [
            *ours, f"--initrd={gzip_initrd.path}", "--append=console=ttyS0", "--enter=direct",
            f"--initrd-unpack={when}"]
    times = {name: [] for name in cases}
    expected = {name: 255 if name.startswith("kexec-tools") else 0 for name in cases}
    for _ in range(rounds):
        for name, command in cases.items():
            times[name] += confined(confine, ["time", "1"], command, expected[name])
    result = {}
    for name, command in cases.items():
        user, system, wall = (statistics.median(float(line[i]) for line in times[name])
                              for i in range(3))
        anon, shmem, total, _ = map(int, confined(confine, ["peak"], command, expected[name])[0])
        result[name] = {"user_s": user, "system_s": system, "wall_s": wall, "rss_anon_kib": anon,
                        "rss_shmem_kib": shmem, "peak_kib": total}
    return result
