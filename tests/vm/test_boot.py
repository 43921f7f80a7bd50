# SPDX-License-Identifier: GPL-2.0-or-later
"""Real kernels jump into each other: what arrived there is what was asked for.

The default set has every 64-bit kernel booting every kernel, with nothing but -l, --initrd,
--append and -e, spread over firmware, CPU, memory and number of CPUs; then each choice of system
call and each number of initrd parts. With --long it is the whole product.
"""

import itertools
import shlex

import pytest

from guest import Guest, Machine, expected_parts, initramfs, initrd_parts, kernel, kexec_files

FIRST = ("6.1-amd64", "6.1-cloud", "6.12-amd64", "7-amd64")
SECOND = (*FIRST, "6.1-686-pae")  # a 64-bit kexec does not run on a 32-bit kernel
FIRMWARE = ("seabios", "ovmf")
CPUS = ("max", "qemu64", "max,la57=off")
MEMORY = (512, 2048, 5120)
SYSCALL = ("", "-s", "-c", "-a")

# Of the memory that one kernel has, another one may take this much more for itself.
MEMORY_SLACK_KIB = 48 << 10
# A loader may keep so much of the RAM in the memory map for what it hands over.
MAP_SLACK = 1 << 20


def load_command(command_line, n_parts, syscall=""):
    words = ["/sbin/kexec", "-l", "/k2", *syscall.split()]
    words += [f"--initrd=/i2.{k}" for k in range(1, n_parts + 1)]
    words += [f"--append={command_line}"]
    return "run " + " ".join(f"'{word}'" for word in words)


def first_initramfs(second, command_line, n_parts, syscall):
    parts = initrd_parts({"": "facts\nproof second"}, n_parts, second.bits)
    load = load_command(command_line, n_parts, syscall)
    return initramfs({"": f"facts\n{load}\nrun /sbin/kexec -e"}, {
        **kexec_files(), "/k2": second.image,
        **{f"/i2.{k}": part for k, part in enumerate(parts, start=1)}})


def check_facts(before, after, machine, second, command_line, n_parts):
    """What the second kernel found, against what the first one had."""
    assert after["release"] == second.release
    assert after["cmdline"] == command_line
    assert after["parts"] == expected_parts(n_parts)
    assert after["cpus"] == before["cpus"] == machine.smp
    assert after["mem_kib"] >= before["mem_kib"] - MEMORY_SLACK_KIB
    assert abs(after["memmap_ram"] - before["memmap_ram"]) <= MAP_SLACK
    assert after["acpi_tables"] == before["acpi_tables"] > 0
    assert after["sentinel"] == 0
    if second.bits == 64:
        assert after["la57"] == before["la57"] == (machine.cpu == "max")
    if machine.firmware == "ovmf":
        assert before["efi"] and before["efi_runtime_maps"] > 0
        assert int(after["rsdp"], 0) != 0
        if second.bits == 64:
            assert after["efi"]
            assert after["efi_runtime_maps"] == before["efi_runtime_maps"]


def boot(first_name, second_name, machine, log, syscall="", n_parts=1):
    first, second = kernel(first_name), kernel(second_name)
    command_line = f"console=ttyS0 panic=-1 ng.from={first.release} ng.text=\"two words\""
    initrd = first_initramfs(second, command_line, n_parts, syscall)
    with Guest(machine, first, initrd, "loglevel=4", log=log) as guest:
        before = guest.facts()
        assert before["release"] == first.release
        guest.expect(r"NG-STATUS 0$")
        guest.expect(r"NG-RUN /sbin/kexec")
        guest.expect(rf"Linux version {second.release} ".replace("+", r"\+"))
        if n_parts:
            after = guest.facts()
            guest.expect(r"NG-PROOF second")
            check_facts(before, after, machine, second, command_line, n_parts)
        else:
            no_init = r"Kernel panic - not syncing: VFS: Unable to mount root"
            guest.expect(rf"Kernel command line: {command_line}$")
            guest.expect(no_init)


