# SPDX-License-Identifier: GPL-2.0-or-later
"""What every test with a guest gets."""

import re
import shutil
import sys

import pytest

import guest

sys.dont_write_bytecode = True


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true",
                     help="every combination of machine, kernels and system call")


@pytest.fixture
def log_folder(request):
    """Where a guest of this test leaves its log; it is empty after a test that passed."""
    name = re.sub(r"[^\w.,=-]+", "_", request.node.name)
    folder = guest.BUILD / "vm-logs" / name
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
