"""Draw tables with rich to fit a terminal; plain, whole and aligned where they are piped.

Used by the commands. At a terminal empty columns are left out, wide ones give way, and a note
without room at the end of its row goes on a line of its own below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice, repeat
from typing import Any, NamedTuple, Optional

import click

from indexer.terminal.console import at_terminal, console
from indexer.terminal.format import width
from indexer.terminal.hyperlink import Linked

GAP = 2
"""Blanks between two columns."""

_MEASURED_ROWS = 1_000
"""The rows that decide how wide a plain table is; it does not wait for those after them."""
_SMALLEST = 8
_COMFORTABLE = 14
"""Columns that give way keep this many cells while a minor column can be left out."""
_HEADER_LINES = 2
_ROOM_FOR_NOTE = 24


class Column(NamedTuple):
    """One column of a table."""

    title: str
    right: bool = False
    """Align to the right, as numbers are."""
    style: str = ""
    styles: Optional[dict[str, str]] = None
    """Styles by value, for a status for example."""
    cut: bool = False
    """At a terminal, give way where there is not enough room for all."""
    note: bool = False
    """The last column only: at a narrow terminal, goes on a line of its own."""
    minor: bool = False
    """At a terminal too narrow for all columns, leave this one out."""


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, fitted to the terminal if stdout is one."""
    if at_terminal():
        _print_terminal_table(columns, list(rows))
    else:
        print_plain_table(columns, rows)


def print_plain_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns as the rows come; nothing is cut."""
    remaining = iter(rows)
    first = list(islice(remaining, _MEASURED_ROWS))
    titles = [column.title for column in columns]
    widths = column_widths(titles, first)
    for row in chain([titles], first, remaining):
        cells = [
            _padded(text, cells, column.right) for text, cells, column in zip(row, widths, columns)
        ]
        click.echo((" " * GAP).join(cells).rstrip())


def column_widths(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how many cells each column needs to show all of its values."""
    return [max(map(width, cells)) for cells in zip(titles, *rows)]


def _padded(text: str, cells: int, right: bool) -> str:
    blanks = " " * max(0, cells - width(text))
    return blanks + text if right else text + blanks


def _print_terminal_table(columns: Sequence[Column], rows: list[Sequence[str]]) -> None:
    shown = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    widths = column_widths([column.title for column in columns], rows)
    note = shown.pop() if shown and columns[shown[-1]].note else None
    _leave_out_minor(columns, shown, widths)
    notes: Iterable[str] = repeat("")
    if note is not None and _has_room(shown, widths, widths[note]):
        shown.append(note)
    elif note is not None:
        notes = [row[note] for row in rows]
    table = _rich_table([columns[number] for number in shown], [widths[n] for n in shown])
    for row in rows:
        table.add_row(*(_cell(row[number], columns[number]) for number in shown))
    _print_with_notes(table, notes)


def _leave_out_minor(columns: Sequence[Column], shown: list[int], widths: Sequence[int]) -> None:
    """Remove minor columns, the last first, until the others fit the terminal."""

    def least(number: int) -> int:
        return min(widths[number], _COMFORTABLE) if columns[number].cut else widths[number]

    minor = [number for number in shown if columns[number].minor]
    while minor and sum(least(number) + GAP for number in shown) - GAP > console().width:
        shown.remove(minor.pop())


def _has_room(shown: Sequence[int], widths: Sequence[int], note: int) -> bool:
    left = console().width - sum(widths[number] + GAP for number in shown)
    return bool(left >= min(note, _ROOM_FOR_NOTE))


def _rich_table(columns: Sequence[Column], widths: Sequence[int]) -> Any:
    # Imported here, as in all of this file: piped output needs none of it.
    from rich.table import Table

    table = Table(box=_box(), show_edge=False, pad_edge=False, padding=(0, GAP, 0, 0))
    table.border_style, table.header_style = "dim", "bold"
    for column, cells in zip(columns, widths):
        gives_way = column.cut or column.note
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            style=column.style,
            no_wrap=not gives_way,
            overflow="ellipsis",
            min_width=min(cells, _SMALLEST) if gives_way else None,
        )
    return table


def _box() -> Any:
    from rich.box import Box

    is_utf8 = console().encoding.lower().startswith("utf")
    rule = "\u2500" if is_utf8 else "-"
    blank, head = "    \n", f" {rule}{rule} \n"
    return Box(blank * 2 + head + blank * 5, ascii=not is_utf8)


def _cell(text: str, column: Column) -> Any:
    from rich.text import Text

    style: Any = (column.styles or {}).get(text, "")
    if isinstance(text, Linked):
        style = _link(text, style)
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _link(text: Linked, style: str) -> Any:
    from rich.style import Style

    return Style.parse(style) + Style(link=text.address)


def _print_with_notes(table: Any, notes: Iterable[str]) -> None:
    """Print a table, and below each of its rows the note of that row."""
    from rich.segment import Segment, Segments
    from rich.text import Text

    lines = console().render_lines(table, pad=False)
    for number, (line, note) in enumerate(zip(lines, chain(repeat("", _HEADER_LINES), notes))):
        console().print(Segments([*line, Segment.line()]), end="")
        if note and number >= _HEADER_LINES:
            text = Text(" " * GAP + note, style="dim")
            console().print(text, no_wrap=True, overflow="ellipsis")
