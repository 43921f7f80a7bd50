# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit statuses, what goes to which stream, what a terminal gets, and what happens without room."""

import contextlib
import os
import pty
import re
import subprocess

import pytest

import images
import plans
from kexec_run import run
from machines import GIB, Machine, in_pieces, pc as pc_map

NOT_YET = ("--load-live-update", "--exec-live-update")

BAD_VALUES = ("--mem-min=x", "--mem-min=", "--mem-min=-1", "--mem-min= 1", "--mem-max=1Q",
              "--mem-max=0x", "--mem-max=99999999999999999999", "--mem-max=16777216T",
              "--serial=ttyS2", "--serial=0", "--serial=0x0", "--serial=0xffff", "--serial=1016",
              "--serial-baud=0", "--serial-baud=-9600", "--serial-baud=9601",
              "--serial-baud=230400", "--enter=8", "--enter=", "--on-failure=", "--on-failure=no",
              "--seed=", "--seed=xyz", "--seed=0x", "--seed=" + "1" * 65, "--type=",
              "--host-root=", "--initrd=", "--digest=", "--digest=md5", "--digest=CRC32C",
              "--initrd-unpack=", "--initrd-unpack=maybe", "--backup=", "--backup=maybe")


# ------------------------------------------------------------------------------------ what is asked


@pytest.mark.parametrize("word, status", [("--help", 0), ("-h", 0), ("-?", 1)])
def test_help(word, status):
    asked = run(word)
    assert asked.status == status and asked.err == b"", asked
    assert b"kexec -l KERNEL" in asked.out
    assert all(len(line) <= 80 and not re.search(rb"[^ -~]", line)
               for line in asked.out.splitlines()), asked


@pytest.mark.parametrize("word", ["--version", "-v"])
def test_version(word):
    assert re.fullmatch(rb"kexec-ng \d+\.\d+\S*\n", run(word).done().out)


def test_what_follows_help_does_not_count():
    run("--help", "--nonsense", "--seed=xyz").done()


@pytest.mark.parametrize("loaded, crash, words, status", [
    ("0\n", "1\n", ("-S", "-l"), 0), ("1\n", "0\n", ("-S", "-l"), 1),
    ("0\n", "1\n", ("-S",), 1), ("1\n", "0\n", ("-S",), 0), ("0\n", "1\n", ("-S", "-p"), 1),
    ("1\n", "0\n", ("-S", "-d"), 0)])
def test_status(folder, loaded, crash, words, status):
    """Silent: the status is the answer."""
    where = folder / "sys/kernel"
    where.mkdir(parents=True)
    (where / "kexec_loaded").write_text(loaded)
    (where / "kexec_crash_loaded").write_text(crash)
    asked = run(*words, f"--host-root={folder}")
    assert (asked.status, asked.out, asked.err) == (status, b"", b""), asked


@pytest.mark.parametrize("text", [None, "", "2\n", "x\n", "-1\n"])
def test_status_that_nobody_tells(folder, text):
    where = folder / "sys/kernel"
    where.mkdir(parents=True)
    if text is not None:
        (where / "kexec_loaded").write_text(text)
    asked = run("-S", "-l", f"--host-root={folder}")
    asked.failed("status/unknown")


def test_size_for_a_crash_kernel(folder):
    machine = Machine(pc_map(GIB), crash_kernel=(0x20000000, 0x30000000))
    assert run("--dry-run", machine.write(folder / "host"),
               "--print-ckr-size").done().out == b"268435456\n"
    for words in ((f"--host-root={folder / 'host'}",), ("--host-root", folder / "host"), ("--nonsense", "-q", f"--host-roo={folder / 'host'}")):
        assert run("--print-ckr-size", *words).done().out == b"268435456\n"
    run("--print-ckr-size", f"--host-root={folder / 'nowhere'}").failed("host/root")
    run("--print-ckr-size", "--host-root").failed("options/missing-value", 1)
    run("--print-ckr-size", "--host-root=").failed("options/bad-value", 1)
    run("--print-ckr-size", "--", f"--host-root={folder / 'nowhere'}").done()
    machine = Machine(pc_map(GIB))
    assert run("--dry-run", machine.write(folder / "none"),
               "--print-ckr-size").done().out == b"0\n"


