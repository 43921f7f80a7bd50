# SPDX-License-Identifier: GPL-2.0-or-later
"""--list and @ENTRY: what boot loaders offer, on boot folders that are made up, with real kernels."""

import hashlib
import json
import os
import pathlib
import sys

import pytest

import grub
import images
import pe
import plans
from kexec_run import NOBODY, run
from machines import GIB, MIB, Machine, pc as pc_map

LINE = "root=UUID=1-2-3 ro quiet"
INITRD = b"an initrd that nobody unpacks"


class Boot:
    """A folder that stands for /boot, and what is asked of kexec about it."""

    def __init__(self, folder, machine):
        self.folder, self.machine = folder, machine
        folder.mkdir(exist_ok=True)
        self.option = f"--boot-root={folder}"

    def put(self, name, data):
        where = self.folder / name
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(data if isinstance(data, bytes) else data.encode())
        return where

    def bls(self, name, **keys):
        lines = [f"{key.replace('_', '-')} {value}" for key, values in keys.items()
                 for value in (values if isinstance(values, list) else [values])]
        return self.put(f"loader/entries/{name}.conf", "\n".join(lines) + "\n")

    def list(self, *words, status=0):
        result = run("--list", "--json", self.option, *words)
        assert result.status == status, result
        return plans.parse(result.out)

    def entries(self, *words):
        """{id: entry}"""
        return {entry["id"]: entry for entry in self.list(*words)["list"]["entries"]}

    def ids(self):
        return [entry["id"] for entry in self.list()["list"]["entries"]]

    def why(self, name):
        return self.entries()[name]["why_id"]

    def default(self):
        chosen = [e["id"] for e in self.list()["list"]["entries"] if e["default"]]
        assert len(chosen) <= 1
        return chosen[0] if chosen else None

    def load(self, name, *words):
        return run("--dry-run", "--json", self.machine, self.option, "--initrd-unpack=no", *words, name)

    def plan(self, name, *words):
        return json.loads(self.load(name, *words).done().out)


@pytest.fixture
def boot(folder, pc):
    made = Boot(folder / "bootfs", pc)
    made.put("vmlinuz-6.1", images.small())
    made.put("initrd.img-6.1", INITRD)
    return made


def typical(boot, name="debian-6.1", **more):
    keys = dict(title="Debian GNU/Linux", version="6.1", machine_id="0123", sort_key="debian",
                linux="/vmlinuz-6.1", initrd="/initrd.img-6.1", options=LINE)
    return boot.bls(name, **{**keys, **more})


def initrd_of(plan):
    return [segment["sha256"] for segment in plan["segments"] if segment["name"] == "initrd"]


def digest(*parts):
    data = b"".join(part + bytes(-len(part) % 4096 if part is not parts[-1] else 0) for part in parts)
    return [hashlib.sha256(data).hexdigest()]


# ----------------------------------------------------------------------------------------- type 1


def test_an_entry_is_loaded(boot):
    typical(boot)
    for name in ("@", "@default", "@debian-6.1", "@debian-6.1.conf", "@Debian GNU/Linux", "@deb",
                 "@*6.1*", "@bls:deb"):
        plan = boot.plan(name)
        assert plan["cmdline"] == LINE
        assert initrd_of(plan) == digest(INITRD)
    text = run("--dry-run", "-d", boot.machine, boot.option, "@").err.decode()
    assert f"boot entry 'debian-6.1.conf' of loader/entries/debian-6.1.conf: {boot.folder}/vmlinuz-6.1 " \
        "[entries/chosen]" in text


def test_what_is_given_counts_more(boot, folder):
    typical(boot)
    other = folder / "other"
    other.write_bytes(b"other")
    assert boot.plan("@", "--append=a b")["cmdline"] == "a b"
    assert boot.plan("@", "--append=a b", "--image-cmdline")["cmdline"] == LINE + " a b"
    assert boot.plan("@", "--image-cmdline")["cmdline"] == LINE
    assert boot.plan("@", "--reuse-cmdline", "--append=x")["cmdline"] == "root=/dev/vda1 quiet x"
    assert initrd_of(boot.plan("@", f"--initrd={other}")) == digest(b"other")
    (boot.folder / "initrd.img-6.1").unlink()
    boot.load("@").failed("entries/no-file", has_out=True, says=["/initrd.img-6.1"])
    assert initrd_of(boot.plan("@", f"--initrd={other}")) == digest(b"other")


def test_several_initrds_and_options(boot):
    boot.put("microcode", b"microcode")
    typical(boot, initrd=["/microcode", "/initrd.img-6.1"], options=["one", "two"])
    plan = boot.plan("@")
    assert plan["cmdline"] == "one two" and plan["initrd"]["files"] == 2
    assert initrd_of(plan) == digest(b"microcode", INITRD)


def test_other_modes_take_entries(boot, folder):
    typical(boot)
    out = run("--inspect", "--json", boot.machine, boot.option, "@").done().out
    assert plans.parse(out)["type"] == "bzImage"
    result = run("--dry-run", "-p", boot.machine, boot.option, "@")
    assert result.reasons()[-1]["id"] == "crash/no-reservation", result
    (folder / "crash").mkdir()
    crash = Machine(pc_map(4 * GIB), crash_kernel=(1 << 30, (1 << 30) + 512 * MIB)).write(folder / "crash")
    result = run("--dry-run", "-p", "--json", crash, boot.option, "@")
    assert result.status == 0 and json.loads(result.out)["cmdline"].endswith(LINE), result
    assert run("--dry-run", "-s", boot.machine, boot.option, "@").status == 0


