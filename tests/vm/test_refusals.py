# SPDX-License-Identifier: GPL-2.0-or-later
"""What the owner of a machine forbids is refused by its running kernel, and nothing else happens.

Each guest loads a kernel for the next boot and one for a panic, then a policy comes into force. Every
way to load and to unload has to end with the status of its kind, one line of cause with the id, one
line of what to do, and both kernels still loaded. Then the first of them is jumped into.

What is loaded for a panic is an exception where the file call gets as far as the new kernel's
signature: Linux drops the old one before it looks. That has to be said.
"""

import dataclasses
import hashlib
import re

import pytest

from guest import Guest, Machine, initramfs, initrd_parts, kernel, kexec_files

SECOND = "6.12-amd64"
# The first kernel that has limits.
LIMITED = "6.12-amd64"
FAILED = 255
PATIENCE = 450  # seconds for all commands of a guest
REDRAWN = "\33[K"
FILES = "/k2 --initrd=/i2"
KERNEL = "/proc/sys/kernel"
LOCKDOWN = "/sys/kernel/security/lockdown"
IMA = "/sys/kernel/security/ima"
IS_LOADED = {"reboot": "/sys/kernel/kexec_loaded", "panic": "/sys/kernel/kexec_crash_loaded"}

LOADS = tuple(f"{call}-l {FILES}" for call in ("", "-a ", "-c ", "-s "))
CRASH_LOADS = tuple(f"{call}-p {FILES}" for call in ("", "-a ", "-c ", "-s "))
UNLOADS = ("-u", "-a -u", "-c -u", "-s -u")
CRASH_UNLOADS = ("-p -u", "-a -p -u", "-c -p -u", "-s -p -u")
ONLY_BY_LOAD = ("-c -u", "-c -p -u", f"--mem-max=0x30000000 -l {FILES}")  # what no other call may do
# One of each kind, for the short form.
SOME = (LOADS[0], LOADS[3], CRASH_LOADS[0], UNLOADS[0], CRASH_UNLOADS[0])
ALL = (*LOADS, *CRASH_LOADS, *UNLOADS, *CRASH_UNLOADS)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A command of kexec, and what it has to say."""
    words: str
    id: str
    cause: str = ""     # patterns
    advice: str = ""
    who: str = ""       # a verb of init before it
    drops: bool = False  # the running kernel has dropped what was loaded for a panic

    @property
    def command(self):
        return f"{self.who} run-expect {FAILED} /sbin/kexec {self.words}".strip()

    def check(self, text):
        lines = [line.rpartition(REDRAWN)[2] for line in text.splitlines()]
        lines = [line for line in lines if line and not re.match("kexec: (warning|note): ", line)]
        assert len(lines) == 2, (self, text)
        cause, action = lines
        assert re.fullmatch(rf"kexec: (?!try: ).{{20,}} \[{re.escape(self.id)}\]", cause), (self, text)
        assert re.fullmatch(r"kexec: try: .{10,}", action), (self, text)
        assert re.search(self.cause, cause) and re.search(self.advice, action), (self, text)


def loaded(reboot, panic):
    return [f"await {IS_LOADED['reboot']} {int(reboot)}", f"await {IS_LOADED['panic']} {int(panic)}"]


def guest_of(job, log, first, files=None):
    (initrd,) = initrd_parts({"": "facts\nproof second"}, 1)
    contents = {**kexec_files(), "/k2": kernel(SECOND).image, "/i2": initrd, "/run/there": b"",
                **(files or {})}
    job = "\n".join([f"limit {PATIENCE}", *job])
    return Guest(Machine(memory=1024), kernel(first), initramfs({"": job}, contents),
                 "loglevel=4 crashkernel=256M", log=log)


def forbidden(policy, refusals, log, first="6.1-cloud", again=()):
    """Lines of policy forbid each of these; again: what works all the same before the jump."""
    refusals = sorted(refusals, key=lambda refusal: refusal.drops)
    job = [f"run /sbin/kexec -l {FILES} --append=console=ttyS0", f"run /sbin/kexec -p {FILES}",
           *loaded(True, True), "run /sbin/kexec --show", *policy]
    for refusal in refusals:
        job += [refusal.command, *loaded(True, not refusal.drops)]
    job += ["run /sbin/kexec --show", *again, "run /sbin/kexec -e"]
    with guest_of(job, log, first) as guest:
        outputs = [guest.output_of("/sbin/kexec") for _ in range(3 + len(refusals) + 1)]
        is_gone = False
        for refusal, text in zip(refusals, outputs[3:], strict=False):
            refusal.check(text)
            assert ("[load/crash-kernel-gone]" in text) == (refusal.drops and not is_gone), text
            is_gone |= refusal.drops
        shown, mark, for_panic = outputs[2].partition("for a panic ")
        assert "/k2" in shown and "/k2" in for_panic
        if is_gone:
            for_panic = "nothing is loaded\n"
        assert outputs[-1].split() == f"{shown}{mark}{for_panic}".split()
        proof = guest.expect(r"NG-PROOF second release=(\S+) cmdline=(.*)")
        assert proof.groups() == (kernel(SECOND).release, "console=ttyS0")


def not_permitted(words, who="without-boot"):
    return Refusal(words, "kernel/no-capability", "CAP_SYS_BOOT", "as root", who)


def locked_down(words, name):
    """The file call may still be made; of it a signature is asked.

    Debian's kernels from 6.1 on trust the firmware's keys, of which these guests have none.
    """
    if words.startswith("-c ") or "--mem-max" in words:
        return Refusal(words, "kernel/lockdown", rf"locked down \({name}\)",
                       "leave -c out" if "-u" in words else "signed kernel with -s")
    return Refusal(words, "kernel/lockdown-signature", "kexec_file_load.*locked down", "signed",
                   drops="-p" in words)


def by_limit(words, name):
    return Refusal(words, "kernel/load-limit", f"kexec_load_limit_{name} is used up", "raise that limit")


def test_some(log_folder):
    """A switch that only a reboot turns back; before that, a process that may not even ask."""
    forbidden([f"write {KERNEL}/kexec_load_disabled 1"],
              [*(not_permitted(words) for words in (LOADS[0], CRASH_UNLOADS[0], "-e")),
               *(Refusal(words, "kernel/load-disabled", "kexec_load_disabled", "reboot")
                 for words in SOME)], log_folder)


def test_some_lockdown(log_folder):
    forbidden([f"write {LOCKDOWN} integrity"],
              [locked_down(words, "integrity")
               for words in (LOADS[0], LOADS[2], CRASH_LOADS[2], CRASH_LOADS[3], "-c -u")], log_folder)


@pytest.mark.long_form
@pytest.mark.parametrize("first", ["6.1-amd64", "6.12-amd64", "5.10-amd64"])
def test_load_disabled(first, log_folder):
    forbidden([f"write {KERNEL}/kexec_load_disabled 1"],
              [Refusal(words, "kernel/load-disabled", "kexec_load_disabled", "reboot") for words in ALL],
              log_folder, first=first)


@pytest.mark.long_form
@pytest.mark.parametrize("name", ["integrity", "confidentiality"])
@pytest.mark.parametrize("first", ["6.1-amd64", "6.12-amd64"])
def test_lockdown(first, name, log_folder):
    forbidden([f"write {LOCKDOWN} {name}"],
              [locked_down(words, name) for words in (*LOADS, *CRASH_LOADS, *ONLY_BY_LOAD)],
              log_folder, first=first)


@pytest.mark.long_form
@pytest.mark.parametrize("name", ["integrity", "confidentiality"])
def test_lockdown_that_trusts_the_image(name, log_folder):
    """Debian's 5.10 has the key in it by which Debian's kernels are signed: the file call takes them."""
    forbidden([f"write {LOCKDOWN} {name}"],
              [locked_down(words, name) for words in (LOADS[2], CRASH_LOADS[2], *ONLY_BY_LOAD)], log_folder,
              first="5.10-amd64", again=[f"run /sbin/kexec {words} {FILES} --append=console=ttyS0"
                                         for words in ("-p", "-s -p", "-s -l", "-l")])


@pytest.mark.parametrize("name, words, others", [
    ("reboot", SOME[:2] + (UNLOADS[0],), (f"-p {FILES}",)),
    pytest.param("reboot", LOADS + UNLOADS, ("-p -u", f"-s -p {FILES}"), marks=pytest.mark.long_form),
    pytest.param("panic", CRASH_LOADS + CRASH_UNLOADS, ("-u", f"-l {FILES} --append=console=ttyS0"),
                 marks=pytest.mark.long_form)], ids=lambda v: v if isinstance(v, str) else str(len(v)))
def test_limit(name, words, others, log_folder):
    """Each kind of load has its own, and the other kind goes on."""
    forbidden([f"write {KERNEL}/kexec_load_limit_{name} 0"], [by_limit(each, name) for each in words],
              log_folder, first=LIMITED, again=[f"run /sbin/kexec {other}" for other in others])


@pytest.mark.long_form
@pytest.mark.parametrize("who", ["without-boot", "as-nobody"])
def test_no_privileges(who, log_folder):
    """Where memory is reserved for a crash kernel is shown to root only."""
    crash = [Refusal(words, "crash/no-iomem", "/proc/iomem", "as root", who) if who == "as-nobody" else
             not_permitted(words, who) for words in CRASH_LOADS]
    others = (*LOADS, *UNLOADS, *CRASH_UNLOADS, "-e", f"-f {FILES}")
    forbidden([], [*crash, *(not_permitted(words, who) for words in others)], log_folder)


@pytest.mark.long_form
@pytest.mark.parametrize("words", ["", "-a ", "-s "])
def test_unload_when_locked_down(words, log_folder):
    """One call does it: a limit may leave no second."""
    job = [f"run /sbin/kexec -l {FILES}", f"run /sbin/kexec -p {FILES}", *loaded(True, True),
           f"write {LOCKDOWN} integrity", f"write {KERNEL}/kexec_load_limit_reboot 1",
           f"write {KERNEL}/kexec_load_limit_panic 1", f"run /sbin/kexec {words}-u", *loaded(False, True),
           f"run /sbin/kexec {words}-p -u", *loaded(False, False),
           *(f"await {KERNEL}/kexec_load_limit_{name} 0" for name in ("reboot", "panic")), "proof done"]
    with guest_of(job, log_folder, LIMITED) as guest:
        guest.expect("NG-PROOF done")


def not_appraised(words):
    """Linux removes the file of a policy that it neither shows nor takes a second of: that it is for
    kernels can only be presumed."""
    if "-s" in words:
        return Refusal(words, "kernel/not-appraised", "most likely by IMA", "evmctl", drops="-p" in words)
    if "-c" in words:
        return Refusal(words, "kernel/access", "(kexec_load|unloading) .*IMA", "leave -c out" if "-u" in words else "-s")
    return Refusal(words, "kernel/not-appraised", r"before that: kexec_load .*\[kernel/access\]",
                   drops="-p" in words)


@pytest.mark.long_form
@pytest.mark.parametrize("first", ["6.1-amd64", "6.12-amd64"])
def test_ima_signature(first, log_folder):
    """No kernel here has a signature of the kind that IMA keeps beside a file."""
    forbidden([f"write {IMA}/policy 'appraise func=KEXEC_KERNEL_CHECK appraise_type=imasig'"],
              [not_appraised(words) for words in (*LOADS, *CRASH_LOADS, "-c -u", "-c -p -u")],
              log_folder, first=first)


IMA_SHA256 = bytes([4, 4])      # IMA_XATTR_DIGEST_NG, HASH_ALGO_SHA256


@pytest.mark.long_form
def test_ima_hash(log_folder):
    """A policy that a hash is enough for takes the one file that has it, from -l as from -s."""
    digest = hashlib.sha256(kernel(SECOND).image.read_bytes()).digest()
    job = [f"xattr /k2 security.ima {(IMA_SHA256 + digest).hex()}",
           f"xattr /k3 security.ima {(IMA_SHA256 + bytes(32)).hex()}",
           f"write {IMA}/policy 'appraise func=KEXEC_KERNEL_CHECK'",
           f"run-expect {FAILED} /sbin/kexec -l /k3", f"run-expect {FAILED} /sbin/kexec -s -l /k3",
           *loaded(False, False), f"run /sbin/kexec -s -l {FILES}", *loaded(True, False),
           "run-expect 2 /sbin/kexec --check -l", "run /sbin/kexec -u", *loaded(False, False),
           f"run /sbin/kexec -l {FILES} --append=console=ttyS0", "run /sbin/kexec -e"]
    with guest_of(job, log_folder, "6.12-amd64", {"/k3": kernel("6.1-cloud").image}) as guest:
        for words in ("-l /k3", "-s -l /k3"):
            dataclasses.replace(not_appraised(words), advice="").check(guest.output_of("/sbin/kexec"))
        _, asked, _, fell_back = [guest.output_of("/sbin/kexec") for _ in range(4)]
        assert "[check/ima-unknown]" in asked and "[load/fell-back]" in fell_back
        guest.expect(r"NG-PROOF second")


@pytest.mark.long_form
def test_reason_is_of_the_call(log_folder):
    """A first call that used up the limit, and a second that was refused for it: both are said. The last
    call of its kind is refused for what is in its way, not for what it has used up."""
    commands = (f"-l {FILES}", f"-c -p {FILES}")
    job = [f"write {IMA}/policy 'appraise func=KEXEC_KERNEL_CHECK'",
           f"write {KERNEL}/kexec_load_limit_reboot 1", f"write {KERNEL}/kexec_load_limit_panic 1",
           *(f"run-expect {FAILED} /sbin/kexec {words}" for words in commands), "proof done"]
    with guest_of(job, log_folder, LIMITED) as guest:
        both, last = [guest.output_of("/sbin/kexec") for _ in commands]
        Refusal(commands[0], "kernel/load-limit", r"before that: .*\[kernel/access\]").check(both)
        Refusal(commands[1], "kernel/access", "kexec_load").check(last)
        guest.expect("NG-PROOF done")
