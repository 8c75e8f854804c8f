"""`telemetry status`: how the log, the indexer and the database are.

Called by the command line. What it knows is gathered in indexer/health/health.py; here it is
printed, and trouble becomes exit code 3.
"""

from __future__ import annotations

from typing import Any

import click

from indexer.cli.commands.quarantine import quarantine_cells
from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.health.health import health
from indexer.health.prometheus import exposition
from indexer.health.summary import status_counts
from indexer.terminal.console import heading, print_fields
from indexer.terminal.format import ago, count, duration, local_time, many, plain, size
from indexer.terminal.json_output import print_json
from indexer.terminal.runs_table import short_id
from indexer.terminal.table import Column, print_table

EXAMPLES = """\b
Examples:
  telemetry status
  telemetry status --json | jq .daemon
  telemetry status > /dev/null || echo "telemetry is not well"
  telemetry status --prometheus > /var/lib/node_exporter/telemetry.prom
"""

DEGRADED = 3


@click.command("status", epilog=EXAMPLES)
@click.option(
    "--prometheus", "as_metrics", is_flag=True, help="Metrics in Prometheus' text format."
)
@click.option("--integrity", is_flag=True, help="Check the view's file too; reads all of it.")
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, *, as_json: bool, as_metrics: bool, integrity: bool) -> int:
    """Show how the log, the indexer and the database are.

    Exits 3 if something needs looking after: a daemon that is silent, an error, lines that are
    no events and that nobody acknowledged, files that can't be read, events that were dropped, a
    disk that is nearly full, a target that takes no runs. That no daemon runs is fine.
    """
    if as_json and as_metrics:
        raise click.UsageError("--json and --prometheus exclude each other")
    base = settings.base()
    with open_database(base) as connection:
        found = health(base, connection, integrity)
    if as_json:
        print_json(found)
    elif as_metrics:
        click.echo(exposition(found), nl=False)
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
        ("lag", _lag(found)),
        ("lines", ", ".join(f"{count(number)} {outcome}" for outcome, number in lines.items())),
        ("bytes", f"{count(sizes['accounted'])} accounted for of {count(sizes['read'])} read"),
        ("runs", status_counts(found["runs"]) or "none"),
        ("last event", ago(found["last_event"])),
        ("database", f"{size(found['database_bytes'])} in {found['database']}"),
        ("growth", _growth(found["growth"])),
    ]
    if found["integrity"]:
        took = duration(found["integrity"]["seconds"] * 1000)
        outcome = "ok" if found["integrity"]["ok"] else "damaged"
        fields.append(("integrity", f"{outcome}, checked in {took}"))
    fields += [("forwarding", _target(target)) for target in found["forwarding"]["targets"]]
    if found["events_dropped"]:
        fields.append(("dropped", f"{count(found['events_dropped'])} events, by the writers"))
    if found["last_error"]:
        error = f"{local_time(found['last_error_at'])}  {plain(found['last_error'])}"
        fields.append(("last error", error))
    print_fields(fields)
    _print_lists(found)


def _lag(found: dict[str, Any]) -> str:
    if not found["lag_bytes"]:
        return size(0)
    waiting = many(found["backlog"]["files"], "file")
    return f"{size(found['lag_bytes'])} in {waiting}, {duration(found['lag_seconds'] * 1000)}"


def _target(target: dict[str, Any]) -> str:
    waiting = f"{many(target['waiting'], 'run')} waiting"
    last = f", last delivered {ago(target['last_delivered_at'])}"
    told = f"{plain(target['name'])} is {target['state']}, {waiting}"
    return told + (last if target["last_delivered_at"] else "")


def _growth(growth: dict[str, Any]) -> str:
    free, days = growth["disk_free_bytes"], growth["disk_days_left"]
    room = "" if free is None else f", {size(free)} free"
    # Beyond a few years it is a number and no news.
    left = f" (for {many(round(days), 'day')})" if days is not None and days < 1000 else ""
    return f"{size(growth['log_bytes_per_day'])} of log a day{room}{left}"


def _daemon(daemon: dict[str, Any]) -> str:
    if daemon["running"]:
        watching = "" if daemon["watching"] else ", polling"
        return (
            f"process {daemon['pid']} on {daemon['host']}, since {local_time(daemon['since'])},"
            f" last at work {ago(daemon['heartbeat'])}{watching}"
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
        columns = [
            Column("RUN", style="dim"),
            Column("AGENT"),
            Column("JOB"),
            Column("LAST EVENT"),
            Column("REASON"),
        ]
        print_table(columns, [_stale_cells(run) for run in found["stale_runs"]])
    if found["quarantine"]:
        heading(f"Latest of {many(found['quarantine_new'], 'quarantined line')} to be looked at")
        columns = [
            Column("FILE"),
            Column("OFFSET", right=True),
            Column("LENGTH", right=True),
            Column("REASON", cut=True),
        ]
        print_table(columns, [quarantine_cells(line)[:4] for line in found["quarantine"]])


def _stale_cells(run: dict[str, Any]) -> list[str]:
    return [
        short_id(run["run_id"]),
        plain(run["agent_name"]),
        plain(run["job_type"]),
        local_time(run["last_event_time"]),
        plain(run["reason"]),
    ]