@pytest.mark.parametrize("kernel", ["6.1-cloud", "7-amd64"])
def test_real_kernels(boot, folder, kernel):
    path = images.path(kernel)
    boot.put("real/vmlinuz", path.read_bytes())
    typical(boot, linux="/real/vmlinuz")
    said = boot.entries()["debian-6.1.conf"]
    assert said["usable"] and said["kernel"] == "/real/vmlinuz"
    assert boot.plan("@")["cmdline"] == LINE
    run("--export=vmlinux", "-o", folder / "vmlinux", boot.option, "@").done()
    assert (folder / "vmlinux").read_bytes()[:4] == b"\x7fELF"


def test_rehearsed(boot):
    boot.put("real/vmlinuz", images.path("6.1-cloud").read_bytes())
    typical(boot, linux="/real/vmlinuz")
    result = run("--dry-run", "--rehearse", boot.machine, boot.option, "@", limit=120)
    assert result.status == 0, result


def test_layout_of_kernel_install(boot):
    """As kernel-install(8) lays it out: a folder for each machine and release."""
    machine, release = "4098b3f648d74c13b1f04ccfba7798e8", "6.1.0-28-amd64"
    boot.put(f"{machine}/{release}/linux", images.small())
    boot.put(f"{machine}/{release}/initrd.img-{release}", INITRD)
    boot.bls(f"{machine}-{release}+3", title="Debian GNU/Linux 12 (bookworm)", version=release,
             machine_id=machine, sort_key="debian", options=LINE,
             linux=f"/{machine}/{release}/linux", initrd=f"/{machine}/{release}/initrd.img-{release}")
    boot.put("loader/loader.conf", f"#timeout 3\ndefault {machine}-*\n")
    assert boot.default() == f"{machine}-{release}.conf"
    assert boot.plan("@")["cmdline"] == LINE
    assert boot.entries()[f"{machine}-{release}.conf"]["tries_left"] == 3


def test_a_folder_named_boot_of_a_root_file_system(boot):
    typical(boot, linux="/boot/vmlinuz-6.1", initrd="/boot/initrd.img-6.1")
    assert initrd_of(boot.plan("@")) == digest(INITRD)
    # Where there is such a folder, it is that.
    boot.put("boot/vmlinuz-6.1", b"no kernel")
    assert boot.load("@").status == 255


def test_default_and_order(boot):
    for version in ("6.1", "6.10", "6.9"):
        typical(boot, f"debian-{version}", version=version)
    typical(boot, "bad+0-3", version="9")
    assert boot.ids() == ["debian-6.10.conf", "debian-6.9.conf", "debian-6.1.conf", "bad.conf"]
    assert boot.default() == "debian-6.10.conf"
    boot.put("loader/loader.conf", "default debian-6.9*\n")
    assert boot.default() == "debian-6.9.conf"


# -------------------------------------------------------------------------------- what is refused


def test_refusals_say_why(boot):
    typical(boot, "missing", linux="/nosuch")
    typical(boot, "no-kernel", linux="")
    typical(boot, "arm", architecture="aa64")
    typical(boot, "folder", linux="/loader")
    typical(boot, "relative", linux="vmlinuz-6.1")
    typical(boot, "escape", options="a\x1b[2Jb", title="a\x1b]0;b\x07")
    assert {name: entry["why_id"] for name, entry in boot.entries().items()} == {
        "missing.conf": "entries/no-file", "no-kernel.conf": "entries/no-kernel",
        "arm.conf": "entries/other-architecture", "folder.conf": "entries/no-regular-file",
        "relative.conf": "entries/relative-path", "escape.conf": "entries/control-character"}
    for name in ("no-kernel", "arm", "folder", "relative", "escape"):
        boot.load(f"@{name}").failed(boot.why(f"{name}.conf"), has_out=True, says=[name])
    text = run("--list", boot.option).done().out
    assert b"\x1b" not in text and b"[entries/other-architecture]" in text


def test_paths_stay_within(boot, folder):
    secret = folder / "secret"
    secret.write_bytes(images.small())
    outside = os.path.relpath(secret, "/")
    typical(boot, "dots", linux=f"/../../../../../../../../{outside}")
    (boot.folder / "link").symlink_to(secret)
    (boot.folder / "relative").symlink_to("../secret")
    (boot.folder / "inside").symlink_to("/vmlinuz-6.1")
    os.mkfifo(boot.folder / "fifo")
    for name in ("link", "relative", "inside", "fifo"):
        typical(boot, name, linux=f"/{name}")
    why = {name: entry["why_id"] for name, entry in boot.entries().items()}
    assert why == {"dots.conf": "entries/no-file", "link.conf": "entries/no-file",
                   "relative.conf": "entries/no-file", "inside.conf": None,
                   "fifo.conf": "entries/no-regular-file"}
    assert boot.plan("@inside")["cmdline"] == LINE


def test_without_openat2(boot, folder):
    """As on a kernel before 5.6: links and ".." are refused, whole paths are not."""
    (boot.folder / "link").symlink_to("vmlinuz-6.1")
    (boot.folder / "folder").symlink_to("loader")
    (folder / "secret").write_bytes(images.small())
    typical(boot, "good")
    typical(boot, "dots", linux="/../secret")
    typical(boot, "link", linux="/link")
    typical(boot, "deep", linux="/folder/entries/good.conf")
    expected = {"good.conf": None, "dots.conf": "entries/path-escapes",
                "link.conf": "entries/unreachable", "deep.conf": "entries/unreachable"}
    filtered = pathlib.Path(__file__).with_name("under_filter.py")
    result = run("--list", "--json", boot.option,
                 between=[sys.executable, "-B", str(filtered), "openat2"])
    said = json.loads(result.done().out)["list"]["entries"]
    assert {entry["id"]: entry["why_id"] for entry in said} == expected
    assert boot.why("link.conf") is None


