"""JSON on stdout, spelled so that no terminal can act on what agents wrote.

Used by the commands for `--json`, and for the JSON columns of the database.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

import click
import orjson

from indexer.terminal.format import plain

# JSON may hold these as they are, and a terminal may act on them: DEL, the C1 controls, and
# characters that reorder or hide text. Any JSON escapes the control characters before the blank.
_UNSAFE = re.compile(
    "[\x7f-\x9f\xad\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f]")


def print_json(value: Any) -> None:
    """Print one JSON value, indented."""
    click.echo(to_json(value, indent=True))


def print_json_stream(head: dict[str, Any], name: str, values: Iterable[Any]) -> None:
    """Print a JSON object whose last key, `name`, has an array that is never held in memory."""
    lines = to_json(head, indent=True).rpartition("\n}")[0]
    sys.stdout.write(f'{lines},\n  "{name}": [')
    before = "\n    "
    for value in values:
        sys.stdout.write(before + to_json(value))
        before = ",\n    "
    click.echo("]\n}" if before == "\n    " else "\n  ]\n}")


def print_json_line(value: Any) -> None:
    """Print one JSON value on one line."""
    click.echo(to_json(value))


def to_json(value: Any, indent: bool = False) -> str:
    """Return a value as JSON that is safe to print at a terminal; bytes as hex digits."""
    option = orjson.OPT_INDENT_2 if indent else 0
    try:
        text = orjson.dumps(value, default=plain, option=option).decode()
    except TypeError:
        # A file name that is not UTF-8, or an integer beyond 64 bits: json takes either.
        text = json.dumps(value, default=plain, indent=2 if indent else None)
    return _UNSAFE.sub(_escape, text)


def harmless(text: str) -> str:
    """Return text of several lines with all that a terminal could act on escaped."""
    return _CONTROLS.sub(_escape, _UNSAFE.sub(_escape, text))


def parsed(text: Any) -> Any:
    """Return the value that a `*_json` column holds; text that is not JSON is returned as it is."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def parsed_row(row: Any) -> dict[str, Any]:
    """Return a row as a dict, its `*_json` columns as values."""
    return {
        name: parsed(row[name]) if name.endswith("_json") else row[name]
        for name in row.keys()  # noqa: SIM118  # sqlite3.Row iterates over values
    }


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
