"""`telemetry tail`: show the latest events, and with -f those that follow."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Optional

import click

from indexer.cli.completions import complete_run
from indexer.cli.context import (
    Settings,
    base_option,
    json_option,
    open_database,
    refresh,
)
from indexer.cli.event_follower import EventFollower, latest_events
from indexer.cli.exit_codes import OK
from indexer.cli.run_options import explain_no_match, run_filter_options, with_parent_found
from indexer.store.connection import reading
from indexer.store.run_queries import RunFilter, count_runs, find_run
from indexer.system.base import Base
from indexer.terminal.console import at_terminal, console
from indexer.terminal.format import local_time, plain, warn, width
from indexer.terminal.json_output import parsed_row, print_json_line, to_json
from indexer.terminal.runs_table import short_id
from indexer.terminal.time_options import MOMENT_HELP
from telemetry_core.timestamp import parse_time

EXAMPLES = f"""\b
Examples:
  telemetry tail -n 50
  telemetry tail -f --agent crawler
  telemetry tail --status stale
  telemetry tail -f --json | jq 'select(.event_type == "page.failed")'

{MOMENT_HELP}
"""

_POLL_SECONDS = 0.3
_MEASURED_EVENTS = 1_000
_WIDEST_AGENT = 20
_WIDEST_TYPE = 24
_SHOWN = (
    "event_id",
    "run_id",
    "agent_name",
    "event_type",
    "timestamp",
    "type",
    "source",
    "payload_json",
)


@click.command("tail", epilog=EXAMPLES)
@click.option("-f", "--follow", is_flag=True, help="Keep showing events as they arrive.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Start with this many of the latest events.",
)
@run_filter_options()
@click.option(
    "--run",
    "run_id",
    metavar="RUN_ID",
    shell_complete=complete_run,
    help="Only events of this run; an id as for `show`.",
)
@json_option
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    chosen: RunFilter,
    follow: bool,
    lines: int,
    run_id: Optional[str],
    as_json: bool,
) -> int:
    """Show the latest events, oldest first; --json prints one object per line.

    The options that choose runs show the events of those runs. -f ends with Ctrl-C.
    """
    base = settings.base()
    with open_database(base) as connection:
        chosen = with_parent_found(connection, chosen)
        if run_id is not None:
            run_id = find_run(connection, run_id)["run_id"]
        follower = EventFollower(chosen, run_id)
        follower.skip(connection)
        events = latest_events(connection, lines, chosen, run_id)
        if not events and lines and not any(count_runs(connection, chosen)):
            explain_no_match(connection, chosen)
    _print(map(event_value, events), as_json, run_id is not None)
    if follow:
        try:
            for rows in _follow(base, follower):
                _print(map(event_value, rows), as_json, run_id is not None)
        except KeyboardInterrupt:
            # The way to end it.
            click.echo(err=True)
    return OK


def event_value(row: sqlite3.Row) -> dict[str, Any]:
    """Return an event with the keys of its JSON."""
    values = parsed_row(row)
    return {name: values[name] for name in _SHOWN}


def print_events(
    events: Iterable[dict[str, Any]], of_one_run: bool = False, full: bool = False
) -> None:
    """Print events in columns, one line each; at a terminal cut to its width unless `full`."""
    remaining = iter(events)
    while measured := list(islice(remaining, _MEASURED_EVENTS)):
        lines = [_cells(event, of_one_run) for event in measured]
        widths = [max(map(width, column)) for column in zip(*lines)]
        for line in lines:
            _print_line(line, widths, full)
    sys.stdout.flush()


def _cells(event: dict[str, Any], of_one_run: bool) -> list[str]:
    """Return time, agent, run, type and payload of an event as text."""
    moment = local_time(event["timestamp"]) + _milliseconds(event["timestamp"])
    payload = event["payload_json"]
    agent, run_id = plain(event["agent_name"]), event["run_id"]
    if at_terminal():
        moment, run_id = moment[11:], short_id(run_id)
        agent = _shortened(agent, _WIDEST_AGENT)
    return [
        moment,
        "" if of_one_run else agent,
        "" if of_one_run else plain(run_id),
        _shortened(plain(event["event_type"]), _WIDEST_TYPE)
        if at_terminal()
        else plain(event["event_type"]),
        "" if payload is None else plain(to_json(payload)),
    ]


def _print_line(cells: list[str], widths: list[int], full: bool) -> None:
    padded = [cell + " " * (wide - width(cell)) for cell, wide in zip(cells[:-1], widths) if wide]
    line = "  ".join([*padded, cells[-1]]).rstrip()
    if not at_terminal():
        click.echo(line)
        return
    from rich.text import Text

    styles = [style for style, wide in zip(("dim", "cyan", "dim", "bold"), widths) if wide]
    text = Text("  ").join([*map(Text, padded, styles), Text(cells[-1])])
    if full:
        console().print(text, soft_wrap=True)
    else:
        console().print(text, no_wrap=True, overflow="ellipsis")


def _shortened(text: str, cells: int) -> str:
    return text if len(text) <= cells else f"{text[: cells - 1]}\u2026"


def _print(events: Iterable[dict[str, Any]], as_json: bool, of_one_run: bool) -> None:
    if not as_json:
        print_events(events, of_one_run)
        return
    for event in events:
        print_json_line(event)
    sys.stdout.flush()


def _follow(base: Base, follower: EventFollower) -> Iterator[list[sqlite3.Row]]:
    warning = ""
    while True:
        time.sleep(_POLL_SECONDS)
        if not base.log_directory.is_dir():
            continue
        before, warning = warning, refresh(base)
        if warning != before:
            warn(warning)
        with reading(base.database_path) as connection:
            connection.row_factory = sqlite3.Row
            rows = follower.look(connection)
        if rows:
            yield rows


def _milliseconds(timestamp: str) -> str:
    try:
        return f".{parse_time(timestamp).microsecond // 1000:03}"
    except ValueError:
        return ""