def test_ambiguous_and_unknown(boot):
    typical(boot, "twin-1")
    typical(boot, "twin-2", title="Other")
    text = boot.load("@twin").failed("entries/ambiguous", has_out=True)
    assert "bls:twin-1.conf (Debian GNU/Linux), bls:twin-2.conf (Other)" in text or \
        "bls:twin-2.conf (Other), bls:twin-1.conf (Debian GNU/Linux)" in text
    boot.load("@nosuch").failed("entries/none-such", has_out=True, says=["twin-1.conf"])
    boot.load("@saved").failed("entries/not-known", has_out=True)


def test_nothing_there(boot):
    result = run("--list", boot.option)
    result.failed("entries/none", status=1)
    assert boot.list(status=1)["list"]["entries"] == []
    boot.load("@").failed("entries/not-known", has_out=True)
    run("--list", "--boot-root=/nosuch").failed("entries/boot-root")
    result = run("--list", "--json", "--boot-root=/nosuch")
    text = result.failed("entries/boot-root", has_out=True)
    said = plans.parse(result.out)
    assert (said["error"]["id"], said["error"]["text"]) == ("entries/boot-root", text)


def test_hostile_files(boot):
    boot.put("loader/entries/long.conf", b"title x\n" * 20000)
    boot.put("loader/entries/nul.conf", b"linux /vm\0linuz\n")
    boot.put("loader/entries/noise.conf", bytes(range(256)) * 16)
    boot.put("loader/entries/huge.conf", b"#" * (2 << 20))
    boot.put("loader/entries/.hidden.conf", b"linux /vmlinuz-6.1\n")
    boot.put("loader/entries/initrds.conf", "linux /vmlinuz-6.1\n" + "initrd /initrd.img-6.1\n" * 100)
    os.mkfifo(boot.folder / "loader/entries/fifo.conf")
    result = run("--list", "--json", boot.option)
    assert result.status == 0
    assert {reason for reason in ("huge", "fifo") if f"{reason}.conf".encode() in result.err} >= {"huge"}
    entries = {e["id"]: e["why_id"] for e in json.loads(result.out)["list"]["entries"]}
    assert entries == {"long.conf": "entries/too-long", "nul.conf": "entries/control-character",
                       "noise.conf": "entries/no-kernel", "initrds.conf": "entries/too-many-initrds"}


def test_a_file_with_an_at_sign(boot, folder):
    (folder / "@kernel").write_bytes(images.small())
    assert run("--dry-run", boot.machine, "./@kernel", cwd=folder).status == 0
    run("--dry-run", boot.machine, boot.option, "@kernel", cwd=folder).failed("entries/none-such")


def test_anybody_may_list(boot):
    typical(boot)
    boot.folder.parent.chmod(0o755)
    result = run("--list", boot.option, user=NOBODY if os.geteuid() == 0 else None)
    assert result.status == 0 and b"debian-6.1.conf" in result.out
    if os.geteuid() == 0:
        (boot.folder / "loader").chmod(0o700)
        result = run("--list", boot.option, user=NOBODY)
        assert result.status == 1 and b"[entries/unreadable]" in result.err


def test_options_that_make_no_sense(boot):
    for words in (["--list", "kernel"], ["--list", "-l"], ["--list", "--check"],
                  ["--list", "--initrd=x"], ["--list", "--dry-run"]):
        result = run(*words)
        assert result.status == 1 and result.reasons()[0]["id"] == "options/question", result
    result = run("--dry-run", boot.machine, boot.option, images.path("6.1-cloud"))
    assert result.status == 0 and b"[options/no-effect]" in result.err


# ------------------------------------------------------------------------------------------ type 2


OSREL = 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 13"\nVERSION_ID="13"\n'


def uki(sections=(), **options):
    return pe.image([(".linux", images.small()), (".osrel", OSREL.encode()),
                     (".uname", b"6.12.1"), (".cmdline", LINE.encode()), *sections], **options)


def test_unified_kernel_images(boot):
    boot.put("EFI/Linux/debian-13+2-1.efi", uki([(".initrd", INITRD)]))
    boot.put("EFI/Linux/broken.efi", b"MZ" + bytes(100))
    boot.put("EFI/Linux/empty.efi", b"")
    boot.put("EFI/Linux/other.efi", pe.image([(".osrel", OSREL.encode())]))
    entries = boot.entries()
    good = entries["debian-13.efi"]
    assert (good["kind"], good["title"], good["version"], good["sort_key"]) == \
        ("uki", "Debian GNU/Linux 13", "6.12.1", "debian")
    assert (good["tries_left"], good["tries_done"], good["usable"]) == (2, 1, True)
    assert {name: e["why_id"] for name, e in entries.items() if not e["usable"]}.keys() == \
        {"broken.efi", "empty.efi", "other.efi"}
    assert entries["broken.efi"]["why_id"].startswith("pe/")
    assert entries["other.efi"]["why_id"] == "entries/no-kernel"
    plan = boot.plan("@debian-13")
    assert plan["cmdline"] == LINE and plan["type_text"] == "bzImage in uki"
    assert boot.plan("@debian-13", "--append=x", "--image-cmdline")["cmdline"] == f"{LINE} x"


def test_profiles_are_entries(boot):
    profiles = [(".profile", b"ID=main\nTITLE=Main\n"),
                (".profile", b"ID=rescue\nTITLE=Rescue\n"), (".cmdline", b"rescue")]
    boot.put("EFI/Linux/os.efi", uki(profiles))
    assert [(i, e["title"]) for i, e in sorted(boot.entries().items())] == \
        [("os.efi", "Debian GNU/Linux 13 (Main)"), ("os.efi@rescue", "Debian GNU/Linux 13 (Rescue)")]
    assert boot.plan("@os.efi")["cmdline"] == LINE
    assert boot.plan("@os.efi@rescue")["cmdline"] == "rescue"


