#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sbom.py VERSION CC PROGRAM [-static] -lX...: what the program was linked from, as SPDX 2.3 JSON.

Each library is the file that the compiler links for -lX, with its checksum and the Debian package
that it is from. Where there is no dpkg the version is left out, and said to be.
"""

import hashlib
import json
import pathlib
import subprocess
import sys

NOASSERTION = "NOASSERTION"


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def library_file(cc, name, is_static):
    for ending in ([".a"] if is_static else [".so", ".a"]):
        found = pathlib.Path(output(*cc, f"-print-file-name=lib{name}{ending}"))
        if not found.is_absolute():
            continue
        found = found.resolve()
        # /usr/lib/.../libc.so is a script for the linker: the library is what runs.
        if found.read_bytes()[:4] != b"\x7fELF" and ending == ".so":
            so = sorted(found.parent.glob(f"lib{name}.so.*")) or sorted(
                pathlib.Path("/lib").glob(f"*/lib{name}.so.*"))
            found = so[0].resolve() if so else found
        return found
    return None


def package_of(path):
    """(name, version) of the Debian package, or (None, None)."""
    for name in (str(path), str(path).removeprefix("/usr")):
        owner = output("dpkg-query", "--search", name).partition(": ")[0]
        if owner:
            return owner, output("dpkg-query", "--show", "--showformat=${Version}", owner)
    return None, None


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def describe(cc, name, is_static):
    path = library_file(cc, name, is_static)
    if path is None:
        sys.exit(f"sbom.py: {' '.join(cc)} finds no library {name}")
    package, version = package_of(path)
    return {"SPDXID": f"SPDXRef-lib{name}", "name": package or path.name,
            "versionInfo": version or NOASSERTION, "packageFileName": path.name,
            "downloadLocation": NOASSERTION, "filesAnalyzed": False,
            "checksums": [{"algorithm": "SHA256", "checksumValue": digest(path)}]}


def main():
    version, cc, program = sys.argv[1], sys.argv[2].split(), pathlib.Path(sys.argv[3])
    words = sys.argv[4:]
    names = [word[2:] for word in words if word.startswith("-l")]
    libraries = [describe(cc, name, "-static" in words) for name in names]
    top = {"SPDXID": "SPDXRef-kexec", "name": "kexec-ng", "versionInfo": version,
           "packageFileName": program.name, "downloadLocation": NOASSERTION,
           "filesAnalyzed": False, "licenseDeclared": "GPL-2.0-or-later",
           "checksums": [{"algorithm": "SHA256", "checksumValue": digest(program)}]}
    kind = "STATIC_LINK" if "-static" in words else "DYNAMIC_LINK"
    print(json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"kexec-ng-{version}",
        "documentNamespace": f"urn:kexec-ng:{version}:{top['checksums'][0]['checksumValue']}",
        "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: kexec-ng-sbom"]},
        "packages": [top, *libraries],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
             "relatedSpdxElement": "SPDXRef-kexec"},
            *({"spdxElementId": "SPDXRef-kexec", "relationshipType": kind,
               "relatedSpdxElement": one["SPDXID"]} for one in libraries)]}, indent=1))


main()
