"""`telemetry sql`: query the database, read-only. Rows are printed as they come."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any, Callable, Optional

import click

from indexer.cli.context import Settings, base_option, fleet_options, json_option, open_database
from indexer.cli.exit_codes import OK
from indexer.cli.reading import say_fleet
from indexer.export.csv_text import csv_line
from indexer.store.query import DEFAULT_TIMEOUT, Query
from indexer.terminal.console import at_terminal
from indexer.terminal.format import plain
from indexer.terminal.json_output import print_json_line, to_json
from indexer.terminal.records import print_table_or_records
from indexer.terminal.table import Column, print_plain_table

Printer = Callable[[list[str], Iterator[tuple[Any, ...]]], None]

EXAMPLES = """\b
Examples:
  telemetry sql "SELECT agent_name, status, count(*) FROM agent_runs GROUP BY 1, 2"
  telemetry sql --format ndjson "SELECT * FROM run_events" > events.ndjson
  telemetry sql report.sql                       a file with the query
  telemetry sql - < report.sql
  telemetry sql --fleet "SELECT node, count() FROM run_events GROUP BY node"
  telemetry sql .tables                          tables and views; .schema has their columns

`telemetry docs queries` has queries to start from.
"""

_META = {
    ".tables": "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')"
    " ORDER BY type, name",
    ".schema": 'SELECT tables.name AS "table", columns.name AS "column", columns.type'
    " FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns"
    " WHERE tables.type IN ('table', 'view') ORDER BY tables.type, tables.name, columns.cid",
}
"""What people type who know SQLite's own shell."""


@click.command("sql", epilog=EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="QUERY")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "ndjson"]),
    help="Output format; default: table at a terminal, csv in a pipe.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=DEFAULT_TIMEOUT,
    show_default=True,
    help="Stop the query after this many seconds.",
)
@json_option
@fleet_options
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    words: tuple[str, ...],
    form: Optional[str],
    timeout: float,
    as_json: bool,
) -> int:
    """Query the database with SQL.

    QUERY is one statement that reads, a file that contains one, or `-` for stdin. Statements that
    could write, attach or load are refused. Bytes are shown as hex digits. At a terminal that is
    too narrow for the table, each row is shown as a list of its columns that are not empty.

    With --fleet the query is ClickHouse's SQL and runs in the centre, where tables and views have
    the same names; the whole answer is read before the first row is shown.
    """
    word, *more = words
    if more:
        raise click.UsageError("the query has to be one argument: put it in quotes")
    query = _query(word)
    form = "json" if as_json else form or ("table" if at_terminal() else "csv")
    printer = _PRINTERS[form]
    if settings.reads_fleet:
        _print_of_fleet(settings, query, timeout, printer)
        return OK
    with open_database(settings.base()) as connection:
        running = Query(connection, _META.get(query.strip(), query), timeout)
        printer(running.columns, running.rows())
    return OK


def _print_of_fleet(settings: Settings, query: str, timeout: float, printer: Printer) -> None:
    # Imported here: HTTP is large, and nothing else needs it.
    from indexer.fleet.reading.query import SCHEMA, TABLES, fleet_sql

    meta = {".tables": TABLES, ".schema": SCHEMA}
    with fleet_sql(settings.base(), settings.fleet, timeout) as centre:
        say_fleet(centre.name)
        result = centre.run(meta.get(query.strip(), query))
    printer(result.columns, map(tuple, result.rows))


def _query(word: str) -> str:
    """Return the query that an argument means; `.tables` and `.schema` stay as they are."""
    if word == "-":
        return sys.stdin.read()
    if word.lower().endswith(".sql") and not any(map(str.isspace, word)):
        if not os.path.isfile(word):
            raise click.UsageError(f"no such file: {word}")
        with open(word, encoding="utf-8-sig") as file:
            return file.read()
    return word


def _print_table(names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    # Nothing of the answer is cut, at a terminal either.
    print_rows = print_table_or_records if at_terminal() else print_plain_table
    print_rows(
        [Column(plain(name)) for name in names],
        ([plain(_as_text(value)) for value in row] for row in rows),
    )


def _print_csv(names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    # A file gets the values as they are; a terminal would act on control characters in them.
    shown = _on_one_line if at_terminal() else _as_text
    for row in chain([names], rows):
        sys.stdout.write(csv_line(map(shown, row)))


def _on_one_line(value: Any) -> Optional[str]:
    return None if value is None else plain(_as_text(value))


def _print_json(names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    before = "["
    for row in rows:
        click.echo(f"{before}\n  {to_json(_object(names, row))}", nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def _print_ndjson(names: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    for row in rows:
        print_json_line(_object(names, row))


def _object(names: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    return {name: _flat(value) for name, value in zip(names, row)}


def _as_text(value: Any) -> Any:
    """Return arrays and maps, which the fleet has, as JSON; anything else as it is."""
    return to_json(value) if isinstance(value, (list, dict)) else _flat(value)


def _flat(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


_PRINTERS: dict[str, Printer] = {
    "table": _print_table,
    "csv": _print_csv,
    "json": _print_json,
    "ndjson": _print_ndjson,
}