def spread():
    """Each pair once, each with another machine: 20 guests that have every value of everything."""
    machines = [Machine(firmware, cpu, memory, smp, vga)
                for (firmware, vga), cpu, memory, smp in itertools.product(
                    (("seabios", "std"), ("ovmf", "none"), ("seabios", "none"), ("ovmf", "std")),
                    CPUS, MEMORY, (1, 4))]
    stride = 31  # has no factor in common with their number, so steps through all dimensions
    for n, (first, second) in enumerate(itertools.product(FIRST, SECOND)):
        yield first, second, machines[n * stride % len(machines)], ""


def whole_product():
    for n, (firmware, cpu, memory, syscall, first, second) in enumerate(
            itertools.product(FIRMWARE, CPUS, MEMORY, SYSCALL, FIRST, SECOND)):
        if syscall == "-s" and second == "6.1-686-pae":
            continue  # the kernel's own loader has no 32-bit kernels
        yield first, second, Machine(firmware, cpu, memory, smp=(1, 4)[n % 2]), syscall


def pytest_generate_tests(metafunc):
    if metafunc.function is not test_pair:
        return
    chosen = whole_product() if metafunc.config.getoption("long") else spread()
    metafunc.parametrize("first, second, machine, syscall", [
        pytest.param(*values, id="{}-to-{}-{}{}".format(*values)) for values in chosen])


def test_pair(first, second, machine, syscall, log_folder):
    boot(first, second, machine, log_folder, syscall=syscall)


@pytest.mark.parametrize("syscall", SYSCALL[1:])
@pytest.mark.parametrize("first, second, machine", [
    ("6.1-cloud", "7-amd64", Machine("ovmf", "max", 2048, 4)),
    ("7-amd64", "6.12-amd64", Machine("seabios", "qemu64", 512, 1)),
], ids=str)
def test_syscall(first, second, machine, syscall, log_folder):
    boot(first, second, machine, log_folder, syscall=syscall)


@pytest.mark.parametrize("second, n_parts", [
    ("6.12-amd64", 0), ("6.1-686-pae", 0), ("7-amd64", 3), ("6.1-686-pae", 3)])
def test_initrd_parts(second, n_parts, log_folder):
    boot("6.1-cloud", second, Machine(memory=2048), log_folder, n_parts=n_parts)


def test_chain(log_folder):
    """Ten jumps in a row, up and down the versions; each kernel makes the next one's initramfs."""
    n_jumps = 10
    order = ["6.1-cloud", "7-amd64", "6.1-amd64", "6.12-amd64"]
    kernels = [kernel(order[n % len(order)]) for n in range(n_jumps + 1)]
    jobs, lines = {}, []
    for n, here in enumerate(kernels):
        steps = ["facts", f"proof stage{n}"]
        lines.append(f"console=ttyS0 panic=-1 loglevel=4 ng.job=stage{n}")
        if n < n_jumps:
            following = kernels[n + 1].name
            append = shlex.quote(f"--append=console=ttyS0 panic=-1 loglevel=4 ng.job=stage{n + 1}")
            steps += ["pack /next /init /dev /jobs /k /sbin /lib /lib64",
                      f"run /sbin/kexec -l /k/{following} --initrd=/next {append}",
                      "run /sbin/kexec -e"]
        jobs[f"stage{n}"] = "\n".join(steps)
    files = {**kexec_files(), **{f"/k/{k.name}": k.image for k in set(kernels)}}
    initrd = initramfs(jobs, files)
    with Guest(Machine(memory=2048), kernels[0], initrd, "loglevel=4 ng.job=stage0",
               log=log_folder, limit=1500) as guest:
        origin = None
        for n, here in enumerate(kernels):
            facts = guest.facts()
            origin = origin or facts
            assert facts["release"] == here.release
            assert facts["cmdline"] == lines[n]
            # Nothing gets lost on the way, not even a little each time.
            assert abs(facts["memmap_ram"] - origin["memmap_ram"]) <= MAP_SLACK
            assert facts["acpi_tables"] == origin["acpi_tables"]
            guest.expect(rf"NG-PROOF stage{n} ")