def test_an_entry_that_names_an_image(boot):
    boot.put("k.efi", uki())
    boot.bls("own", efi="/k.efi")
    boot.bls("more", efi="/k.efi", options="other")
    assert boot.plan("@own")["cmdline"] == LINE
    assert boot.plan("@more")["cmdline"] == "other"


# ------------------------------------------------------------------------- whole machines, as trees


@pytest.fixture
def tree(folder):
    """A machine with EFI, its /boot and its ESP at /efi."""
    root = folder / "tree"
    option = Machine(pc_map(4 * GIB), is_efi=True).write(root)
    made = Boot(root / "boot", option)
    made.option, made.root = option, root
    made.put("vmlinuz-6.1", images.small())
    made.put("initrd.img-6.1", INITRD)
    return made


def variable(tree, name, text):
    where = tree.root / f"sys/firmware/efi/efivars/{name}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes((7).to_bytes(4, "little") + text.encode("utf-16-le") + b"\0\0")


def test_usual_folders(tree):
    typical(tree)
    esp = Boot(tree.root / "efi", tree.machine)
    esp.put("vmlinuz", images.small())
    esp.bls("esp", linux="/vmlinuz", sort_key="zzz")
    esp.put("EFI/Linux/uki.efi", uki())
    entries = tree.entries()
    assert {name: e["folder"] for name, e in entries.items()} == \
        {"debian-6.1.conf": "/boot", "esp.conf": "/efi", "uki.efi": "/efi"}
    assert all(e["usable"] for e in entries.values())
    plan = json.loads(run("--dry-run", "--json", tree.machine, "@debian-6.1").done().out)
    assert plan["cmdline"] == LINE


def test_efi_variables(tree):
    for name in ("a", "b", "c"):
        typical(tree, name, version=name)
    assert tree.default() == "c.conf"
    variable(tree, "LoaderInfo", "systemd-boot 257")
    variable(tree, "LoaderEntryLastBooted", "a.conf")
    assert tree.list()["list"]["loader"] == "systemd-boot"
    assert [e["id"] for e in tree.entries().values() if e["saved"]] == ["a.conf"]
    variable(tree, "LoaderEntryDefault", "b.conf")
    assert tree.default() == "b.conf"
    variable(tree, "LoaderEntryDefault", "@saved")
    assert tree.default() == "a.conf" and not tree.list()["list"]["one_shot"]
    variable(tree, "LoaderEntryOneShot", "b.conf")
    assert tree.default() == "b.conf" and tree.list()["list"]["one_shot"]
    text = run("--dry-run", "-d", tree.machine, "@").err.decode()
    assert "[entries/one-shot]" in text
    variable(tree, "LoaderEntryOneShot", "b\x1b.conf")
    variable(tree, "LoaderEntryDefault", "x" * 4000)
    assert tree.default() == "c.conf"


def test_mounts(tree):
    """The root file system's own /boot; an EFI file system that is mounted elsewhere."""
    (tree.root / "proc/self").mkdir(exist_ok=True)
    (tree.root / "proc/self/mountinfo").write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 8:2 / /the\\040esp rw shared:1 - vfat /dev/sda2 rw\n"
        "3 1 8:3 / /data rw - vfat /dev/sda3 rw\nnonsense\n")
    typical(tree, "root", linux="/boot/vmlinuz-6.1", initrd="/boot/initrd.img-6.1")
    typical(tree, "wrong")
    esp = Boot(tree.root / "the esp", tree.machine)
    esp.put("EFI/Linux/uki.efi", uki())
    (tree.root / "data").mkdir()
    entries = tree.entries()
    assert {name: (e["folder"], e["why_id"]) for name, e in entries.items()} == {
        "root.conf": ("/boot", None), "wrong.conf": ("/boot", "entries/no-file"),
        "uki.efi": ("/the esp", None)}


# ---------------------------------------------------------------------------------------------- GRUB


@pytest.fixture
def debian(tree):
    """A machine of whose root file system /boot is a folder, with two kernels and GRUB's menu of them."""
    (tree.root / "proc/self").mkdir(exist_ok=True)
    (tree.root / "proc/self/mountinfo").write_text("1 0 8:2 / / rw - ext4 /dev/sda2 rw\n")
    uuids = tree.root / "dev/disk/by-uuid"
    uuids.mkdir(parents=True)
    (uuids / grub.UUID).symlink_to("../../sda2")
    for release in ("6.1.0-9-amd64", "6.1.0-28-amd64"):
        tree.put(f"vmlinuz-{release}", images.small())
        tree.put(f"initrd.img-{release}", INITRD + release.encode())
    for name in ("vmlinuz-6.1", "initrd.img-6.1"):
        (tree.folder / name).unlink()
    return tree


