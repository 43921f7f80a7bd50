# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that is stopped on its way from one kernel into the next, and looked at."""

import re

from guest import Gdb, Guest, GuestFailed, Machine, initramfs, kernel, kexec_files

APPEND = "console=ttyS0 panic=-1"


def contents(second, job="facts\nproof second", files=None):
    """The files of the first kernel's initramfs; kexec finds k2 and i2 where it is started."""
    return {**kexec_files(), "/k2": second.image.read_bytes(),
            "/i2": initramfs({"": job}, files, second.bits)}


def load_command(options="", append=APPEND, seed=1):
    return f"run /sbin/kexec -l k2 --initrd=i2 '--append={append}' --seed={seed} --json {options}"


class Stopped:
    """A guest with such files has loaded k2, and stands before it jumps. run_to() goes on.

    Use it as a context. plan is what the load printed. leave is how it jumps.
    """

    def __init__(self, log, files, load=load_command(), machine=Machine(), first="6.1-cloud",
                 leave="run /sbin/kexec -e", append="", **how):
        initrd = initramfs({"": f"{load}\nwait\n{leave}"}, files)
        self.guest = Guest(machine, kernel(first), initrd, f"loglevel=4 no_timer_check {append}".strip(), log=log, gdb=True,
                           **how)
        self.gdb = None

    def __enter__(self):
        self.guest.__enter__()
        try:
            self.guest.qmp()
            self.plan = self.guest.plan()
            self.guest.expect("NG-WAIT")
            self.gdb = Gdb(self.guest.gdb_path)
            self.guest.send_line()
        except BaseException as why:
            self.__exit__(type(why), why, None)
            raise
        return self

    def __exit__(self, *why):
        if self.gdb:
            self.gdb.close()
        self.guest.__exit__(*why)

    def run_to(self, address, seconds=120):
        """Goes on until the CPU is at that address, which no program may have for its own."""
        try:
            self.gdb.break_at(address)
            self.gdb.resume()
            self.gdb.wait_stop(address, seconds)
            self.gdb.unbreak(address)
        except (GuestFailed, ConnectionError) as why:
            self.guest.fail(f"on the way to {address:#x}: {why}")

    def run_to_purgatory(self):
        self.run_to(int(self.plan["entry"], 0))

    def run_to_kernel(self):
        """To the first instruction behind purgatory."""
        self.run_to(int(self.plan["jump"]["entry"], 0))

    def flip(self, address):
        (byte,) = self.gdb.read(address, 1)
        self.gdb.write(address, bytes([byte ^ 0x01]))
        assert self.gdb.read(address, 1) == bytes([byte ^ 0x01])

    def xmm(self, n):
        """The low 128 bits of vector register n."""
        text = self.guest.monitor("human-monitor-command", **{"command-line": "info registers"})
        words = re.search(rf"\b[XYZ]MM{n:02d}=((?:[0-9a-f]{{16}} ?)+)", text)[1]
        return int(words.replace(" ", ""), 16) % (1 << 128)
