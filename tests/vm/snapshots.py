# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that stands at purgatory's first instruction, as often as one likes, damaged each time.

QEMU takes a snapshot there, and one before the jump, when all is loaded. damage() goes back to the one,
damage_before() to the other; they change memory, and let the guest go on until it has reset itself, is in
the next kernel, or does neither.
"""

import dataclasses
import re
import select
import struct
import subprocess
import time

from guest import BUILD, Machine, json
from stopped import Stopped

DELAY_OFF = 0x24    # of fail_delay_ms in struct handoff
SHORT_DELAY = 20    # ms before the reset, in place of five seconds
SILENCE = 60        # seconds, more than a reset is put off, without a word, a reset or the next kernel: a hang


@dataclasses.dataclass
class Outcome:
    words: str
    is_reset: bool
    is_booted: bool

    @property
    def named(self):
        """What purgatory said is damaged, unusable, or an exception; None for nothing."""
        found = re.search(r"segment (\S+) is damaged|(handoff is unusable)|(exception \d+)", self.words)
        return next((text for text in found.groups() if text), None) if found else None

    @property
    def end(self):
        """The same in a word, for a table."""
        if self.is_booted:
            return "booted"
        if not self.is_reset:
            return "hang"
        if not self.named:
            return "reset"
        return "exception" if self.named.startswith("exception") else \
            "last words" if "and so is its report" in self.words else "named"


def symbols():
    """The symbols of purgatory, which is linked at 0: (address, name), in order."""
    listed = subprocess.run(["nm", "-n", BUILD / "purgatory" / "purgatory.elf"], text=True,
                            capture_output=True, check=True, timeout=20).stdout
    found = re.findall(r"^(\w+) [a-zA-Z] (\S+)$", listed, re.M)
    return [(int(address, 16), name) for address, name in found]


def empty_qcow2(path):
    """A disk of one MiB with nothing in it, version 2 of the format: QEMU keeps snapshots there."""
    cluster_bits, size = 16, 1 << 20
    cluster = 1 << cluster_bits
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, cluster_bits, size, 0,
                         1, 3 * cluster,    # the table of tables, of one entry
                         cluster, 1, 0, 0)  # the table of reference counts
    counts = struct.pack(">Q", 2 * cluster)
    used = struct.pack(">4H", 1, 1, 1, 1)
    clusters = [header, counts, used, b""]
    path.write_bytes(b"".join(part.ljust(cluster, b"\0") for part in clusters))


class Snapshots(Stopped):
    def __init__(self, log, files, folder, load, machine=Machine(), **how):
        disk = folder / "snapshots.qcow2"
        empty_qcow2(disk)
        # A guest that resets itself goes on, so that it can be brought back.
        super().__init__(log, files, load, machine, qemu=("-drive", f"if=none,format=qcow2,file={disk}",
                                                          "-action", "reboot=reset"), **how)
        self._ram_len = machine.memory << 20

    def __enter__(self):
        super().__enter__()
        try:
            self._hmp("savevm loaded")
            self.run_to_purgatory()
            self._hmp("savevm purgatory")
            self.start, _, _ = self.segment("purgatory")
            self.at = {name: self.start + address for address, name in symbols()}
            self._failures = [self.at["failure_end"], self.at["end_without_report"]]
            self._entry = int(self.plan["jump"]["entry"], 0)
            self._ends = [*self._failures, self._entry]
        except BaseException as why:
            self.__exit__(type(why), why, None)
            raise
        return self

    def segment(self, name):
        """Where it is, how many bytes are its own, and how many with what fills its last page."""
        (found,) = [s for s in self.plan["segments"] if s["name"] == name]
        return int(found["addr"], 0), found["len"], found["mem_len"]

    def _hmp(self, line):
        answer = self.guest.monitor("human-monitor-command", **{"command-line": line})
        if answer.strip():
            self.guest.fail(f"the monitor's {line}: {answer}")

    def damage(self, address, mask=1):
        """Changes those bits of that byte, and says what came of it."""
        self._hmp("loadvm purgatory")
        (byte,) = self.gdb.read(address, 1)
        self.gdb.write(address, bytes([byte ^ mask]))
        return self._outcome()

    def damage_before(self, place, mask=1):
        """Changes those bits of that byte before the jump. place: an offset, and the page that it is in, as it
        was staged: wherever the kernel keeps that until it copies it, and any other copy too."""
        offset, page = place
        self._hmp("loadvm loaded")
        found = list(self._pages_like(page))
        for at in found:
            (byte,) = self.gdb.read(at + offset, 1)
            self.gdb.write(at + offset, bytes([byte ^ mask]))
        self.guest.send_line()
        return len(found), self._outcome()

    def _pages_like(self, page):
        """Where in RAM there are pages with these bytes."""
        ram = self.guest.memory(0, self._ram_len)
        at = ram.find(page)
        while at >= 0:
            if at % len(page) == 0:
                yield at
            at = ram.find(page, at + 1)

    def _events(self):
        """What QEMU tells; whole messages only are taken off the line."""
        text = b""
        while not text.endswith(b"\n"):
            more = self.guest._qmp.recv(65536)
            if not more:
                self.guest.fail("QEMU has gone")
            text += more
        return [json.loads(line) for line in text.splitlines()]

    def _outcome(self):
        """Lets it run until it is known what becomes of it, and stops it there."""
        guest, gdb, first = self.guest, self.gdb, len(self.guest.lines)
        guest._partial = b""
        is_reset = is_booted = False
        for address in self._ends:
            gdb.break_at(address)
        gdb.resume()
        deadline = time.monotonic() + SILENCE
        while not (is_reset or is_booted) and time.monotonic() < deadline:
            ready, _, _ = select.select([guest._qmp, gdb._socket], [], [], 0.1)
            guest._read(0)
            if guest._qmp in ready:
                is_reset = any(event.get("event") == "RESET" and event["data"]["guest"]
                               for event in self._events())
            elif gdb._socket in ready and gdb.has_packet():
                gdb._receive()
                is_booted = gdb.registers().linear == self._entry
                if not is_booted:
                    # Five seconds before the reset would show nothing.
                    gdb.write(self.at["handoff"] + DELAY_OFF, SHORT_DELAY.to_bytes(4, "little"))
                    for address in self._failures:
                        gdb.unbreak(address, is_there=False)
                    gdb.resume()
                deadline = time.monotonic() + SILENCE
        if not is_booted:
            gdb.interrupt()
        for address in self._ends:
            gdb.unbreak(address, is_there=False)
        guest._read(0)
        words = [text for _, text in guest.lines[first:]] + [guest._partial.decode("latin1")]
        return Outcome("\n".join(words), is_reset, is_booted)
