# SPDX-License-Identifier: GPL-2.0-or-later
"""What every test with a guest gets."""

import re
import shutil
import sys
import warnings

import pytest

import guest
from long_form import (  # noqa: F401
    pytest_addoption, pytest_collection_modifyitems, pytest_configure)

sys.dont_write_bytecode = True


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """A test whose emulator failed is run once more, and a warning says so. Nothing else is."""
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    try:
        pyfuncitem.obj(**arguments)
    except guest.EmulatorFailed as failure:
        warnings.warn(f"{pyfuncitem.name}: run again, since {str(failure).splitlines()[0]}")
        pyfuncitem.obj(**arguments)
    return True


@pytest.fixture
def log_folder(request):
    """Where a guest of this test leaves its log; it is empty after a test that passed."""
    name = re.sub(r"[^\w.,=-]+", "_", request.node.name)
    folder = guest.BUILD / "vm-logs" / name
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
