"""`telemetry show`: one run with what it did, its nested runs and its events."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Optional
from urllib.parse import quote

import click

from indexer.cli.commands.tail import event_value, print_events
from indexer.cli.completions import complete_run
from indexer.cli.context import Settings, base_option, fleet_options, json_option
from indexer.cli.exit_codes import OK
from indexer.cli.reading import open_for
from indexer.store.run_queries import find_run
from indexer.terminal.console import at_terminal, heading, print_fields
from indexer.terminal.format import count, duration, local_time, plain
from indexer.terminal.json_output import print_json_stream, to_json
from indexer.terminal.runs_table import print_runs, run_values, shown_status
from indexer.terminal.spans.work import work_of

EXAMPLES = """\b
Examples:
  telemetry show latest
  telemetry show 3f9a1c20                     the end of an id
  telemetry show 20261122T154508Z-crawler     or its beginning
  telemetry show latest --full | less
  telemetry show latest --json | jq .events
  telemetry show claude-code-5e55 --transcript | less
  telemetry show latest --open                in the page that `telemetry ui` serves
"""

_EVENTS_FOR_PEOPLE = 50
_CLIPPED_LENGTH = 400
_TIMES = ("start_time", "end_time", "last_event_time", "git_commit_timestamp")
# Of use to programs, which get them with --json and SQL.
_HIDDEN = frozenset(
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
@click.argument("run_id", shell_complete=complete_run)
@click.option(
    "--events",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show at most the last N events; 0 for all. Default: 50, or all with --full or --json.",
)
@click.option("--full", is_flag=True, help="Show long values and payloads whole, and all events.")
@click.option("--transcript", is_flag=True, help="Show an imported session as text, whole.")
@click.option("--open", "opens", is_flag=True, help="Open the run in the page being served.")
@json_option
@fleet_options
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    run_id: str,
    events: Optional[int],
    full: bool,
    transcript: bool,
    opens: bool,
    as_json: bool,
) -> int:
    """Show one run: its fields, its nested runs and its events.

    RUN_ID is an id, the beginning or end of one if that is unambiguous, or `latest`.
    """
    if events is None:
        events = 0 if as_json or full else _EVENTS_FOR_PEOPLE
    with open_for(
        settings, lambda fleet: fleet.run(run_id, 0 if transcript else events)
    ) as connection:
        run = run_values(connection, [find_run(connection, run_id)])[0]
        if opens:
            return _open_page(settings, run["run_id"])
        if transcript:
            return _print_transcript(connection, run["run_id"])
        children = _children(connection, run["run_id"])
        rows = _events(connection, run["run_id"], events)
        work = work_of(connection, run)
        if as_json:
            head = {"run": run, "children": children, **work.values()}
            print_json_stream(head, "events", rows)
        else:
            _print_run(run, full)
            work.print(is_full=full)
            _print_children(children)
            _print_events(rows, run["event_count"], events, full)
    return OK


def _print_transcript(connection: sqlite3.Connection, run_id: str) -> int:
    # Imported here: it reads what coding agents write, and most runs are not of them.
    from indexer.cli.transcript_text import transcript_lines

    lines = transcript_lines(connection, run_id)
    first = next(lines, None)
    if first is None:
        raise click.ClickException(f"{run_id} is not an imported session")
    for line in chain((first,), lines):
        click.echo(line)
    return OK


def _open_page(settings: Settings, run_id: str) -> int:
    """Open a run in the browser, on the page that `telemetry ui` serves."""
    # Imported here: every other use of the command does without them.
    import webbrowser

    from indexer.cli.commands.ui import import_page

    launch = import_page()
    page = f"/runs/{quote(run_id, safe='')}"
    link: str = launch.link_to(settings.base(), page, of_fleet=settings.reads_fleet)
    click.echo(link)
    webbrowser.open(link)
    return OK


def _children(connection: sqlite3.Connection, run_id: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT * FROM agent_runs WHERE parent_run_id = ? ORDER BY start_time, run_id", (run_id,)
    ).fetchall()
    return run_values(connection, rows)


def _events(connection: sqlite3.Connection, run_id: str, limit: int) -> Iterator[dict[str, Any]]:
    """Yield the last events of a run, the oldest first, without holding all of them."""
    latest = "SELECT event_id FROM run_events WHERE run_id = :run"
    newest_first = f"{latest} ORDER BY timestamp DESC, event_id DESC LIMIT :limit"
    rows = connection.execute(
        "SELECT *, NULL AS agent_name FROM run_events WHERE run_id = :run"
        + (f" AND event_id IN ({newest_first})" if limit else "")
        + " ORDER BY timestamp, event_id",
        {"run": run_id, "limit": limit},
    )
    return map(event_value, rows)


def _print_run(run: Mapping[str, Any], full: bool) -> None:
    fields = [
        (name, _in_words(name, run, full))
        for name, value in run.items()
        if value is not None and name not in _HIDDEN
    ]
    print_fields(fields)
    if run["error_details"]:
        heading("Error")
        for line in str(run["error_details"]).rstrip().splitlines():
            click.echo(_clipped(plain(line), full))


def _print_children(children: list[dict[str, Any]]) -> None:
    if children:
        heading(f"Nested runs ({count(len(children))})")
        print_runs(children)


def _print_events(rows: Iterator[dict[str, Any]], total: int, limit: int, full: bool) -> None:
    if not total:
        return
    heading(f"Last {limit} of {count(total)} events" if 0 < limit < total else "Events")
    print_events(rows, of_one_run=True, full=full)


def _in_words(name: str, run: Mapping[str, Any], full: bool) -> str:
    value = run[name]
    if name == "status":
        return shown_status(run)
    if name in _TIMES:
        return local_time(value)
    if name == "duration_ms":
        return duration(value)
    if name.startswith("items_") or name == "event_count":
        return count(value)
    return _clipped(to_json(value) if isinstance(value, (dict, list)) else plain(value), full)


def _clipped(text: str, full: bool) -> str:
    """Cut a text that would fill the screen, at a terminal only."""
    if full or not at_terminal() or len(text) <= _CLIPPED_LENGTH:
        return text
    return f"{text[:_CLIPPED_LENGTH]}... ({count(len(text))} characters; --full shows all)"
