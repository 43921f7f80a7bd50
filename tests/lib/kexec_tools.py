# SPDX-License-Identifier: GPL-2.0-or-later
"""kexec-tools as Debian packages it, unpacked into the cache; nothing is installed.

Everything goes through apt, with its signatures, its proxies and the mirror this machine uses
already, but in an apt state of our own: the machine's suites stay as they are.
"""

import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import guest

KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LIMIT = 900  # seconds, for one run of apt
LOADER = "ld-linux-x86-64.so.2"

APT_CONF = """\
Dir::State "{state}";
Dir::State::lists "{state}/lists";
Dir::State::status "{state}/status";
Dir::Cache "{state}/cache";
Dir::Etc::sourcelist "{state}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Default-Release "";
APT::Sandbox::User "root";
APT::Update::Post-Invoke-Success "";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Languages "none";
Acquire::Retries "3";
"""


@dataclasses.dataclass(frozen=True)
class Tool:
    """A kexec-tools: its program, and the shared objects it was built against."""

    suite: str
    version: str
    folder: pathlib.Path

    @property
    def program(self):
        return self.folder / "kexec"

    def files(self, below):
        """What a guest needs to run it, all of it in one folder: {path: file}."""
        return {f"{below}/{path.name}": path for path in sorted(self.folder.iterdir())
                if path.name != "version"}

    def command(self, folder=None):
        """The words that start it; folder: where its files are, if not in the cache."""
        where = folder or self.folder
        return [f"{where}/{LOADER}", "--library-path", f"{where}", f"{where}/kexec"]


def mirror():
    """Wherever this machine has bookworm itself from, not its updates."""
    listed = subprocess.run(["apt-get", "--print-uris", "update"], capture_output=True, text=True,
                            check=True, timeout=60).stdout
    found = re.search(r"^'([^']*)/dists/bookworm/(?:In)?Release'", listed, re.MULTILINE)
    if not found:
        raise FileNotFoundError("this machine's apt has no source for bookworm")
    return found[1]


def needed(program):
    """The shared objects that an ELF file names."""
    listed = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True,
                            timeout=60).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", listed)


def apt(state, *words, folder=None):
    done = subprocess.run([words[0], "-c", f"{state}/apt.conf", *words[1:]], cwd=folder,
                          capture_output=True, text=True, timeout=LIMIT)
    if done.returncode:
        raise FileNotFoundError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def with_libraries(state, package):
    """The package and the libraries it depends on, by whatever way."""
    found, wanted = set(), [package]
    while wanted:
        found.add(name := wanted.pop())
        listed = apt(state, "apt-cache", "depends", "--important", name)
        for depends in re.findall(r"^ *(?:Pre)?Depends: ((?:lib|zlib)\S*)$", listed, re.MULTILINE):
            wanted += [depends] if depends not in found else []
    return sorted(found)


def unpack(suite, work, folder):
    """Downloads kexec-tools and its libraries of the suite and picks out what it runs."""
    state = work / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True)
    (state / "status").touch()
    signed = f" signed-by={KEYRING}" if KEYRING.exists() else ""
    (state / "sources.list").write_text(f"deb [arch=amd64{signed}] {mirror()} {suite} main\n")
    (state / "apt.conf").write_text(APT_CONF.format(state=state))
    apt(state, "apt-get", "-qq", "--error-on=any", "update")
    (work / "deb").mkdir()
    wanted = with_libraries(state, "kexec-tools")
    apt(state, "apt-get", "-qq", "download", *wanted, folder=work / "deb")
    for package in (work / "deb").iterdir():
        subprocess.run(["dpkg-deb", "-x", package, work / "tree"], check=True, timeout=120)
        if package.name.startswith("kexec-tools_"):
            version = subprocess.run(["dpkg-deb", "-f", package, "Version"], check=True, text=True,
                                     capture_output=True, timeout=60).stdout.strip()
    objects = {path.name: path for path in (work / "tree").rglob("*") if ".so" in path.name}
    folder.mkdir()
    wanted = [next(path for path in (work / "tree").rglob("sbin/kexec") if path.is_file())]
    while wanted:
        path = wanted.pop()
        shutil.copy(path.resolve(), folder / path.name)
        wanted += [objects[name] for name in needed(path) if not (folder / name).exists()]
    shutil.copy(objects[LOADER].resolve(), folder / LOADER)
    (folder / "version").write_text(version + "\n")


def fetched(suite):
    """The kexec-tools of a Debian suite, fetched once."""
    folder = guest.cache() / "kexec-tools" / suite
    if not (folder / "version").exists():
        if sys.stdout.isatty():
            print(f"fetching kexec-tools of {suite}", flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            unpack(suite, pathlib.Path(work), pathlib.Path(work) / "done")
            shutil.rmtree(folder, ignore_errors=True)
            (pathlib.Path(work) / "done").rename(folder)
    return Tool(suite, (folder / "version").read_text().strip(), folder)
