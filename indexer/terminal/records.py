"""Print each row as a list of names and values, for results too wide for the terminal.

Used by `telemetry sql` at a terminal. It chooses between table and records, and cuts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, islice

import click

from indexer.terminal.console import console, print_fields
from indexer.terminal.format import count
from indexer.terminal.table import GAP, Column, column_widths, print_plain_table

_MEASURED_ROWS = 1_000


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
    widths = column_widths([column.title for column in columns], rows)
    return sum(cells + GAP for cells in widths) - GAP


def _print_records(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print the names and values of each row, without those that are empty."""
    for number, row in enumerate(rows, 1):
        if number > 1:
            click.echo()
        console().print(f"row {count(number)}", style="bold", markup=False)
        print_fields((column.title, cell) for column, cell in zip(columns, row) if cell)
