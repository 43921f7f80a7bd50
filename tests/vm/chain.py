# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests in which one kernel after the other loads and enters the next, and what each found.

    with Chain(Machine(), kernel("6.1-cloud"), [Jump(kernel("7-amd64"), "--seed=1")], log) as chain:
        for arrival in chain.arrivals():
            assert arrival.is_direct

Each kernel shows its plan for the next one (--json), so that what arrived can be held against it.
"""

import dataclasses
import json
import shlex

from guest import Guest, Kernel, initramfs, kexec_files

APPEND = "console=ttyS0 panic=-1 loglevel=4"
KASLR_FLAG = 0x02  # of boot_params' loadflags: what the kernel has of KASLR it does too


@dataclasses.dataclass(frozen=True, eq=False)
class Jump:
    """To which kernel, with which more words for kexec and for the kernel's command line."""

    kernel: Kernel
    words: str = ""
    append: str = ""
    image: bytes = None           # another wrapping of that kernel
    program: str = "/sbin/kexec"  # what loads it; all else does the one of that name
    steps: tuple = ()             # what the init there does besides

    def command_line(self, n):
        return " ".join(word for word in (APPEND, self.append, f"ng.job=stage{n}") if word)

    @property
    def is_file_call(self):
        """Does the running kernel load it? Then there is no plan."""
        return "-s" in self.words.split()

    @property
    def is_rt(self):
        return "-rt-" in self.kernel.name


@dataclasses.dataclass(frozen=True)
class Arrival:
    """A kernel that was entered: by which jump and plan, and what the one before and it found."""

    jump: Jump
    plan: dict
    said: str      # what kexec printed besides
    before: dict
    facts: dict
    found: dict    # what the jump's steps printed: {"NG-SYMBOLS": {...}}

    @property
    def base(self):
        return address_of(self.plan, "kernel")

    @property
    def delta(self):
        return int(self.plan["kaslr"]["vaddr_delta"], 0)

    @property
    def is_where_planned(self):
        """Does it run where the plan has the kernel, at the virtual address that the plan has?"""
        return (int(self.facts["kernel_code"], 0) == self.base and
                int(self.facts["text"], 0) == self.jump.kernel.bzimage.link_text + self.delta)

    @property
    def is_direct(self):
        """By what ran: the stub would have drawn another place. Tells only where one was drawn."""
        assert self.plan["kaslr"]["drawn"], "nothing was drawn: this cannot tell"
        return self.is_where_planned

    @property
    def is_randomized(self):
        return bool(int(self.facts["loadflags"], 0) & KASLR_FLAG)

    @property
    def reasons(self):
        """Why the plan has the stub unpack the kernel."""
        return [n["text"] for n in self.plan["notes"] if n["id"] == "bzimage/by-stub"]

    def check_same_machine(self, has_acpi=True):
        """Nothing of the machine got lost on the way."""
        before, after = self.before, self.facts
        wanted = ["cpus", "acpi_tables", "memmap_ram"]
        if not self.jump.is_file_call:
            # That of 5.10 cuts its own map where it was handed setup_data, and hands on the pieces.
            wanted += ["memmap", "memmap_digest"]
        for what in wanted:
            assert after[what] == before[what], what
        assert (after["acpi_tables"] > 0) == has_acpi and after["sentinel"] == 0
        # A 32-bit kernel has no use for 64-bit firmware; a realtime one leaves its services alone
        # and has none to hand on. Those that are built small know nothing of it.
        if before["efi_runtime_maps"] and self.jump.kernel.bits == 64 and self.jump.kernel.module:
            assert after["efi"]
            assert after["efi_runtime_maps"] == before["efi_runtime_maps"] * (not self.jump.is_rt)


def address_of(plan, name):
    (segment,) = [s for s in plan["segments"] if s["name"] == name]
    return int(segment["addr"], 0)


def split_json(text):
    """The JSON object in it, and the rest."""
    begin, end = text.index("{"), text.rindex("}") + 1
    return json.loads(text[begin:end]), text[:begin] + text[end:]


