# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of all ids is what the source says, and for each failure there is something to do."""

import ids


def test_page_is_up_to_date():
    assert ids.PAGE.read_text() == ids.page(), "tests/lib/ids.py --write"


def test_every_area_has_advice():
    """A kind of failure that nobody wrote advice for would get a line that helps with nothing."""
    prefixes = [prefix for prefix in ids.advised() if prefix]
    without = [name for name, one in ids.found().items()
               if "failure" in one.kinds and not name.startswith(tuple(prefixes))]
    # It says what to do by itself.
    assert without == ["exec/nothing-loaded"]


def test_every_advice_is_for_something():
    names = list(ids.found())
    for prefix in ids.advised():
        assert any(name.startswith(prefix) for name in names), f"{prefix} is no beginning of an id"
