# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine says before a load (--check), of the load (--show), and the next kernel of the jump (--last)."""

import re

import pytest

from guest import Guest, Machine, initramfs, json_of, kernel, kexec_files
from test_32bit import kexec32

STEPS = ["before", "verify", "leave", "early", "kernel"]
RUN = re.compile(r"NG-RUN /sbin/kexec (.*)")


def answers(guest):
    """[(arguments, what it printed)] of each kexec that ran."""
    found = []
    for _, text in guest.lines:
        match = RUN.match(text)
        if match:
            found.append((match[1], []))
        elif found and text.startswith("NG-"):
            found[-1] = (found[-1][0], tuple(found[-1][1]))
        elif found and isinstance(found[-1][1], list):
            found[-1][1].append(text)
    return [(arguments, "\n".join(lines)) for arguments, lines in found]


def jump(first, second, log, machine=Machine(), before=(), load="-l", options=""):
    """Loads, jumps, and returns what each kexec on the way said, in order."""
    bits = kernel(second).bits
    job = ["run /sbin/kexec --last", "proof second"]
    if bits == 64:
        job.insert(0, "run /sbin/kexec --last --json")
    # The command of 32 bits is built without JSON.
    second_initrd = initramfs({"": "\n".join(job)}, kexec_files() if bits == 64 else
                              {"/sbin/kexec": kexec32()}, bits)
    job = [*before, f"run /sbin/kexec {load} /k2 --initrd=/i2 {options} '--append=console=ttyS0 loglevel=4'",
           "run /sbin/kexec --show --json", "write /i2 changed", "run /sbin/kexec --show",
           "run-expect 0 /sbin/kexec -e -x -y"]
    files = {**kexec_files(), "/k2": kernel(second).image, "/i2": second_initrd, "/run/here": b""}
    with Guest(machine, kernel(first), initramfs({"": "\n".join(job)}, files), "loglevel=4",
               log=log) as guest:
        guest.expect(r"NG-PROOF second")
        return answers(guest)


def check_figures(last, first, for_panic=False):
    """Each figure is there, and none is out of this world for an emulated machine."""
    assert last["started_by"] == "kexec-ng" and last["loader_type"] == 0xd1
    assert last["from_release"] == kernel(first).release and last["for_panic"] == for_panic
    assert last["verified"] and last["loader"].startswith("kexec-ng ")
    assert 200_000 < last["tsc"]["khz"] < 10_000_000
    steps = {step["name"]: step for step in last["steps"]}
    assert list(steps) == STEPS
    assert steps["before"]["state"] == "at-most"
    for name in STEPS[1:]:
        assert steps[name]["state"] == "known", steps[name]
    for name, least, most in (("before", 1_000, 60e6), ("verify", 1_000, 60e6),
                              ("leave", 10, 5e6), ("kernel", 200_000, 150e6)):
        assert least <= steps[name]["us"] <= most, steps[name]
    # A start that is known to some ms only may be reckoned to be before the mark: 0 then.
    assert steps["early"]["us"] + steps["early"]["error_us"] >= 1_000 and \
        steps["early"]["us"] <= 60e6, steps["early"]


def check_text(text, first):
    """The same of what people read."""
    loader = re.search(r"^started by +kexec, kexec-ng \S+ on (\S+)$", text, re.M)
    assert loader and loader[1] == kernel(first).release, text
    assert re.search(r"^verified +everything was as it had been loaded$", text, re.M), text
    steps = re.findall(r"^(\w+) +(at most)? +(\d+)\.(\d{3}) ms", text, re.M)
    assert [name for name, *_ in steps] == STEPS, text
    for name, most, ms, us in steps:
        assert bool(most) == (name == "before"), text
        # Early may be 0: see above.
        assert (0 if name == "early" else 10) <= int(ms + us) <= 150e6, text


def check_shown(shown, first, second, call):
    assert shown["panic"]["state"] == "nothing"
    boot = shown["boot"]
    assert boot["state"] == "recorded" and not boot["stale_record"]
    record = boot["record"]
    assert record["call"] == call and record["uid"] == 0 and record["parent"] == "init"
    assert record["kernel_version"].startswith(kernel(second).release)
    assert record["cmdline"] == "console=ttyS0 loglevel=4"
    assert [(f["role"], f["path"], f["now"]) for f in record["files"]] == \
        [("kernel", "/k2", "same"), ("initrd", "/i2", "same")]
    assert record["files"][0]["len"] == kernel(second).image.stat().st_size
    names = [s["name"] for s in record["segments"]]
    assert names == (["kernel", "initrd", "params", "purgatory"] if call == "kexec_load" else [])