def test_success_is_silent(pc, small):
    """Nothing but the plan, on stdout; with -d nothing but the plan, on stderr."""
    plan = run("--dry-run", pc, small).done()
    assert plan.out.startswith(b"image ")
    debug = run("--dry-run", "-d", pc, small)
    assert (debug.status, debug.out) == (0, b""), debug
    assert b"purgatory" in debug.err


def test_picture(pc, small):
    lines = run("--dry-run", "--map", pc, small).done().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any(b"kernel" in line for line in lines)


@pytest.mark.parametrize("columns", ["", "0", "-1", "39", "40", "1000", "1001", "x", "9" * 30])
def test_picture_of_any_width(pc, small, columns):
    env = {"PATH": os.environ["PATH"], "COLUMNS": columns}
    width = int(columns) if columns in ("40", "1000") else 80
    drawn = [line for line in run("--dry-run", "--map", pc, small, env=env).done().out.splitlines()
             if line.endswith(b"|") and b"|" in line[:-1] and b"0x" not in line]
    assert drawn and all(len(line) <= max(width, 80) for line in drawn)


def test_json_and_picture_together(pc, small):
    out = run("--dry-run", "--json", "--map", "--seed=1", pc, small).done().out
    json = run("--dry-run", "--json", "--seed=1", pc, small).done().out
    assert out.startswith(json) and b"physical memory" in out[len(json):]


# --------------------------------------------------------------------------------- what takes long

LINE = re.compile(rb"\r\[[#.]{24}\] [|/\\-] [a-z ,]+\x1b\[K")


def on_a_terminal(pc, kernel, seconds):
    """What a terminal gets on stderr from a load whose initrd comes through a pipe that late."""
    ours, terminal = pty.openpty()
    with subprocess.Popen(["/bin/sh", "-c", f"sleep {seconds}; echo"],
                          stdout=subprocess.PIPE) as late:
        run("--dry-run", "--initrd=/dev/stdin", pc, kernel, stdin=late.stdout, stderr=terminal)
    os.close(terminal)
    said = b""
    with open(ours, "rb", buffering=0) as f, contextlib.suppress(OSError):  # EIO: nobody is there
        while part := f.read(4096):
            said += part
    return said


def test_progress(pc, small):
    """A line that comes after half a second, moves, and is gone at the end."""
    said = on_a_terminal(pc, small, 1.2)
    lines = LINE.findall(said)
    assert len(lines) > 2 and b"reading the files" in lines[0]
    assert len({line for line in lines}) > 1, "it does not move"
    assert LINE.sub(b"", said) == b"\r\x1b[K"


def test_no_progress(pc, small):
    """Neither before half a second nor where nobody reads it."""
    assert on_a_terminal(pc, small, 0) == b""
    with subprocess.Popen(["/bin/sh", "-c", "sleep 1.2; echo"], stdout=subprocess.PIPE) as late:
        run("--dry-run", "--initrd=/dev/stdin", pc, small, stdin=late.stdout).done()


# ------------------------------------------------------------------------------------- what fails


def test_no_kernel():
    run("--dry-run").failed("options/no-kernel", 255)
    run().failed("options/no-kernel", 255)


@pytest.mark.parametrize("word", ["--nonsense", "--nonsense=1", "-Z", "-lZ", "--=", "--=x",
                                  "--dry-runs", "-\x7f", "-\xff"])
def test_unknown_option(pc, small, word):
    run("--dry-run", pc, small, word).failed("options/unknown", 1)


def test_ambiguous_option(pc, small):
    text = run("--dry-run", pc, small, "--mem=1").failed("options/ambiguous", 1)
    assert "--mem-min" in text and "--mem-max" in text