class Chain(Guest):
    """A guest that goes all the jumps. Only the last may be to a 32-bit kernel.

    Each kernel of Debian's there also loads a module of its own. waits: before it jumps a kernel
    waits for a line from the host. steps: what the first kernel's init does besides.
    """

    def __init__(self, machine, first, jumps, log, append="", waits=False, programs=None,
                 steps=(), **options):
        self.jumps, self._waits, self._programs = jumps, waits, programs or {}
        self._steps = steps
        super().__init__(machine, first, self._initramfs(),
                         f"loglevel=4 ng.job=stage0 {append}".strip(), log=log, **options)

    def _job(self, n):
        """The commands of the kernel that the first n jumps lead to."""
        lines = ["limit 600", "facts"]
        if n:
            jump = self.jumps[n - 1]
            lines += [*jump.steps, *(f"load-module {path}" for path in self._modules(n, n))]
        else:
            lines += self._steps
        lines.append(f"proof stage{n}")
        if n < len(self.jumps):
            lines += self._load(n + 1) + ["wait"] * self._waits + ["run /sbin/kexec -e"]
        return "\n".join(lines)

    def _load(self, n):
        jump, lines = self.jumps[n - 1], []
        append = shlex.quote(f"--append={jump.command_line(n)}")
        if jump.kernel.bits == 64:
            initrd = "/next"
            files = sorted({*self._images(n + 1), *self._modules(n)})
            lines = [f"pack {initrd} /init /dev /jobs /sbin /lib /lib64 {' '.join(files)}"]
        else:
            initrd = "/last"
        return lines + [f"run {jump.program} -l {self._path(n)} --initrd={initrd} --json "
                        f"{jump.words} {append}"]

    def _path(self, n):
        """All files are in the root: an archive of theirs needs no folders."""
        jump = self.jumps[n - 1]
        return f"/k.{n}" if jump.image else f"/k.{jump.kernel.name}"

    def _images(self, n):
        """What the jumps from number n on load: path and contents."""
        found = {}
        for k, jump in enumerate(self.jumps[n - 1:], start=n):
            found[self._path(k)] = jump.image or jump.kernel.image
            if jump.kernel.bits == 32:
                assert k == len(self.jumps), "kexec is no 32-bit program"
                found["/last"] = initramfs({f"stage{k}": self._job(k)}, self._modules(k), bits=32)
        return found

    def _modules(self, n, last=None):
        return {f"/m.{jump.kernel.name}": jump.kernel.module for jump in self.jumps[n - 1:last]
                if jump.kernel.module}

    def _initramfs(self):
        jobs = {f"stage{n}": self._job(n) for n in range(len(self.jumps) + 1)}
        return initramfs(jobs, {**kexec_files(), **self._programs, **self._images(1),
                                **self._modules(1)})

    def leave(self, jump, plan):
        """Lets the kernel that waits jump."""
        self.send_line()

    def planned(self, jump):
        """The next plan that a kernel shows, and what kexec printed besides."""
        said = self.output_of(jump.program)
        return (None, said) if jump.is_file_call else split_json(said)

    def arrivals(self):
        """Each kernel that is entered, when it has done what it has to before its own jump."""
        before = self.facts()
        assert before["release"] == self.first.release
        for n, jump in enumerate(self.jumps, start=1):
            plan, said = self.planned(jump)
            if self._waits:
                self.expect("NG-WAIT")
                self.leave(jump, plan)
            self.expect("NG-RUN /sbin/kexec -e")
            at = self._seen
            facts = self.facts()
            self.expect(f"NG-PROOF stage{n} ")
            found = [line.partition(" ") for _, line in self.lines[at:self._seen]]
            arrival = Arrival(jump, plan, said, before, facts, {
                verb: json.loads(rest) for verb, _, rest in found if verb in ("NG-SYMBOLS", "NG-TRACE")})
            assert facts["release"] == jump.kernel.release
            assert facts["cmdline"] == jump.command_line(n)
            assert jump.is_file_call or facts["cmdline"] == plan["cmdline"]
            yield arrival
            before = facts
        self.expect("NG-END")