def test_menu_of_grub_mkconfig(debian, folder):
    grub.mkconfig(folder, debian.folder)
    said = debian.list()["list"]
    assert said["loader"] == "grub" and all(e["usable"] for e in said["entries"]), said
    assert [(e["id"].replace(f"-{grub.UUID}", ""), [m["index"] for m in e["menu"]], e["kernel"],
             e["options"]) for e in said["entries"]] == [
        ("gnulinux-simple", [0], "/boot/vmlinuz-6.1.0-28-amd64", "root=/dev/sda2 ro quiet"),
        ("gnulinux-6.1.0-28-amd64-advanced", [1, 0], "/boot/vmlinuz-6.1.0-28-amd64",
         "root=/dev/sda2 ro quiet"),
        ("gnulinux-6.1.0-28-amd64-recovery", [1, 1], "/boot/vmlinuz-6.1.0-28-amd64",
         "root=/dev/sda2 ro single"),
        ("gnulinux-6.1.0-9-amd64-advanced", [1, 2], "/boot/vmlinuz-6.1.0-9-amd64",
         "root=/dev/sda2 ro quiet"),
        ("gnulinux-6.1.0-9-amd64-recovery", [1, 3], "/boot/vmlinuz-6.1.0-9-amd64",
         "root=/dev/sda2 ro single")]
    assert debian.default() == f"gnulinux-simple-{grub.UUID}"
    title = "Debian GNU/Linux, with Linux 6.1.0-9-amd64"
    for name in ("1>2", f"Advanced options for Debian GNU/Linux>{title}", title,
                 "gnulinux-6.1.0-9-amd64-adv", f"1>gnulinux-6.1.0-9-amd64-advanced-{grub.UUID}",
                 f"gnulinux-advanced-{grub.UUID}>2", "grub:*6.1.0-9*advanced*"):
        plan = json.loads(run("--dry-run", "--json", debian.machine, "--initrd-unpack=no",
                              f"@{name}").done().out)
        assert plan["cmdline"] == "root=/dev/sda2 ro quiet"
        assert initrd_of(plan) == digest(INITRD + b"6.1.0-9-amd64"), name


def test_saved_and_next_entry(debian, folder):
    grub.mkconfig(folder, debian.folder, "GRUB_DEFAULT=saved\n")
    assert debian.default() == f"gnulinux-simple-{grub.UUID}"
    name = f"gnulinux-6.1.0-9-amd64-advanced-{grub.UUID}"
    env = debian.folder / "grub/grubenv"
    grub.editenv(env, saved_entry=f"gnulinux-advanced-{grub.UUID}>{name}")
    assert debian.default() == name and debian.entries()[name]["saved"]
    grub.editenv(env, saved_entry="1>3")
    assert debian.default() == f"gnulinux-6.1.0-9-amd64-recovery-{grub.UUID}"
    grub.editenv(env, saved_entry="1>3", next_entry="1>0")
    assert debian.default() == f"gnulinux-6.1.0-28-amd64-advanced-{grub.UUID}"
    assert debian.list()["list"]["one_shot"]
    grub.editenv(env, saved_entry="nosuch")
    said = debian.list()["list"]
    assert debian.default() is None and "'nosuch'" in said["default_why"]
    run("--dry-run", debian.machine, "@").failed("entries/not-known", says=["nosuch"])
    # A submenu is no entry.
    grub.editenv(env, saved_entry="1")
    assert debian.default() is None


def test_broken_grubenv(debian, folder):
    grub.mkconfig(folder, debian.folder, "GRUB_DEFAULT=saved\n")
    grub.editenv(debian.folder / "grub/grubenv", saved_entry="1>3")
    whole = (debian.folder / "grub/grubenv").read_bytes()
    for data in (whole[:-1], whole + b"#", b"x" + whole[1:], whole.replace(b"saved_", b"saved \0", 1),
                 whole.replace(b"=1>3\n", b"=1>3#"), bytes(1024)):
        debian.put("grub/grubenv", data)
        result = run("--list", debian.machine)
        assert result.status == 0 and b"[entries/grubenv]" in result.err, data
        # GRUB may read it otherwise: what it would say is not known.
        assert debian.default() is None


def test_a_partition_for_boot(debian, folder):
    """Its paths begin there, and a search for another file system is none for it."""
    grub.mkconfig(folder, debian.folder, has_boot_partition=True)
    mountinfo = debian.root / "proc/self/mountinfo"
    mountinfo.write_text("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /boot rw - ext4 /dev/sda2 rw\n")
    entries = debian.entries()
    assert all(e["usable"] for e in entries.values())
    assert {e["kernel"] for e in entries.values()} == \
        {"/vmlinuz-6.1.0-9-amd64", "/vmlinuz-6.1.0-28-amd64"}
    mountinfo.write_text("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:3 / /boot rw - ext4 /dev/sda3 rw\n")
    entries = debian.entries()
    assert {e["why_id"] for e in entries.values()} == {"entries/grub-disk"}
    assert all(grub.UUID in e["why"] and "grub/grub.cfg line" in e["why"] for e in entries.values())


def test_a_subvolume(debian):
    debian.put("grub/grub.cfg", "menuentry a { linux /@/boot/vmlinuz-6.1.0-9-amd64 a\n}\n"
               "menuentry b { linux /boot/vmlinuz-6.1.0-9-amd64 b\n}\n"
               "menuentry c { linux /@x/boot/vmlinuz-6.1.0-9-amd64 c\n}\n")
    mountinfo = debian.root / "proc/self/mountinfo"
    mountinfo.write_text("1 0 0:30 /@ / rw - btrfs /dev/sda2 rw,subvol=/@\n")
    assert {name: e["usable"] for name, e in debian.entries().items()} == \
        {"a": True, "b": True, "c": False}
    mountinfo.write_text("1 0 0:30 / / rw - btrfs /dev/sda2 rw\n")
    assert not debian.entries()["a"]["usable"]