def test_check_show_jump_last(log_folder):
    first, second = "6.1-cloud", "7-amd64"
    before = ["run-expect 2 /sbin/kexec --last", "run /sbin/kexec --check -l --json",
              "run-expect 1 /sbin/kexec --check -p", "run-expect 1 /sbin/kexec --show",
              "run /sbin/kexec -l /k2", "write /run/kexec-ng/load.json {}",
              "run /sbin/kexec --show -l", "run /sbin/kexec -u", "run-expect 1 /sbin/kexec --show"]
    said = jump(first, second, log_folder, before=before)
    texts = {}
    for arguments, text in said:
        texts.setdefault(arguments, []).append(text)
    assert "not by kexec" in texts["--last"][0]
    checked = json_of(texts["--check -l --json"][0])["check"]
    assert checked["verdicts"] == {"-l": "ok"}
    assert {item["name"]: item["state"] for item in checked["items"]}["privileges"] == "ok"
    assert "[check/no-reservation]" in texts["--check -p"][0]
    assert "nothing is loaded" in texts["--show"][0]
    assert "the record is damaged" in texts["--show -l"][0]
    assert texts["--show"][1] == texts["--show"][0]
    check_shown(json_of(texts["--show --json"][0])["show"], first, second, "kexec_load")
    assert "initrd /i2" in texts["--show"][2] and "CHANGED since" in texts["--show"][2]
    check_figures(json_of(texts["--last --json"][0])["last"], first)


@pytest.mark.long_form
@pytest.mark.parametrize("first, second", [("6.1-amd64", "6.12-amd64"), ("7-amd64", "6.1-amd64")])
def test_after_a_panic(first, second, log_folder):
    """The capture kernel tells of its jump as any other, and that it was for a panic."""
    dying = r"Kernel panic|---\[ end"
    job = ["run /sbin/kexec --last --json", "run /sbin/kexec --last", "proof second"]
    files = {**kexec_files(), "/k2": kernel(second).image, "/run/here": b"",
             "/i2": initramfs({"": "\n".join(job)}, kexec_files())}
    job = ["run-expect 0 /sbin/kexec -p /k2 --initrd=/i2 '--append=console=ttyS0 loglevel=4 nr_cpus=1'",
           "run-expect 0 /sbin/kexec --show -p --json", "write /proc/sysrq-trigger c"]
    with Guest(Machine(memory=1024), kernel(first), initramfs({"": "\n".join(job)}, files),
               "loglevel=4 crashkernel=256M", log=log_folder) as guest:
        guest.expect("NG-PROOF second", allow=dying)
        said = dict(answers(guest))
    panic = json_of(said["--show -p --json"])["show"]["panic"]
    assert panic["state"] == "recorded" and not panic["stale_record"]
    assert panic["record"]["kernel_version"].startswith(kernel(second).release)
    check_figures(json_of(said["--last --json"])["last"], first, for_panic=True)
    assert "for a panic" in said["--last"]


@pytest.mark.long_form
@pytest.mark.parametrize("enter", ["direct", "64", "32"])
@pytest.mark.parametrize("first, second", [("7-amd64", "6.1-cloud"), ("6.12-amd64", "6.1-686-pae")])
def test_entries(first, second, enter, log_folder):
    if "686" in second and enter == "64":
        pytest.skip("it has no 64-bit entry")
    said = dict(jump(first, second, log_folder, machine=Machine(firmware="ovmf"),
                     options=f"--enter={enter}"))
    check_shown(json_of(said["--show --json"])["show"], first, second, "kexec_load")
    if "686" in second:
        check_text(said["--last"], first)
    else:
        check_figures(json_of(said["--last --json"])["last"], first)


@pytest.mark.long_form
def test_by_the_file_call(log_folder):
    """The kernel's own loader leaves no note, and that is said."""
    job = "run-expect 1 /sbin/kexec --last --json\nproof second"
    files = {**kexec_files(), "/k2": kernel("6.12-amd64").image, "/run/here": b"",
             "/i2": initramfs({"": job}, kexec_files())}
    job = ["run /sbin/kexec -s -l /k2 --initrd=/i2 --append=console=ttyS0",
           "run /sbin/kexec --show --json", "run-expect 0 /sbin/kexec -e -x -y"]
    with Guest(Machine(), kernel("6.1-cloud"), initramfs({"": "\n".join(job)}, files), "loglevel=4",
               log=log_folder) as guest:
        guest.expect("NG-PROOF second")
        said = dict(answers(guest))
    record = json_of(said["--show --json"])["show"]["boot"]["record"]
    assert record["call"] == "kexec_file_load" and record["segments"] == []
    assert json_of(said["--last --json"])["last"] == {"started_by": "other-kexec",
                                                      "loader_type": 0xd0}
