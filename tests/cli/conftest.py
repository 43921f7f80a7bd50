# SPDX-License-Identifier: GPL-2.0-or-later
"""What every test of the command gets."""

import pathlib
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import images  # noqa: E402
import machines  # noqa: E402
from long_form import (  # noqa: E402, F401
    pytest_addoption, pytest_collection_modifyitems, pytest_configure)


@pytest.fixture
def folder():
    """Gone after the test, whatever became of it: images are large. Everyone may read it."""
    with tempfile.TemporaryDirectory(prefix="kexec-cli-") as name:
        where = pathlib.Path(name)
        where.chmod(0o755)
        yield where


@pytest.fixture
def pc(folder):
    """The option for a machine with 16 GiB."""
    root = folder / "pc"
    root.mkdir()
    return machines.Machine(machines.pc(16 * machines.GIB)).write(root)


@pytest.fixture
def small(folder):
    """A kernel image of 84 KiB that is planned like the real one it was cut from."""
    where = folder / "small"
    where.write_bytes(images.small())
    return where
