"""The records: rows one below the other, for results too wide for a table at the terminal.

Called by `telemetry sql` at a terminal. It decides between table and records, and cuts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice

import click

from indexer.terminal.human import count, width
from indexer.terminal.output import Column, console, print_fields, print_plain_table

_MEASURED_ROWS = 1_000
_GAP = 2


def print_table_or_records(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print a table if it fits the terminal, else each row as names and values."""
    remaining = iter(rows)
    first = list(islice(remaining, _MEASURED_ROWS))
    rows = chain(first, remaining)
    if not first or _table_width(columns, first) <= console().width:
        print_plain_table(columns, rows)
    else:
        _print_records(columns, rows)


def _table_width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    titles = [column.title for column in columns]
    return sum(max(map(width, cells)) + _GAP for cells in zip(titles, *rows)) - _GAP


def _print_records(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print names and values of each row; what is empty would only be in the way."""
    for number, row in enumerate(rows, 1):
        if number > 1:
            click.echo()
        console().print(f"row {count(number)}", style="bold", markup=False)
        print_fields((column.title, cell) for column, cell in zip(columns, row) if cell)
