"""`telemetry status`: how the log, the indexer and the database are.

Called by the command line. What it knows is gathered in indexer/cli/health.py; here it is
printed, and trouble becomes exit code 3.
"""

from __future__ import annotations

from typing import Any

import click

from indexer.cli.commands.stats import in_words
from indexer.cli.context import Settings, base_option, json_option, open_view
from indexer.cli.health import health
from indexer.cli.human import ago, count, local_time, many, plain, size
from indexer.cli.output import Column, heading, print_fields, print_json, print_table
from indexer.cli.run_rows import short_id

EXAMPLES = """\b
Examples:
  telemetry status
  telemetry status --json | jq .daemon
  telemetry status > /dev/null || echo "telemetry is not well"
"""

DEGRADED = 3


@click.command("status", epilog=EXAMPLES)
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, as_json: bool) -> int:
    """Show how the log, the indexer and the database are.

    Exits 3 if something needs looking after: a daemon that is silent, an error, lines that are
    no events, files that can't be read, events that were dropped. That no daemon runs is fine.
    """
    config = settings.config()
    with open_view(config) as connection:
        found = health(config, connection)
    if as_json:
        print_json(found)
    else:
        _print_health(found)
    return DEGRADED if found["problems"] else 0


def _print_health(found: dict[str, Any]) -> None:
    lines, sizes = found["lines"], found["bytes"]
    fields = [
        ("base", found["base"]),
        ("state", found["state"]),
        ("daemon", _daemon(found["daemon"])),
        (
            "log",
            f"{many(found['files'], 'file')}, {size(sizes['log'])} in {found['log_directory']}",
        ),
        ("lag", size(found["lag_bytes"])),
        ("lines", ", ".join(f"{count(number)} {outcome}" for outcome, number in lines.items())),
        ("bytes", f"{count(sizes['accounted'])} accounted for of {count(sizes['read'])} read"),
        ("runs", in_words(found["runs"]) or "none"),
        ("database", f"{size(found['database_bytes'])} in {found['database']}"),
    ]
    if found["events_dropped"]:
        fields.append(("dropped", f"{count(found['events_dropped'])} events, by the writers"))
    if found["last_error"]:
        error = f"{local_time(found['last_error_at'])}  {plain(found['last_error'])}"
        fields.append(("last error", error))
    print_fields(fields)
    _print_lists(found)


def _daemon(daemon: dict[str, Any]) -> str:
    if daemon["running"]:
        watching = "" if daemon["watching"] else ", polling"
        return (
            f"process {daemon['pid']} on {daemon['host']}, since {local_time(daemon['since'])},"
            f" heartbeat {ago(daemon['heartbeat'])}{watching}"
        )
    last = f"; the last was seen {ago(daemon['heartbeat'])}" if daemon["heartbeat"] else ""
    return f"none{last} (reading commands index by themselves)"


def _print_lists(found: dict[str, Any]) -> None:
    if found["problems"]:
        heading("Problems")
        for problem in found["problems"]:
            click.echo(f"- {plain(problem)}")
    if found["stale_runs"]:
        heading(f"Stale runs ({count(len(found['stale_runs']))})")
        columns = [Column("RUN", style="dim"), Column("AGENT"), Column("JOB"),
                   Column("LAST EVENT"), Column("REASON")]  # fmt: skip
        print_table(columns, [_stale_cells(run) for run in found["stale_runs"]])
    if found["quarantine"]:
        heading(f"Latest of {count(found['lines']['quarantined'])} quarantined lines")
        columns = [Column("FILE"), Column("OFFSET", right=True), Column("LENGTH", right=True),
                   Column("REASON", cut=True)]  # fmt: skip
        print_table(columns, [_quarantine_cells(line) for line in found["quarantine"]])


def _stale_cells(run: dict[str, Any]) -> list[str]:
    return [short_id(run["run_id"]), plain(run["agent_name"]), plain(run["job_type"]),
            local_time(run["last_event_time"]), plain(run["reason"])]  # fmt: skip


def _quarantine_cells(line: dict[str, Any]) -> list[str]:
    return [plain(line["file"]), count(line["offset"]), count(line["length"]),
            plain(line["reason"])]  # fmt: skip
