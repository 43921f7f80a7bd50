# SPDX-License-Identifier: GPL-2.0-or-later
"""--inspect: what it says of real images is what a model of its own finds, anybody may ask, and what is
no image has a name."""

import gzip
import struct

import pytest

import images
import pe
import plans
from kexec_run import NOBODY, run
from machines import GIB, MIB, Machine, pc as pc_map

KERNELS = ("6.1-cloud", "7-amd64", "6.1-686-pae")


def inspect(*words, **options):
    return plans.parse(run("--inspect", "--json", *words, **options).done().out)


def entry(found, name):
    one, = [e for e in found["entries"] if e["name"] == name]
    return one


def need(found, way, name):
    one, = [n for n in entry(found, way)["needs"] if n["name"] == name]
    return one


def verdicts(found):
    """What -l says by each entry, and -p by none."""
    return {v["enter"] if v["option"] == "-l" else v["option"]: v["id"] or v["entry"]
            for v in found["verdicts"]}


@pytest.mark.parametrize("name", KERNELS)
def test_kernel(pc, name):
    image, model = images.real(name), images.unpacked(name)
    found = inspect(pc, images.path(name), limit=60)
    header = {f["name"]: int(f["value"], 16) for f in found["setup_header"]}
    for field in ("version", "init_size", "payload_offset", "payload_length", "pref_address",
                  "kernel_alignment", "xloadflags", "setup_sects", "syssize", "kernel_info_offset"):
        assert header[field] == image.at(getattr(images, field.upper())), field
    for f in found["setup_header"]:
        assert f["meaning"]
    assert found["type"] == "bzImage" and found["image_len"] == len(image)
    assert found["payload"]["unpacked_len"] == len(model.data) and found["payload"]["unpacks"]
    assert found["elf"]["class"] == (64 if model.is_64 else 32)
    assert int(found["elf"]["entry"], 16) == model.link_paddr + model.entry_off
    loads = [p for p in found["elf"]["program_headers"] if p["type"] == "LOAD"]
    assert sorted((int(p["paddr"], 16) - model.link_paddr, int(p["mem_len"], 16)) for p in loads) == \
        [(load.off, load.mem_len) for load in model.loads]
    counts = [r["count"] for r in found["elf"]["relocations"]["lists"]]
    assert counts == [len(places) for places in model.lists() if places]
    assert found["abilities"]["kaslr"] == ("yes" if model.is_64 else "unknown")
    assert image[image.version_off:].startswith(found["kernel_version"].encode())
    parts = found["parts"]
    assert [int(p["off"], 16) + p["len"] for p in parts] == \
        [int(p["off"], 16) for p in parts[1:]] + [len(image)], "parts are the file, without a gap"


