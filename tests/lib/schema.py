# SPDX-License-Identifier: GPL-2.0-or-later
"""What --json prints, held against doc/json-schema.

The schemas let keys be added, as doc/json.md promises. Here they are closed: a key that is not in them is
one that nobody wrote down.
"""

import functools
import json
import pathlib

import jsonschema

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "doc" / "json-schema"


def closed(schema):
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: closed(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict):
        copy.setdefault("additionalProperties", False)
    return copy


@functools.lru_cache(maxsize=None)
def validator(name):
    schema = json.loads((FOLDER / f"{name}.json").read_text())
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(closed(schema))


def kind_of(value):
    """The schema that an output is to be held against."""
    if "verdicts" in value and "entries" in value:
        return "inspect"
    for name in ("error", "check", "show", "last", "list", "rehearsal"):
        if name in value:
            return "failure" if name == "error" else name
    return "plan" if "segments" in value else None


def check(value):
    name = kind_of(value)
    if name:
        validator(name).validate(value)
    return value