def test_kernels_of_another_file_system(debian):
    """grub.cfg on the EFI partition, which names kernels by the UUID of the root file system."""
    (debian.root / "proc/self/mountinfo").write_text(
        "1 0 8:2 / / rw - ext4 /dev/sda2 rw\n2 1 8:1 / /efi rw - vfat /dev/sda1 rw\n")
    esp = Boot(debian.root / "efi", debian.machine)
    kernel, initrd = "/boot/vmlinuz-6.1.0-9-amd64", "/boot/initrd.img-6.1.0-9-amd64"
    esp.put("grub/grub.cfg", f"search --fs-uuid --set=dev {grub.UUID}\n"
            f"menuentry a {{ linux ($dev){kernel} a\n initrd ($dev){initrd}\n}}\n"
            f"menuentry b {{ linux {kernel} b\n}}\n"
            f"menuentry c {{ linux ($dev){kernel} c\n initrd {initrd}\n}}\n")
    entries = debian.entries()
    assert {name: (e["folder"], e["why_id"]) for name, e in entries.items()} == {
        "a": ("/efi", None), "b": ("/efi", "entries/no-file"), "c": ("/efi", "entries/grub-disk")}
    plan = json.loads(run("--dry-run", "--json", debian.machine, "--initrd-unpack=no", "@a").done().out)
    assert plan["cmdline"] == "a" and initrd_of(plan) == digest(INITRD + b"6.1.0-9-amd64")


def script(boot, text, custom=None, name="grub/grub.cfg"):
    boot.put(name, text)
    if custom is not None:
        boot.put("grub/custom.cfg", custom)
    return boot.entries()


@pytest.mark.parametrize("text, why, says", [
    ("search --label boot --set=root\nmenuentry a { linux /vmlinuz-6.1 }", "entries/grub-disk", "line 1"),
    ("menuentry a { linux (hd0,gpt1)/vmlinuz-6.1 }", "entries/grub-disk", "hd0,gpt1"),
    ("menuentry a { linux /vmlinuz-6.1 $cmdpath }", "entries/grub-unknown", "line 1"),
    ("if loadfont x; then set a=b; fi\nmenuentry a {\n linux /vmlinuz-6.1 $a\n}", "entries/grub-unknown",
     "line 1: whether 'loadfont x' holds is not known"),
    ("menuentry a {\n if keystatus --shift; then linux /vmlinuz-6.1\n fi\n}", "entries/grub-condition",
     "keystatus --shift"),
    ("if [ -e /flag ]; then\n menuentry a { linux /vmlinuz-6.1 }\nfi", "entries/grub-condition", "/flag"),
    ("menuentry a { multiboot2 /xen.gz\n module2 /vmlinuz-6.1 }", "entries/grub-command", "multiboot2"),
    ("menuentry a { chainloader +1 }", "entries/grub-command", "chainloader"),
    ("menuentry a { configfile /x.cfg }", "entries/grub-command", "configfile"),
    ("menuentry a { frobnicate\n linux /vmlinuz-6.1 }", "entries/grub-command", "frobnicate"),
    ("menuentry a { for x in 1 2; do linux /vmlinuz-6.1; done }", "entries/grub-syntax", "line 1"),
    ("menuentry a { linux /vmlinuz-6.1; initrd newc:x:/y }", "entries/grub-command", "newc:x:/y"),
    ("menuentry a { echo hello }", "entries/no-kernel", ""),
    ("menuentry a { linux }", "entries/grub-syntax", "line 1"),
    ("menuentry \"a$cmdpath\" { linux /vmlinuz-6.1 }", "entries/grub-condition", "its name"),
    ("frobnicate\nmenuentry a { linux /vmlinuz-6.1 $b }", "entries/grub-unknown", "frobnicate"),
    ("frobnicate\nmenuentry a { linux /vmlinuz-6.1 }", "entries/grub-disk", "frobnicate"),
    ("menuentry a { linux /vmlinuz-6.1 root=$root }", "entries/grub-unknown", "name of a disk"),
    ("menuentry a { linux /nosuch }", "entries/no-file", "/nosuch"),
    ("menuentry a { linux /../../../../../etc/passwd }", "entries/no-file", "passwd"),
    ("menuentry a { linux /vmlinuz-6.1 'a\x1b[2J' }", "entries/control-character", "0x1b"),
])
def test_what_grub_alone_knows(boot, text, why, says):
    entry = next(iter(script(boot, text + "\n").values()))
    assert entry["why_id"] == why and says in entry["why"], entry
    boot.load("@grub:*").failed(why, has_out=True)


@pytest.mark.parametrize("text, options", [
    ("set a=b\nmenuentry a { linux /vmlinuz-6.1 $a ${a}c \"$a d\" '$a' \\$a }", 'b bc "b d" $a $a'),
    ("function f {\n if [ \"$1\" = x ]; then set v=y; else set v=n; fi\n}\n"
     "f x\nmenuentry a { linux16 /vmlinuz-6.1 $v }", "y"),
    ("menuentry a { f=1; if [ $f -eq 1 -a ! -z x ]; then linuxefi /vmlinuz-6.1 one; "
     "elif true; then linux /nosuch; else linux /nosuch; fi }", "one"),
    ("if loadfont x; then set gfx=1; fi\nmenuentry a { linux /vmlinuz-6.1 ok $unset }", "ok"),
    ("set x='two words'\nmenuentry a { linux /vmlinuz-6.1 $x \"$x\" }", 'two words "two words"'),
    ("menuentry a { linux /nosuch bad\n linux /vmlinuz-6.1 'a\"b' # comment\n}", 'a\\"b'),
    ("menuentry a {\n linux /vmlinuz-6.1 on\\\ne  t\"w\"'o'\n}", "one two"),
    ("set default=a\nmenuentry a --class x --id=y { linux ($root)/vmlinuz-6.1 d }", "d"),
    ("if [ -e $prefix/nosuch ]; then set v=bad; else set v=good; fi\n"
     "menuentry a { linux /vmlinuz-6.1 $v }", "good"),
    ("submenu s { menuentry a { linux /vmlinuz-6.1 x$v } }\nset v=1", "x"),
    ("export v\nsubmenu s { menuentry a { linux /vmlinuz-6.1 x$v } }\nset v=1", "x1"),
])
def test_what_can_be_evaluated(boot, text, options):
    entry = next(iter(script(boot, text + "\n").values()))
    assert entry["why_id"] is None and entry["options"] == options, entry


