# SPDX-License-Identifier: GPL-2.0-or-later
"""--list and @ENTRY: what boot loaders offer, on boot folders that are made up, with real kernels."""

import hashlib
import json
import os

import pytest

import images
import pe
import plans
from kexec_run import NOBODY, run
from machines import GIB, Machine, pc as pc_map

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


def test_other_modes_take_entries(boot):
    typical(boot)
    out = run("--inspect", "--json", boot.machine, boot.option, "@").done().out
    assert plans.parse(out)["type"] == "bzImage"
    result = run("--dry-run", "-p", boot.machine, boot.option, "@")
    assert result.reasons()[-1]["id"] == "crash/no-reservation", result
    assert run("--dry-run", "-s", boot.machine, boot.option, "@").status == 0


@pytest.mark.parametrize("kernel", ["6.1-cloud", "7-amd64"])
def test_real_kernels(boot, kernel):
    path = images.path(kernel)
    boot.put("real/vmlinuz", path.read_bytes())
    typical(boot, linux="/real/vmlinuz")
    said = boot.entries()["debian-6.1.conf"]
    assert said["usable"] and said["kernel"] == "/real/vmlinuz"
    assert boot.plan("@")["cmdline"] == LINE


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
