# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that are counted: one loader loads one kernel and enters it."""

import dataclasses
import re
import shlex
import threading

import guest

LIMIT = 1800  # seconds for one guest; the slowest takes minutes
CPU = "max,la57=off"
MEMORY = 2048
# nokaslr for both: then start_kernel is at the address that /proc/kallsyms of any boot shows.
FIRST_APPEND = "nokaslr quiet loglevel=0"
SECOND_APPEND = "console=ttyS0 nokaslr quiet loglevel=0 panic=-1"
ICOUNT = "shift=0,sleep=off"

PLACES = ("reboot", "copy", "check", "stub", "vmlinux", "start_kernel", "init")
PHASES = {  # place -> what goes on from there to the next
    "reboot": "shutdown", "copy": "copy", "check": "check", "stub": "unpack",
    "vmlinux": "startup", "start_kernel": "boot",
}
_symbols, _symbols_lock = {}, threading.Lock()


@dataclasses.dataclass(frozen=True)
class Loader:
    """Who loads. words: its command, in which {kernel}, {vmlinux}, {initrd}, {append} get filled in."""

    name: str
    words: tuple
    files: dict
    direct: bool = False        # enters the image inside
    plain: bool = False         # gets the initrd unpacked, as it cannot do that itself

    def command(self):
        return shlex.join(word.format(kernel="/kernel", vmlinux="/vmlinux", initrd="/initrd",
                                      append=SECOND_APPEND) for word in self.words)


class CountedGuest(guest.Guest):
    running = set()

    def __init__(self, plugin, options, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.places_path = self._folder / "places"
        loaded = ",".join([str(plugin), f"out={self.places_path}", *options])
        self._command += ["-icount", ICOUNT, "-plugin", loaded]
        self._command[self._command.index(str(guest.GUEST_LIMIT))] = str(LIMIT)

    def __enter__(self):
        self.running.add(self)
        return super().__enter__()

    def __exit__(self, *why):
        self.running.discard(self)
        super().__exit__(*why)

    @classmethod
    def stop_all(cls):
        for counted in list(cls.running):
            counted._process.terminate()


def start_kernel(actor, second):
    """Where start_kernel of a kernel is, without KASLR: from a boot of it."""
    with _symbols_lock:
        if second.kernel.name not in _symbols:
            initrd = guest.initramfs({"": "run /sbin/actor symbols start_kernel"},
                                     {"/sbin/actor": actor})
            machine = guest.Machine(memory=512, cpu=CPU)
            with guest.Guest(machine, second.kernel, initrd, FIRST_APPEND) as booted:
                found = booted.expect(r"NG-SYMBOL start_kernel ([0-9a-f]+)", LIMIT)
            _symbols[second.kernel.name] = found[1]
        return _symbols[second.kernel.name]


def read_places(text):
    """{place: (insns, repeated, repeated bytes, host seconds)}"""
    found = {}
    for line in text.splitlines():
        place, *numbers = line.split()
        insns, repeated, repeated_bytes, ns = map(int, numbers)
        if place in found:
            raise ValueError(f"{place} twice in {text}")
        found[place] = (insns, repeated, repeated_bytes, ns / 1e9)
    return found


def minus(later, earlier):
    insns, repeated, repeated_bytes, seconds = (a - b for a, b in zip(later, earlier))
    return {"insns": insns, "repeated": repeated, "repeated_bytes": repeated_bytes,
            "host_s": round(seconds, 3)}


def phases_of(places, direct):
    wanted = [place for place in PLACES if not (direct and place == "stub")]
    came = sorted((place for place in places if place in PLACES), key=lambda p: places[p][0])
    if sorted(came, key=PLACES.index) != wanted:
        raise ValueError(f"came by {' '.join(places)}, expected {' '.join(wanted)}")
    return {PHASES[place]: minus(places[after], places[place])
            for place, after in zip(wanted, wanted[1:])}


def measure(plugin, actor, loader, first, second, initrd, cpu=CPU):
    """One run; what it took, by phase."""
    job = f"run /sbin/actor count {loader.command()}\nrun /sbin/actor jump"
    archive = guest.initramfs({"": f"limit 3000\n{job}"}, {
        **loader.files, "/sbin/actor": actor, "/kernel": second.kernel.image,
        "/initrd": initrd.plain if loader.plain else initrd.path,
        **({"/vmlinux": second.vmlinux} if "{vmlinux}" in loader.words else {})})
    options = [f"start_kernel={start_kernel(actor, second)}", f"stub={second.stub.hex()}",
               f"vmlinux={second.entry.hex()}"]
    machine = guest.Machine(cpu=cpu, memory=MEMORY)
    log = guest.BUILD / "bench-logs" / re.sub(
        r"[^\w.=-]+", "_", f"{loader.name}-{second.kernel.name}-{initrd.name}-{cpu}")
    with CountedGuest(plugin, options, machine, first, archive, FIRST_APPEND, log=log) as counted:
        counted.expect(r"NG-COUNTED 0$", LIMIT)
        counted.expect(r"NG-JUMP", LIMIT)
        begin = len(counted.lines)
        release, files, data_len = counted.expect(r"NG-INIT (\S+) (\d+) (\d+)", LIMIT).groups()
        said = [text for _, text in counted.lines[begin:] if text.strip() and "NG-" not in text]
        places = read_places(counted.places_path.read_text())
        if release != second.kernel.release:
            raise guest.GuestFailed(f"{release} came up, not {second.kernel.release}")
        if (int(files), int(data_len)) != (initrd.files, initrd.data_len):
            raise guest.GuestFailed(f"{files} files of {data_len} bytes came with the initrd, not "
                                    f"{initrd.files} of {initrd.data_len}")
        phases = phases_of(places, loader.direct)
    return {"loader": loader.name, "first": first.name, "second": second.kernel.name,
            "initrd": initrd.name, "cpu": cpu, "phases": phases,
            "load": minus(places["end"], places["begin"]),
            "to_start_kernel": sum(v["insns"] for k, v in phases.items() if k != "boot"),
            "to_init": sum(v["insns"] for v in phases.values()), "said": said}