def test_numbers_are_not_guessed(boot):
    said = script(boot, "set default=1\nif [ -d /x ]; then menuentry maybe { linux /vmlinuz-6.1; }; fi\n"
                        "menuentry a { linux /vmlinuz-6.1 a\n}\nmenuentry b { linux /vmlinuz-6.1 b\n}\n")
    assert [(e["id"], e["usable"], e["menu"][0]["index"]) for e in said.values()] == \
        [("maybe", False, None), ("a", True, None), ("b", True, None)]
    assert boot.default() is None
    assert boot.plan("@b")["cmdline"] == "b"


def test_custom_cfg(boot):
    text = ("menuentry a { linux /vmlinuz-6.1 a\n}\n"
            "if [ -f ${config_directory}/custom.cfg ]; then source ${config_directory}/custom.cfg; fi\n")
    assert list(script(boot, text)) == ["a"]
    said = script(boot, text, "menuentry mine { linux /vmlinuz-6.1 mine\n}\n")
    assert [(i, e["file"], e["line"]) for i, e in said.items()] == \
        [("a", "grub/grub.cfg", 1), ("mine", "grub/custom.cfg", 1)]
    assert boot.plan("@mine")["cmdline"] == "mine"


def test_fedora(boot):
    """blscfg: entries of the specification, in whose lines GRUB's variables are."""
    cfg = ("if [ -f ${config_directory}/grubenv ]; then load_env -f ${config_directory}/grubenv\n"
           "elif [ -s $prefix/grubenv ]; then load_env; fi\n"
           "if [ -z \"${kernelopts}\" ]; then set kernelopts=\"root=/dev/other\"; fi\n"
           "set default=\"${saved_entry}\"\ninsmod blscfg\nblscfg\n")
    name = "0123-6.5.6-300.fc39.x86_64"
    boot.put("grub2/grub.cfg", cfg)
    boot.bls(name, title="Fedora Linux (6.5.6)", version="6.5.6", linux="/vmlinuz-6.1",
             initrd="/initrd.img-6.1 $tuned_initrd", options="$kernelopts $tuned_params")
    boot.bls("0123-old", title="Fedora Linux (old)", linux="/vmlinuz-6.1", options="x $cmdpath")
    assert boot.entries()[f"{name}.conf"]["options"] == "root=/dev/other"
    grub.editenv(boot.folder / "grub2/grubenv", saved_entry=name, kernelopts="root=/dev/f ro rhgb")
    assert boot.default() == f"{name}.conf"
    assert [e["saved"] for e in boot.entries().values() if e["default"]] == [True]
    plan = boot.plan("@")
    assert plan["cmdline"] == "root=/dev/f ro rhgb" and initrd_of(plan) == digest(INITRD)
    assert boot.why("0123-old.conf") == "entries/grub-unknown"
    grub.editenv(boot.folder / "grub2/grubenv", saved_entry="0")
    assert boot.default() is None


@pytest.mark.parametrize("line", ["options", "linux", "initrd"])
def test_control_characters_from_grubs_variables(boot, line):
    """A terminal is not to be told what a variable holds either."""
    boot.put("grub2/grub.cfg", "set b=x\x1b[2Jy\nblscfg\n")
    boot.bls("a", **{"title": "A", "linux": "/vmlinuz-6.1", "options": "x", line: "/$b"})
    entry = boot.entries()["a.conf"]
    assert (entry["usable"], entry["why_id"]) == (False, "entries/control-character")
    assert "\x1b" not in json.dumps(entry, ensure_ascii=False)


HANDOFF = """if [ -e ${prefix}/gfxblacklist.txt ]; then
 if [ ${grub_platform} != pc ]; then set mode=keep
 elif hwmatch ${prefix}/gfxblacklist.txt 3; then
  if [ ${match} = 0 ]; then set mode=keep; else set mode=text; fi
 else set mode=text
 fi
else set mode=keep
fi
export mode
function gfxmode {
 set gfxpayload="${1}"
 if [ "${1}" = "keep" ]; then set vt_handoff=vt.handoff=7; else set vt_handoff=; fi
}
menuentry a { gfxmode $mode
 linux /boot/vmlinuz-6.1 quiet $vt_handoff
}
"""


def test_what_depends_on_the_display_card(tree):
    """As Ubuntu's menu does it: decided by files and the platform, as long as nobody asks the card."""
    tree.put("grub/grub.cfg", HANDOFF)
    assert tree.entries()["a"]["options"] == "quiet vt.handoff=7"
    tree.put("grub/gfxblacklist.txt", "v1\n")
    assert tree.entries()["a"]["usable"]
    # The same machine with a BIOS.
    (tree.root / "sys/firmware/efi").rename(tree.root / "sys/firmware/gone")
    entry = tree.entries()["a"]
    assert entry["why_id"] == "entries/grub-unknown" and "hwmatch" in entry["why"]
    (tree.folder / "grub/gfxblacklist.txt").unlink()
    assert tree.entries()["a"]["options"] == "quiet vt.handoff=7"


def test_grub_on_the_efi_partition(tree):
    """As RHEL 8 has it; others have a grub.cfg there that only leads to another one."""
    esp = Boot(tree.root / "boot/efi", tree.machine)
    name = "0123-4.18.0-500.el8.x86_64"
    tree.bls(name, linux="/vmlinuz-6.1", options="$kernelopts x", title="RHEL")
    esp.put("EFI/abc/grub.cfg", "search --fs-uuid --set=root 1\nconfigfile ($root)/grub/grub.cfg\n")
    esp.put("EFI/redhat/grub.cfg", "load_env\nset default=$saved_entry\nblscfg\n")
    grub.editenv(esp.folder / "EFI/redhat/grubenv", saved_entry=name, kernelopts="root=/dev/r ro")
    entry = tree.entries()[f"{name}.conf"]
    assert entry["options"] == "root=/dev/r ro x" and entry["default"] and entry["saved"]
    (esp.folder / "EFI/redhat/grub.cfg").unlink()
    assert tree.entries()[f"{name}.conf"]["why_id"] == "entries/grub-unknown"


