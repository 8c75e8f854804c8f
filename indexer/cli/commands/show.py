"""`telemetry show`: one run, with its children and its events.

Called by the command line. It only reads.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Optional

import click

from indexer.cli.commands.tail import event_value, print_events
from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.terminal.console import at_terminal, heading, print_fields
from indexer.terminal.format import count, duration, local_time, plain
from indexer.terminal.json_output import print_json, to_json
from indexer.terminal.runs_table import find_run, print_runs, with_reasons

EXAMPLES = """\b
Examples:
  telemetry show latest
  telemetry show 3f9a1c20                     the end of an id
  telemetry show 20261122T154508Z-crawler     or its beginning
  telemetry show latest --json | jq .events
"""

_EVENTS_FOR_PEOPLE = 50
_CLIPPED_LENGTH = 400
_TIMES = ("start_time", "end_time", "last_event_time", "git_commit_timestamp")
# Of use to programs, which have them by --json and by SQL.
_UNSHOWN = frozenset(
    (
        "schema_version",
        "last_event_id",
        "revision",
        "api_posted",
        "api_posted_at",
        "api_posted_revision",
        "api_retry_count",
        "created_at",
        "updated_at",
        "process_start",
        "error_details",
    )
)


@click.command("show", epilog=EXAMPLES)
@click.argument("run_id")
@click.option(
    "--events",
    type=click.IntRange(min=0),
    metavar="N",
    help="At most the last N events; 0 for all. Default 50, in JSON all.",
)
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, run_id: str, events: Optional[int], as_json: bool) -> int:
    """Show one run: its fields, its children, its events.

    RUN_ID is an id, its beginning or its end if only one run has that, or `latest`.
    """
    if events is None:
        events = 0 if as_json else _EVENTS_FOR_PEOPLE
    with open_database(settings.base()) as connection:
        run = find_run(connection, run_id)
        children = _children(connection, run["run_id"])
        shown = _events(connection, run["run_id"], events)
    if as_json:
        print_json({"run": run, "children": children, "events": shown})
        return 0
    _print_run(run)
    if children:
        heading(f"Children ({count(len(children))})")
        print_runs(children)
    if shown:
        total = run["event_count"]
        heading(
            "Events" if len(shown) >= total else f"The last {len(shown)} of {count(total)} events"
        )
        print_events(shown, of_one_run=True)
    return 0


def _children(connection: sqlite3.Connection, run_id: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT * FROM agent_runs WHERE parent_run_id = ? ORDER BY start_time, run_id", (run_id,)
    ).fetchall()
    return with_reasons(connection, rows)


def _events(connection: sqlite3.Connection, run_id: str, limit: int) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT run_events.*, NULL AS agent_name FROM run_events WHERE run_id = ?"
        " ORDER BY timestamp DESC, event_id DESC LIMIT ?",
        (run_id, limit or -1),
    ).fetchall()
    return [event_value(row) for row in reversed(rows)]


def _print_run(run: dict[str, Any]) -> None:
    fields = [
        (name, _words(name, value))
        for name, value in run.items()
        if value is not None and name not in _UNSHOWN
    ]
    print_fields(fields)
    if run["error_details"]:
        heading("Error")
        for line in str(run["error_details"]).rstrip().splitlines():
            click.echo(_clipped(plain(line)))


def _words(name: str, value: Any) -> str:
    if name in _TIMES:
        return local_time(value)
    if name == "duration_ms":
        return duration(value)
    if name.startswith("items_") or name == "event_count":
        return count(value)
    return _clipped(to_json(value) if isinstance(value, (dict, list)) else plain(value))


def _clipped(text: str) -> str:
    """Cut a text that would fill the screen, for people only."""
    if not at_terminal() or len(text) <= _CLIPPED_LENGTH:
        return text
    return f"{text[:_CLIPPED_LENGTH]}... ({count(len(text))} characters; --json has all)"
