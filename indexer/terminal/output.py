"""The output: JSON, tables for people at a terminal, plain tables for everybody else.

Called by the commands, for data on stdout. What is piped is never cut, coloured or boxed.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Callable, NamedTuple, Optional

import click
import orjson

from indexer.terminal.human import plain, width

_MEASURED_ROWS = 1_000
"""A plain table is as wide as these rows need; what comes after is not waited for."""

# What a terminal may act on and JSON may hold as it is: DEL, the C1 controls, and what turns or
# hides text. The control characters before the blank are escaped in any JSON.
_TRICKS = re.compile(
    "[\x7f-\x9f\xad\u061c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)

_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f]")

STATUS_STYLES = {
    "success": "green",
    "running": "cyan",
    "failed": "red",
    "timeout": "red",
    "partial": "yellow",
    "cancelled": "yellow",
    "killed": "bold red",
}


class Column(NamedTuple):
    """One column of a table."""

    title: str
    right: bool = False
    style: str = ""
    styles: Optional[dict[str, str]] = None
    """Styles by value, for a status say."""
    cut: bool = False
    """At a terminal, give way where there is not room enough for all."""
    note: bool = False
    """The last column only: at a narrow terminal, goes on a line of its own."""


def at_terminal() -> bool:
    """Whether a person is looking at stdout."""
    return sys.stdout.isatty()


@lru_cache(maxsize=1)
def console() -> Any:
    """Return rich's console on stdout."""
    # Imported here: rich is large, and what is piped needs none of it.
    from rich.console import Console

    return Console(highlight=False)


def print_json(value: Any) -> None:
    """Print one JSON value, indented."""
    click.echo(to_json(value, indent=True))


def print_json_line(value: Any) -> None:
    """Print one JSON value on one line."""
    click.echo(to_json(value))


def to_json(value: Any, indent: bool = False) -> str:
    """Return a value as JSON that no terminal can be tricked by; bytes as hex digits."""
    option = orjson.OPT_INDENT_2 if indent else 0
    try:
        text = orjson.dumps(value, default=_json_default, option=option).decode()
    except TypeError:
        # A file name that is no UTF-8; this one spells its bytes as lone surrogates.
        text = json.dumps(value, default=_json_default, indent=2 if indent else None)
    # The same value in another spelling.
    return _TRICKS.sub(_spelled, text)


def harmless(text: str) -> str:
    """Return text of several lines that no terminal can be tricked by."""
    return _CONTROLS.sub(_spelled, _TRICKS.sub(_spelled, text))


def parsed(text: Any) -> Any:
    """Return what a `*_json` column holds, as a value; as it stands if it is no JSON."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def parsed_row(row: Any) -> dict[str, Any]:
    """Return a row as a dict, its `*_json` columns as values."""
    return {
        name: parsed(row[name]) if name.endswith("_json") else row[name]
        for name in row.keys()  # noqa: SIM118
    }


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: with rich at a terminal, else plain."""
    if at_terminal():
        # Imported here: what is piped needs none of it.
        from indexer.terminal.table import print_terminal_table

        print_terminal_table(console(), columns, rows)
    else:
        print_plain_table(columns, rows)


def print_plain_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns, two blanks apart, as the rows come."""
    remaining = iter(rows)
    first = list(islice(remaining, _MEASURED_ROWS))
    titles = [column.title for column in columns]
    widths = [max(width(row[place]) for row in [titles, *first]) for place in range(len(columns))]
    for row in chain([titles], first, remaining):
        cells = [
            _padded(text, cells, column.right) for text, cells, column in zip(row, widths, columns)
        ]
        click.echo("  ".join(cells).rstrip())


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns; a value of several lines is indented."""
    pairs = list(fields)
    margin = max((width(name) for name, _ in pairs), default=0) + 2
    say: Callable[[str, str], None] = _say_fields_plainly
    if at_terminal():
        say = _say_fields_richly
    for name, value in pairs:
        say(f"{name:<{margin}}", value.replace("\n", "\n" + " " * margin))


def heading(text: str) -> None:
    """Print the heading of what follows."""
    click.echo()
    if at_terminal():
        console().print(text, style="bold", markup=False, highlight=False)
    else:
        click.echo(text)


def _say_fields_plainly(name: str, value: str) -> None:
    click.echo(f"{name}{value}".rstrip())


def _say_fields_richly(name: str, value: str) -> None:
    from rich.text import Text

    text = Text(name, style="dim")
    text.append(value, style=STATUS_STYLES.get(value, "not dim"))
    console().print(text, soft_wrap=True)


def _padded(text: str, cells: int, right: bool) -> str:
    blanks = " " * max(0, cells - width(text))
    return blanks + text if right else text + blanks


def _spelled(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _json_default(value: Any) -> Any:
    return plain(value)