def test_value_where_none_belongs(pc, small):
    run("--dry-run", pc, small, "--json=x").failed("options/needless-value", 1, says=("--json",))


@pytest.mark.parametrize("word", ["--append", "--initrd", "-t", "--seed"])
def test_missing_value(pc, small, word):
    run("--dry-run", pc, small, word).failed("options/missing-value", 1)


@pytest.mark.parametrize("word", BAD_VALUES)
def test_bad_value(pc, small, word):
    name, value = word.split("=", 1)
    run("--dry-run", pc, small, word).failed("options/bad-value", 1,
                                             says=(name, value[:60], "expected"))


@pytest.mark.parametrize("word", NOT_YET)
def test_option_that_is_not_there_yet(pc, small, word):
    text = run("--dry-run", pc, small, word).failed("options/not-yet", 1)
    assert word.split("=")[0] in text


@pytest.mark.parametrize("words, expected", [
    (("-e",), "options/no-load"), (("-u",), "options/no-load"), (("-p", "-u"), "options/no-load"),
    (("-e", "-u"), "options/conflict"), (("-e", "KERNEL"), "options/conflict"),
    (("KERNEL", "--mem-min=2", "--mem-max=1"), "options/mem-range"),
    (("KERNEL", "--entry-32bit", "--enter=64"), "options/conflict")])
def test_contradiction(pc, small, words, expected):
    words = [small if word == "KERNEL" else word for word in words]
    run("--dry-run", pc, *words).failed(expected, 1)


def test_type(pc, small):
    for name in ("bzImage", "bzImage64"):
        run("--dry-run", pc, small, f"--type={name}").done()
    run("--dry-run", pc, small, "--type=multiboot-x86").failed(
        "probe/type-differs", says=("bzImage", "multiboot-x86"))
    run("--dry-run", pc, small, "--type=nbi-x86").failed(
        "probe/unknown-name", says=("elf-x86_64", "multiboot2-x86", "nbi-x86"))


@pytest.mark.parametrize("root, expected", [
    ("nothing", "host/root"), ("file", "host/root"), ("empty", "host/no-memory-map")])
def test_host_root(folder, small, root, expected):
    (folder / "file").touch()
    (folder / "empty").mkdir()
    run("--dry-run", f"--host-root={folder / root}", small).failed(expected)


def test_host_root_is_a_prison(folder, small):
    """A link in a captured tree leads nowhere else."""
    secret = folder / "secret"
    secret.write_text("from outside\n")
    host = Machine(pc_map(GIB)).write(folder / "host")
    (folder / "host/proc/cmdline").unlink()
    (folder / "host/proc/cmdline").symlink_to(secret)
    result = run("--dry-run", "--json", host, small, "--reuse-cmdline")
    assert b"from outside" not in result.out + result.err


@pytest.mark.parametrize("garbage", [b"", b"\0" * 5000, b"x" * 100000, b"-1\n", b"0x\n",
                                     b"ffffffffffffffff-0 : System RAM\n",
                                     b"0-ffffffffffffffff : System RAM\n" * 50])
def test_host_of_garbage(folder, small, garbage):
    """Whatever is in a captured tree: a plan, or one reason."""
    machine = Machine(pc_map(GIB), is_efi=True)
    host = machine.write(folder / "host")
    for path in sorted(p for p in (folder / "host").rglob("*") if p.is_file()):
        good = path.read_bytes()
        path.write_bytes(garbage)
        result = run("--dry-run", "--json", host, small)
        assert result.status in (0, 255), result
        assert len(result.reasons()) == (result.status == 255), result
        path.write_bytes(good)
        if result.status == 0:
            plans.Plan(result.out).check(images.small())