@pytest.mark.parametrize("name", KERNELS)
def test_needs_are_those_of_the_plan(pc, name):
    found = inspect(pc, images.path(name), limit=60)
    entries = ("direct", "64", "32") if images.real(name).is_64 else ("direct", "32")
    for enter in entries:
        plan = plans.Plan(run("--dry-run", "--json", pc, f"--enter={enter}", "--append=nokaslr",
                              images.path(name), limit=60).done().out)
        kernel, params = plan.segment("kernel"), plan.segment("params")
        wanted = need(found, enter, "kernel" if enter == "direct" else "window")
        assert -(-wanted["len"] // plans.PAGE) * plans.PAGE == kernel["reserve_len"]
        assert int(wanted["align"], 16) == kernel["align"]
        for n, at, length in ((wanted, kernel["addr"], kernel["reserve_len"]),
                              (need(found, enter, "boot_params"), params["addr"], 4096)):
            assert int(n["min"], 16) <= at and at + length <= int(n["end"], 16)
        assert int(plan["jump"]["entry"], 16) - kernel["addr"] == int(entry(found, enter)["off"], 16)


def test_pvh_note(pc):
    model = images.unpacked("7-amd64")
    found = inspect(pc, images.path("7-amd64"))
    notes = {n["name"]: n for n in found["elf"]["notes"]}
    at = model.data.index(struct.pack("<III4s", 4, 8, 18, b"Xen\0"))
    assert int(notes["PHYS32_ENTRY"]["value"], 16) == struct.unpack_from("<Q", model.data, at + 16)[0]
    assert entry(found, "pvh")["addr"] == notes["PHYS32_ENTRY"]["value"]
    assert notes["GUEST_OS"]["value"] == "linux" and len(notes["BUILD_ID"]["value"]) == 40
    assert notes["FEATURES"]["value"].startswith("!writable_page_tables")
    assert all(n["error"] is None for n in found["elf"]["notes"])
    assert entry(inspect(pc, images.path("6.1-686-pae")), "pvh")["there"]


def test_verdicts(folder, pc):
    assert verdicts(inspect(pc, images.path("6.1-cloud"))) == {
        "auto": "direct", "direct": "direct", "64": "64", "32": "32", "16": "16", "pvh": "pvh",
        "-p": "crash/no-reservation"}
    of_32_bits = verdicts(inspect(pc, images.path("6.1-686-pae")))
    assert of_32_bits["64"] == "bzimage/no-64-bit-entry" and of_32_bits["pvh"] == "pvh"
    without = folder / "without"
    without.write_bytes(images.small())
    assert verdicts(inspect(pc, without))["pvh"] == "bzimage/no-payload"
    (folder / "tiny").mkdir()
    tiny = Machine(pc_map(48 * MIB)).write(folder / "tiny")
    ids = verdicts(inspect(tiny, images.path("6.1-cloud")))
    assert ids["64"].startswith("place/") and ids["auto"].startswith("place/")
    root = inspect("--host-root=/nonexistent", images.path("6.1-cloud"))
    assert root["elf"]["class"] == 64 and root["verdicts"][0]["verdict"] == "refused"


def test_verdict_for_a_panic(folder):
    """That of -p, for the reservation that this machine has."""
    for size, verdict in ((256, "direct"), (32, "place/no-hole")):
        where = folder / str(size)
        where.mkdir()
        host = Machine(pc_map(16 * GIB), crash_kernel=(GIB, GIB + size * MIB)).write(where)
        assert verdicts(inspect(host, images.path("6.1-cloud")))["-p"] == verdict


def test_broken_image_is_still_shown(folder, pc):
    where = folder / "cut"
    where.write_bytes(images.real("6.1-cloud")[:5_000_000])
    found = inspect(pc, where)
    assert found["error"]["id"] == "bzimage/kernel-truncated" and len(found["setup_header"]) > 30
    said = verdicts(found)
    assert said.pop("-p") == "crash/no-reservation"
    assert set(said.values()) == {"bzimage/kernel-truncated"}
    image = images.real("6.1-cloud")
    middle = image.setup_len + image.at(images.PAYLOAD_OFFSET) + 5_000_000
    where.write_bytes(image.patched(middle, bytes(64)))
    found = inspect(pc, where)
    assert not found["payload"]["unpacks"] and found["payload"]["error"]["id"].startswith("unpack/")
    assert found["entries"][0]["obstacle"] and verdicts(found)["64"] == "64"


def test_wrapped(folder, pc):
    where = folder / "image.efi.gz"
    where.write_bytes(gzip.compress(pe.image([
        (".linux", images.small()), (".cmdline", b"quiet"), (".profile", b"ID=a\n"),
        (".profile", b"ID=b\nTITLE=Two\n"), (".cmdline", b"loud")]), 1))
    found = inspect(pc, where)
    assert [layer["name"] for layer in found["wrapped_in"]] == ["gzip", "uki"]
    uki = found["wrapped_in"][1]["uki"]
    assert [p["id"] for p in uki["profiles"]] == ["a", "b"] and uki["cmdline"] == "quiet"
    assert uki["profiles"][1]["cmdline"] == "loud" and found["type"] == "bzImage"


def test_vmlinux(folder, pc):
    where = folder / "vmlinux"
    where.write_bytes(images.unpacked("7-amd64").data)
    found = inspect(pc, where)
    assert found["type"] == "elf-x86_64" and verdicts(found) == {
        "auto": "direct", "pvh": "pvh", "-p": "crash/no-reservation"}
    assert need(found, "direct", "kernel")["mapping"] == "identity"
    assert found["banner"].startswith("7.")


@pytest.mark.parametrize("data, name", [
    (b"no image at all\n" * 100, "inspect/no-image"), (b"", "file/empty"),
    (b"\x7fELF" + bytes(100), "inspect/no-image"), (gzip.compress(b"text" * 500, mtime=0), "inspect/no-image"),
    (pe.image([(".text", b"code")]), "uki/no-kernel"),
])
def test_no_image(folder, pc, data, name):
    where = folder / "file"
    where.write_bytes(data)
    run("--inspect", pc, where).failed(name)
    result = run("--inspect", "--json", pc, where)
    assert result.status == 255 and plans.parse(result.out)["error"]["id"] == name


def test_anybody_may_ask(small):
    result = run("--inspect", small, user=NOBODY).done()
    text = result.out.decode()
    for word in ("setup header", "boot protocol 2.15", "memory for the entry 64", "verdicts"):
        assert word in text, text


def test_text_fits_what_json_says(pc):
    text = run("--inspect", pc, images.path("6.1-cloud")).done().out.decode()
    found = inspect(pc, images.path("6.1-cloud"))
    for f in found["setup_header"]:
        assert any(line.split()[:4] == [f["off"], str(f["size"]), f["name"], f["value"]]
                   for line in text.splitlines() if line.strip()), f
    drawing = text[text.index("the file, one character"):]
    bar = drawing.splitlines()[1].strip()
    assert bar.startswith("|") and bar.endswith("|") and bar.count("D") > 55, bar


@pytest.mark.parametrize("words", [("-u",), ("-e", "-l"), ("-p", "-e")])
def test_nothing_else_at_once(small, words):
    result = run("--inspect", *words, small)
    assert result.status in (0, 1) and (result.status == 1) == ("-u" in words or "-p" in words), result
