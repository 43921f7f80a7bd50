# SPDX-License-Identifier: GPL-2.0-or-later
"""--long, and what is left out without it: hooks for the conftest.py of a suite."""

import pytest


def pytest_addoption(parser):
    try:
        parser.addoption("--long", action="store_true",
                         help="every combination, where the short form has some of them")
    except ValueError:
        pass  # two suites in one run


def pytest_configure(config):
    config.addinivalue_line("markers", "long_form: only with --long")


def pytest_collection_modifyitems(config, items):
    """What belongs to the long form is skipped, and said so, in the short one."""
    if config.getoption("long"):
        return
    for item in items:
        if item.get_closest_marker("long_form"):
            item.add_marker(pytest.mark.skip(reason="long form: --long"))