def test_status_is_that_of_the_load(folder):
    """Reasons that have nothing to do with rights come first."""
    where = folder / "half"
    image = images.bare()
    where.write_bytes(image[:len(image) // 2])
    for call in ("-c", "-s", "-a"):
        run("-l", where, call, may_load=True).failed("bzimage/kernel-truncated")


# -------------------------------------------------------------------- what a terminal would obey

EVIL = b"\x1b]0;title\x07 \x1b[31mred\r\x08\x7f\x0b"
EVIL_TEXT = "\x9b31m\x90\x85 csi"  # C1 control characters: two bytes each in UTF-8


def is_tame(out):
    text = out.decode("utf-8", "surrogateescape")
    return not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


@pytest.mark.parametrize("evil", [EVIL, EVIL_TEXT.encode()], ids=["C0", "C1"])
def test_version_string(folder, pc, evil):
    where = folder / "evil"
    image = images.bare()
    where.write_bytes(image.patched(image.version_off, b"6.1 " + evil + b"\0"))
    for form in ((), ("--map",), ("-d",)):
        result = run("--dry-run", *form, pc, where)
        assert result.status == 0 and is_tame(result.out + result.err), result
    plan = plans.of(pc, where)
    assert plan["kernel_version"] == "6.1 " + evil.decode()


@pytest.mark.parametrize("evil", [EVIL, EVIL_TEXT.encode()], ids=["C0", "C1"])
def test_words_of_the_command_line(folder, pc, small, evil):
    for words in ((folder / "x".replace("x", os.fsdecode(evil).replace("/", "")),),
                  (b"--" + evil,), (b"-" + evil[:1],), (b"--type=" + evil, small),
                  (b"--mem-min=" + evil, small), (b"--initrd=" + evil, small),
                  (b"--host-root=" + evil, small), (b"--append=" + evil, small)):
        result = run("--dry-run", pc, *words)
        assert is_tame(result.out + result.err), result
        assert len(result.reasons()) == (result.status != 0), result


def test_control_characters_in_a_command_line(pc, small):
    run("--dry-run", pc, small, "--append=a\x1bb").failed("cmdline/control-character",
                                                          says=("0x1b", "byte 1"))
    assert plans.of(pc, small, "--append=a\tb\n")["cmdline"] == "a b"


def test_running_command_line(folder, small):
    host = Machine(pc_map(GIB), cmdline="root=x \x1b[31m").write(folder / "host")
    run("--dry-run", host, small, "--reuse-cmdline").failed("cmdline/control-character",
                                                            says=("running",))
    run("--dry-run", host, small).done()


def test_bytes_that_are_no_text(pc, small):
    plan = plans.of(pc, small, b"--append=a\xff\xc3(\xed\xa0\x80b\xc3\xa4")
    assert plan["cmdline"].startswith("a\N{REPLACEMENT CHARACTER}")
    assert plan["cmdline"].endswith("b\N{LATIN SMALL LETTER A WITH DIAERESIS}")


@pytest.mark.parametrize("length", [700, 768, 4000, 100000])
def test_long_words(pc, small, length):
    """No message grows with what it quotes."""
    for word in ("x" * length, "--" + "x" * length, "--initrd=" + "x" * length,
                 "--type=" + "x" * length, "--mem-min=" + "1" * length):
        result = run("--dry-run", pc, small, word) if word.startswith("--") else \
            run("--dry-run", pc, word)
        assert result.status in (1, 255) and len(result.err) < 2000, result
        assert len(result.reasons()) == 1, result


def test_reason_behind_a_long_path(folder, pc):
    """However long the name, why it could not be opened is said."""
    run("--dry-run", pc, str(folder) + "/x" * 450).failed("file/open", says=("No such file",))
    run("--dry-run", pc, "x" * 5000).failed("file/open", says=("too long",))


# ---------------------------------------------------------------------------------------- no room


@pytest.mark.parametrize("words", [
    ("--dry-run", "KERNEL"), ("--dry-run", "--json", "KERNEL"), ("--dry-run", "--map", "KERNEL"),
    ("--help",), ("--version",), ("--print-ckr-size",)])
@pytest.mark.parametrize("where", ["full", "closed", "read-only"])
def test_output_that_gets_nowhere(pc, small, words, where):
    words = [small if word == "KERNEL" else word for word in words]
    if where == "closed":
        result = run(*words, pc, between=("sh", "-c", 'exec "$@" >&-', "sh"))
    else:
        with open("/dev/full" if where == "full" else "/dev/null",
                  "wb" if where == "full" else "rb") as out:
            result = run(*words, pc, stdout=out)
    result.failed("output/write")


@pytest.mark.parametrize("words", [("--check", "--json"), ("--check",), ("--list", "--json", "--boot-root=/")])
def test_answer_that_gets_nowhere(pc, words):
    """Also one whose exit status would not have been 0."""
    with open("/dev/full", "wb") as out:
        run(*words, *([pc] if words[0] != "--list" else []), stdout=out).failed("output/write")


def test_output_closed_and_a_kernel_to_keep(folder, pc):
    """The memory that keeps a pipe's bytes must not be taken for stdout."""
    host = Machine(in_pieces(199)).write(folder / "host")  # a report of more than one buffer
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    pid = os.fork()
    if pid == 0:
        try:
            fifo.write_bytes(images.small())
        finally:
            os._exit(0)
    result = run("--dry-run", "--json", host, fifo,
                 between=("sh", "-c", 'exec "$@" <&- >&-', "sh"))
    os.waitpid(pid, 0)
    result.failed("output/write")


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_other_streams_closed(pc, small, closed):
    result = run("--dry-run", "--json", pc, small,
                 between=("sh", "-c", f'exec "$@" {closed}', "sh"))
    plans.Plan(result.done().out).check(images.small())


def test_reader_that_leaves(pc, small):
    """A closed pipe ends it as it ends every program, or is reported; there is nothing else."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as out:
        try:
            result = run("--dry-run", pc, small, stdout=out)
        except AssertionError as error:
            assert "SIGPIPE" in str(error)
        else:
            result.failed("output/write")


def test_files_of_limited_size(pc):
    """What a pipe brings is kept in memory, which counts as a file."""
    run("--dry-run", pc, "/dev/stdin", input=images.small(),
        between=("prlimit", "--fsize=4096")).failed("file/buffer", says=("/dev/stdin",))


def test_report_of_limited_size(folder, pc, small):
    with (folder / "report").open("wb") as out:
        run("--dry-run", pc, small, between=("prlimit", "--fsize=10"), stdout=out).failed(
            "output/write")


@pytest.mark.parametrize("limit", [3, 4, 5, 6])
def test_few_files(pc, small, limit):
    result = run("--dry-run", "--json", pc, small, f"--initrd={small}",
                 between=("prlimit", f"--nofile={limit}"))
    if b"error while loading shared libraries" in result.err:
        assert limit == 3
        return
    assert result.status == 255, result
    assert len(result.reasons()) == 1, result


def test_enough_files(pc, small):
    run("--dry-run", pc, small, between=("prlimit", "--nofile=16")).done()


@pytest.mark.parametrize("enter, sizes", [
    ("64", (*range(6, 24), 32, 64)), ("direct", (*range(6, 24, 4), *range(32, 160, 16), 512)),
    ("auto", (6, 48, 96, 512))])
def test_little_memory(pc, enter, sizes):
    """From too little to run at all, to enough: a plan, or one reason, and never a crash."""
    kernel = images.path("6.1-amd64")
    seen = set()
    for mib in sizes:
        result = run("--dry-run", pc, kernel, f"--enter={enter}",
                     between=("prlimit", f"--as={mib << 20}"))
        assert result.status in (0, 127, 255), result
        if result.status == 127:
            assert b"shared libraries" in result.err or b"memory" in result.err, result
            continue
        found = result.reasons()
        assert len(found) == (result.status == 255), result
        seen.add(found[0]["id"] if found else None)
    # By default the image unpacks itself where there is no memory to do it here.
    assert seen - {"memory/exhausted"} == {None, "file/map"}
    assert enter == "auto" or "memory/exhausted" in seen
