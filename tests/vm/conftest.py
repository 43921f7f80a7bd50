# SPDX-License-Identifier: GPL-2.0-or-later
"""What every test with a guest gets."""

import re
import shutil
import sys
import warnings

import pytest

import guest

sys.dont_write_bytecode = True


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true",
                     help="every combination of machine, kernels and system call")


def pytest_configure(config):
    config.addinivalue_line("markers", "long_form: only with --long")


def pytest_collection_modifyitems(config, items):
    """What belongs to the long form is skipped, and said so, in the short one."""
    if config.getoption("long"):
        return
    for item in items:
        if item.get_closest_marker("long_form"):
            item.add_marker(pytest.mark.skip(reason="long form: --long"))


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