def test_dollars_without_grub(tree):
    """They are what they are where systemd-boot says that it started the machine, and else nobody knows."""
    typical(tree, options="a $b")
    assert tree.entries()["debian-6.1.conf"]["why_id"] == "entries/grub-unknown"
    variable(tree, "LoaderInfo", "systemd-boot 257")
    assert tree.entries()["debian-6.1.conf"]["options"] == "a $b"
    assert tree.entries()["debian-6.1.conf"]["usable"]


def test_hostile_grub_cfg(boot):
    """It ends, soon, and without a word that nobody wrote."""
    bomb = "set a=aaaaaaaaaaaaaaaa\n" + "set a=$a$a$a$a\n" * 30 + "menuentry x { linux /vmlinuz-6.1 $a }\n"
    calls = "function f { f; f; f }\nf\nmenuentry x { linux /vmlinuz-6.1 }\n"
    for text in (bomb, calls, "if " * 50000, "{" * 200000, "menuentry a {" * 30000, "'" + "x\n" * 5000,
                 "submenu s {" * 20 + "menuentry x { linux /vmlinuz-6.1 }" + "}" * 20,
                 "".join(f"set v{i}=1\n" for i in range(5000)), "\0" * 1000, "${" * 1000,
                 "menuentry a { linux /vmlinuz-6.1 }\n" * 5000, "a" * (1 << 20),
                 "menuentry m { if true; then " * 100, "$(reboot)\n`x`\n<x\n|y\n"):
        boot.put("grub/grub.cfg", text)
        result = run("--list", "--json", boot.option)
        assert result.status in (0, 1) and result.seconds < 10, text[:80]
        entries = json.loads(result.out)["list"]["entries"]
        assert text.startswith(("menuentry a { linux /vmlinuz-6.1 }\n", "submenu")) or \
            not any(e["usable"] for e in entries), text[:80]
    assert len(script(boot, "menuentry a { linux /vmlinuz-6.1 }\n" * 5000)) == 1


# ------------------------------------------------------------------------------------------ extlinux


EXTLINUX = """# a comment
DEFAULT linux
PROMPT 0
TIMEOUT 50
MENU TITLE Welcome
APPEND global

LABEL linux
  MENU LABEL ^Linux six
  LINUX ../vmlinuz-6.1
  INITRD ../initrd.img-6.1
  APPEND root=/dev/x ro
label absolute
  kernel /vmlinuz-6.1
  append initrd=/initrd.img-6.1,/initrd.img-6.1 root=/dev/y quiet
label plain
  kernel /vmlinuz-6.1
label nothing
  kernel /vmlinuz-6.1
  append -
label menu
  kernel vesamenu.c32
label disk
  localboot 0
label tree
  linux /vmlinuz-6.1
  fdt /dtb
"""


def test_extlinux(boot):
    boot.put("extlinux/extlinux.conf", EXTLINUX)
    said = boot.list()["list"]
    assert said["loader"] == "extlinux"
    assert {e["id"]: (e["title"], e["options"], len(e["initrds"]), e["why_id"])
            for e in said["entries"]} == {
        "linux": ("Linux six", "root=/dev/x ro", 1, None),
        "absolute": (None, "root=/dev/y quiet", 2, None), "plain": (None, "global", 0, None),
        "nothing": (None, None, 0, None), "menu": (None, "global", 0, "entries/no-linux"),
        "disk": (None, "global", 0, "entries/no-linux"), "tree": (None, "global", 0, None)}
    assert boot.default() == "linux"
    plan = boot.plan("@")
    assert plan["cmdline"] == "root=/dev/x ro" and initrd_of(plan) == digest(INITRD)
    assert boot.plan("@absolute")["initrd"]["files"] == 2
    assert boot.plan("@nothing")["cmdline"] == ""
    text = run("--dry-run", "-d", boot.machine, boot.option, "@tree").err.decode()
    assert "[entries/devicetree]" in text


def test_default_of_extlinux(boot):
    labels = "label a\nlinux /vmlinuz-6.1\nlabel b\nlinux /vmlinuz-6.1\n{}label c\nlinux /vmlinuz-6.1\n"
    for head, in_b, expected in (("default c\n", "", "c"), ("default c\n", "menu default\n", "b"),
                                 ("default vesamenu.c32\nontimeout a\n", "menu default\n", "a"),
                                 ("default vmlinuz quiet\n", "", None), ("include x\n", "", None)):
        boot.put("syslinux/syslinux.cfg", head + labels.format(in_b))
        assert boot.default() == expected, head


def test_hostile_extlinux(boot, folder):
    (folder / "secret").write_bytes(images.small())
    boot.put("extlinux.conf", "label a\nlinux ../../../secret\nlabel b\nlinux /vmlinuz-6.1\n"
             f"initrd {','.join(['/initrd.img-6.1'] * 100)}\nlabel \nlinux /vmlinuz-6.1\n"
             "label c\nlinux /vmlinuz-6.1\nappend x\x07y\n")
    assert {name: entry["why_id"] for name, entry in boot.entries().items()} == {
        "a": "entries/no-file", "b": "entries/too-many-initrds", "": "entries/name",
        "c": "entries/control-character"}
    boot.put("extlinux.conf", b"label a\n" * 100000)
    assert run("--list", boot.option).status in (0, 1)
