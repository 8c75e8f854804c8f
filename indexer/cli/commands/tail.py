"""`telemetry tail`: the latest events, and with -f those that follow.

Called by the command line. It follows the view, which it has brought up to date each time it
looks; it never reads the log itself.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Optional

import click

from indexer.cli.context import Settings, base_option, json_option, open_database, refresh
from indexer.store.connection import reading
from indexer.system.base import Base
from indexer.terminal.console import at_terminal, console
from indexer.terminal.format import local_time, plain, warn
from indexer.terminal.json_output import parsed_row, print_json_line, to_json
from indexer.terminal.runs_table import find_run, short_id
from telemetry_core.event import WRITER_SUBJECT
from telemetry_core.timestamp import parse_time

EXAMPLES = """\b
Examples:
  telemetry tail -n 50
  telemetry tail -f --agent crawler
  telemetry tail -f --json | jq 'select(.event_type == "page.failed")'
"""

_LOOK_SECONDS = 0.3
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
_SELECT = (
    "SELECT run_events.*, runs.agent_name FROM run_events"
    " LEFT JOIN agent_runs AS runs ON runs.run_id = run_events.run_id"
)


@click.command("tail", epilog=EXAMPLES)
@click.option("-f", "--follow", is_flag=True, help="Go on as events arrive, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many of the latest events to begin with.",
)
@click.option("--agent", help="Only events of this agent's runs.")
@click.option("--run", "run_id", metavar="RUN_ID", help="Only events of this run; as for show.")
@json_option
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    follow: bool,
    lines: int,
    agent: Optional[str],
    run_id: Optional[str],
    as_json: bool,
) -> int:
    """Show the latest events, oldest first; --json prints one object a line."""
    base = settings.base()
    with open_database(base) as connection:
        if run_id is not None:
            run_id = find_run(connection, run_id)["run_id"]
        follower = _Follower(agent, run_id)
        follower.skip(connection)
        events = _latest(connection, lines, agent, run_id)
    _print(events, as_json, run_id is not None)
    if follow:
        try:
            for events in _follow(base, follower):
                _print(events, as_json, run_id is not None)
        except KeyboardInterrupt:
            # The way to end it.
            click.echo(err=True)
    return 0


def event_value(row: sqlite3.Row) -> dict[str, Any]:
    """Return an event with the keys that --json shows."""
    values = parsed_row(row)
    return {name: values[name] for name in _SHOWN}


def print_events(events: Iterable[dict[str, Any]], of_one_run: bool = False) -> None:
    """Print events, a line each; at a terminal cut to its width."""
    margin = 0
    for event in events:
        moment = local_time(event["timestamp"]) + _milliseconds(event["timestamp"])
        who = "" if of_one_run else f"{plain(event['agent_name'])} {_run_name(event['run_id'])}  "
        margin = max(margin, len(who))
        what = plain(event["event_type"])
        payload = event["payload_json"]
        _say(f"{moment}  ", who.ljust(margin), what, "" if payload is None else to_json(payload))
    sys.stdout.flush()


def _print(events: list[dict[str, Any]], as_json: bool, of_one_run: bool) -> None:
    if as_json:
        for event in events:
            print_json_line(event)
        sys.stdout.flush()
    else:
        print_events(events, of_one_run)


def _latest(
    connection: sqlite3.Connection, limit: int, agent: Optional[str], run_id: Optional[str]
) -> list[dict[str, Any]]:
    """Return the last events by time.

    They are in the runs with the latest last events: the event of any other run is older than
    `limit` others. So only these runs' events are looked at, and not all that there ever were.
    """
    where = "(:agent IS NULL OR agent_name = :agent) AND (:run IS NULL OR run_id = :run)"
    rows = connection.execute(
        f"{_SELECT} WHERE run_events.run_id IN"
        f" (SELECT run_id FROM (SELECT run_id FROM agent_runs WHERE {where}"
        "   ORDER BY last_event_time DESC LIMIT :limit)"
        f"  UNION SELECT '{WRITER_SUBJECT}' WHERE :agent IS NULL AND :run IS NULL)"
        " ORDER BY timestamp DESC, event_id DESC LIMIT :limit",
        {"limit": limit, "agent": agent, "run": run_id},
    ).fetchall()
    return [event_value(row) for row in reversed(rows)]


def _follow(base: Base, follower: _Follower) -> Iterator[list[dict[str, Any]]]:
    warning = ""
    while True:
        time.sleep(_LOOK_SECONDS)
        if not base.log_directory.is_dir():
            continue
        before, warning = warning, refresh(base)
        if warning != before:
            warn(warning)
        with reading(base.database_path) as connection:
            connection.row_factory = sqlite3.Row
            rows = follower.look(connection)
        if rows:
            yield [event_value(row) for row in rows]


class _Follower:
    """Knows what it has seen: how far each file was, and how many events each run had."""

    def __init__(self, agent: Optional[str], run_id: Optional[str]) -> None:
        self._filter = (agent, run_id)
        self._offsets: dict[int, int] = {}
        self._counts: dict[str, int] = {}

    def look(self, connection: sqlite3.Connection) -> list[sqlite3.Row]:
        """Return the events that came since the last look, by time; at first, all."""
        # One snapshot, or an event could come between the looks at files and runs.
        connection.execute("BEGIN")
        try:
            return self._look(connection)
        finally:
            connection.execute("COMMIT")

    def skip(self, connection: sqlite3.Connection) -> None:
        """Take all that there is now for seen."""
        self._offsets = _offsets(connection)
        self._counts = self._event_counts(connection)

    def _look(self, connection: sqlite3.Connection) -> list[sqlite3.Row]:
        seen, offsets = self._offsets, _offsets(connection)
        if offsets == seen:
            return []
        before, self._counts = self._counts, self._event_counts(connection)
        grown = [run for run, number in self._counts.items() if before.get(run) != number]
        rows = [row for run in grown for row in _events_of(connection, run)]
        # A file that is read again from its beginning tells nothing new.
        self._offsets = {file: max(end, seen.get(file, 0)) for file, end in offsets.items()}
        rows = [row for row in rows if row["offset"] >= seen.get(row["file_id"], 0)]
        return sorted(rows, key=lambda row: (row["timestamp"], row["event_id"]))

    def _event_counts(self, connection: sqlite3.Connection) -> dict[str, int]:
        rows = connection.execute(
            "SELECT run_id, event_count FROM agent_runs"
            " WHERE (:agent IS NULL OR agent_name = :agent) AND (:run IS NULL OR run_id = :run)",
            dict(zip(("agent", "run"), self._filter)),
        )
        return dict(rows.fetchall())


def _offsets(connection: sqlite3.Connection) -> dict[int, int]:
    rows = connection.execute("SELECT file_id, offset FROM log_files")
    return dict(rows.fetchall())


def _events_of(connection: sqlite3.Connection, run_id: str) -> list[sqlite3.Row]:
    return connection.execute(f"{_SELECT} WHERE run_events.run_id = ?", (run_id,)).fetchall()


def _run_name(run_id: str) -> str:
    return short_id(run_id) if at_terminal() else plain(run_id)


def _milliseconds(timestamp: str) -> str:
    try:
        return f".{parse_time(timestamp).microsecond // 1000:03}"
    except ValueError:
        return ""


def _say(moment: str, who: str, what: str, payload: str) -> None:
    if not at_terminal():
        click.echo(f"{moment}{who}{what}  {payload}".rstrip())
        return
    from rich.text import Text

    moment = moment[11:]
    text = Text.assemble((moment, "dim"), (who, "cyan"), (what, "bold"), "  ", (plain(payload), ""))
    console().print(text, no_wrap=True, overflow="ellipsis")
