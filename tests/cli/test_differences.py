# SPDX-License-Identifier: GPL-2.0-or-later
"""doc/differences.md: each row is needed by a rule of the side-by-side test, or names a test itself,
or a test is named here that shows what the row says of us. A row has a reason, or what it says of kexec-tools is one."""

import re

from kexec_run import TOP
from test_bugs import assert_exists

SIDE_BY_SIDE = TOP / "tests" / "vm" / "test_side_by_side.py"

# How a row begins, and what shows it; several after blanks. "line:" is one of side_by_side.lines.
SHOWN = {
    "`--load-preserve-context` and": "tests/unit/test_options.c test_coming_back",
    "When what `-e` jumped to has come back": "tests/vm/test_jump_back.py test_program",
    "`--load-jump-back-helper` finds": "tests/vm/test_jump_back.py test_kernel",
    "Coming back from a 32-bit kernel": "tests/cli/test_jump_back.py test_refused",
    "`--load-live-update`": "tests/unit/test_options.c test_every_row",
    "`-d -S` says the same": "line: [c] -d -S",
    "A kernel named `@...`": "tests/cli/test_entries.py test_a_file_with_an_at_sign",
    "Words after the kernel are ignored": "tests/cli/test_callers.py test_option_after_the_kernel",
    "The last `--append` wins": "tests/unit/test_options.c test_append",
    "`--append`, `--initrd` and others of a load fail": "tests/unit/test_options.c "
                                                        "test_modes_that_cannot_be",
    "`--reuse-video-type` hands on": "tests/unit/test_params.c test_display_reused",
    "`POSIXLY_CORRECT` has no influence": "tests/cli/test_argv.py test_posixly_correct",
    "An option that reaches nothing": "tests/cli/test_no_effect.py "
                                      "test_nothing_is_ignored_in_silence",
    "No kernel named: 255.": "tests/cli/test_streams.py test_no_kernel",
    "`-e` with nothing loaded: 1.": "line: -e",
    "Messages: ": "tests/cli/test_streams.py test_unknown_option",
    "stdout carries only": "tests/cli/test_streams.py test_success_is_silent",
    "A kernel file compressed as a whole": "tests/vm/test_images.py test_compressed",
    "A unified kernel image (UKI)": "tests/vm/test_uki.py test_by_ukify",
    "`--args-none` goes through purgatory": "tests/cli/test_multiboot.py test_program",
    "Multiboot 2: the ACPI root pointer": "tests/unit/test_multiboot.c test_2",
    "With more than 128 memory ranges": "tests/cli/test_plans.py "
                                        "test_segments_lie_in_what_every_kernel_knows",
    "A 32-bit kernel can load kernels only": "tests/vm/test_32bit.py test_a_cpu_without_long_mode",
    "Purgatory resets the machine": "tests/vm/test_integrity.py test_damage",
    "Purgatory speaks": "tests/unit/test_purgatory.c test_quiet",
    "Purgatory verifies by CRC-32C": "tests/unit/test_purgatory.c test_each_digest",
    "`--real-mode`: setup code": "tests/vm/test_real_mode.py test_state",
    "`-p`: the kernel is entered directly": "tests/vm/test_crash.py test_pair",
    "`-p`: no copy of the lowest 640 KiB": "tests/vm/test_crash.py test_backup",
    "`-p`: CPUs by the files in /sys": "tests/unit/test_host.c test_cpus_with_any_numbers",
    "`--elf32-core-headers` makes": "tests/cli/test_crash.py test_32_bit_headers",
    "`--reuse-cmdline` with `-p` drops": "tests/cli/test_crash.py test_reuse_cmdline",
    "Digests cover the bytes loaded": "tests/unit/test_purgatory.c test_byte_beyond_region",
    "Files are mapped, not copied": "tests/cli/test_changing.py test_file_that_is_cut",
    "A record whose text ends exactly": "tests/unit/test_vmcore.c "
                                        "test_ring_with_text_up_to_its_end",
    "Records of 3.5 to 5.9": "tests/unit/test_vmcore.c test_records_wrap",
    "A core that is cut short": "tests/cli/test_vmcore_dmesg.py test_cut_short",
    "A damaged or hostile core": "tests/unit/test_vmcore.c test_records_that_loop",
    "A core without virtual addresses": "tests/unit/test_vmcore.c "
                                        "test_kernel_image_without_virtual_addresses",
    "A kdump-compressed or flattened dump": "tests/unit/test_vmcore.c test_other_formats",
    "Memory: a few pages.": "tests/cli/test_vmcore_dmesg.py test_memory",
    "Exit status 0, 1 (command line), 2": "tests/cli/test_vmcore_dmesg.py test_wrong_command_line",
    "`-h`, `--help`, `-v`, `--version`.": "tests/cli/test_vmcore_dmesg.py test_help",
    "Big endian cores are refused.": "tests/unit/test_vmcore.c test_byte_order",
}

# What is no row of a table.
SECTIONS = {
    "### `--reuse-cmdline`": "tests/unit/test_cmdline.c test_only_whole_keys",
    "### Unified kernel images": "tests/cli/test_uki.py test_command_line",
}


NAMED = re.compile(r"`(tests/(?:cli|vm|unit)/\S+ test_\w+)`")


def document():
    return (TOP / "doc" / "differences.md").read_text().partition("\n## Bugs of kexec-tools")[0]


def rows():
    """The rows below the heads of the tables."""
    lines = document().splitlines()
    return [line[2:] for line, above in zip(lines[1:], lines)
            if line.startswith("| ") and above.startswith("|")]


def beginnings_of_rules():
    """The rows that rules of the other test name, read from its source: it needs what VMs need."""
    source = SIDE_BY_SIDE.read_text()
    return set(re.findall(r'Intended\("\| ([^"]+)"', source)) | {
        begin for text in re.findall(r"^LEFT_OUT = \(([^)]+(?:\([^)]*\)[^)]*)*)\)", source, re.M)
        for begin in re.findall(r'"\| ([^"]+)"', text)}


def test_every_difference_is_shown():
    by_rules = beginnings_of_rules()
    found = rows()
    assert len(found) > 70 and len(by_rules) > 30
    unshown = [row for row in found
               if not row.startswith((*by_rules, *SHOWN)) and not NAMED.search(row)]
    assert not unshown, "name a test of it in SHOWN: " + "\n".join(unshown)


def test_nothing_is_shown_that_is_not_said():
    text = document()
    for begin in SHOWN:
        assert f"\n| {begin}" in text, begin
    for section in re.findall(r"^### .*$", text, re.M):
        assert section in SECTIONS, section


def test_what_shows_it_is_there():
    for shown in [*SHOWN.values(), *SECTIONS.values(), *NAMED.findall(document())]:
        assert_exists(shown)


def test_every_difference_has_its_reason():
    """Three columns: the last one is it, unless the second says what goes wrong there."""
    for row in rows():
        cells = re.split(r" \| ", row.removesuffix(" |").removesuffix(" | "))
        assert len(cells) >= 2 and all(cell.strip() for cell in cells), row
