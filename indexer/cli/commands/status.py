"""`telemetry status`: show the health of the log, the indexer and the database."""

from __future__ import annotations

import click

from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.cli.exit_codes import DEGRADED, OK
from indexer.health.deliveries import TargetHealth
from indexer.health.health import check_health
from indexer.health.model import DaemonHealth, Growth, Health, StaleRun
from indexer.health.summary import status_counts
from indexer.terminal.console import heading, print_fields
from indexer.terminal.format import ago, count, duration, local_time, many, plain, size
from indexer.terminal.hyperlink import linked_run
from indexer.terminal.json_output import print_json
from indexer.terminal.runs_table import short_id
from indexer.terminal.table import Column, print_table
from telemetry_core.storage import base_variable

EXAMPLES = """\b
Examples:
  telemetry status
  telemetry status --json | jq .problems
  telemetry status || echo "needs attention"
  telemetry status --prometheus > /var/lib/node_exporter/telemetry.prom
  telemetry status --integrity
"""

_STALE_SHOWN = 20


@click.command("status", epilog=EXAMPLES)
@click.option(
    "--prometheus", "as_metrics", is_flag=True, help="Print metrics in Prometheus' text format."
)
@click.option(
    "--integrity",
    is_flag=True,
    help="Check every page of the database as well; slow for a large one.",
)
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, *, as_metrics: bool, integrity: bool, as_json: bool) -> int:
    """Show the health of the log, the indexer and the database.

    Exits 3 if anything needs attention: a daemon that hangs, log lines that could not be parsed
    and that nobody acknowledged, segments that can't be read or are gone, files in the log
    directory that are not read, dropped events, a disk that is nearly full, a target that does
    not accept runs. That no daemon runs is fine.
    """
    if as_json and as_metrics:
        raise click.UsageError("--json and --prometheus exclude each other")
    base = settings.base()
    with open_database(base) as connection:
        health = check_health(base, connection, integrity)
    if as_json:
        print_json(health.as_json())
    elif as_metrics:
        # Imported here: few ask for it.
        from indexer.health.prometheus import exposition

        click.echo(exposition(health), nl=False)
    else:
        _print_health(health, _base_source(settings))
    return DEGRADED if health.problems else OK


def _base_source(settings: Settings) -> str:
    """Return what named the base directory."""
    if settings.directory is not None:
        return "--base"
    return base_variable(settings.environment()) or "default"


def _print_health(health: Health, source: str) -> None:
    print_fields([("base", f"{plain(health.base)}  ({source})"), *_fields(health)])
    if health.problems:
        heading("Problems")
        for problem in health.problems:
            click.echo(f"- {plain(problem)}")
    if health.stale_runs:
        heading(f"Stale runs ({count(len(health.stale_runs))})")
        _print_stale_runs(health.stale_runs)
    if health.quarantine:
        from indexer.cli.commands.quarantine import quarantine_cells

        heading(f"Latest of {many(health.quarantine_new, 'unacknowledged log line')}")
        columns = [
            Column("SEGMENT"),
            Column("OFFSET", right=True),
            Column("LENGTH", right=True),
            Column("REASON", cut=True),
        ]
        print_table(columns, [quarantine_cells(line)[:4] for line in health.quarantine])


def _fields(health: Health) -> list[tuple[str, str]]:
    sizes = health.bytes
    fields = [
        ("state", health.state),
        ("daemon", _daemon(health.daemon)),
        (
            "log",
            f"{many(health.files, 'segment')}, {size(sizes.log)} in {plain(health.log_directory)}",
        ),
        ("lag", _lag(health)),
        ("lines", ", ".join(f"{count(number)} {name}" for name, number in _lines(health))),
        ("bytes", f"{count(sizes.accounted)} accounted for of {count(sizes.read)} read"),
        ("runs", status_counts(health.runs) or "none"),
        ("last event", ago(health.last_event)),
        ("database", f"{size(health.database_bytes)} in {plain(health.database)}"),
        ("growth", _growth(health.growth)),
    ]
    if health.integrity:
        outcome = "ok" if health.integrity.ok else "damaged"
        took = duration(health.integrity.seconds * 1000)
        fields.append(("integrity", f"{outcome}, checked in {took}"))
    fields += [("forwarding", _target(target)) for target in health.forwarding.targets]
    if health.events_dropped:
        fields.append(("dropped", f"{many(health.events_dropped, 'event')}, by writers"))
    if health.last_error:
        error = f"{local_time(health.last_error_at)}  {plain(health.last_error)}"
        fields.append(("last error", error))
    return fields


def _lines(health: Health) -> list[tuple[str, int]]:
    return list(health.lines._asdict().items())


def _lag(health: Health) -> str:
    if not health.lag_bytes:
        return size(0)
    waiting = many(health.backlog.files, "segment")
    return f"{size(health.lag_bytes)} in {waiting}, {duration(health.lag_seconds * 1000)}"


def _target(target: TargetHealth) -> str:
    summary = f"{plain(target.name)} is {target.state}, {many(target.waiting, 'run')} waiting"
    if target.last_delivered_at:
        summary += f", last delivered {ago(target.last_delivered_at)}"
    return summary


def _growth(growth: Growth) -> str:
    free, days = growth.disk_free_bytes, growth.disk_days_left
    room = "" if free is None else f", {size(free)} free"
    # Beyond a few years the number says nothing.
    left = f" (enough for {many(round(days), 'day')})" if days is not None and days < 1000 else ""
    return f"{size(growth.log_bytes_per_day)} of log per day{room}{left}"


def _daemon(daemon: DaemonHealth) -> str:
    if daemon.running:
        polling = "" if daemon.watching else ", polling"
        return (
            f"process {daemon.pid} on {daemon.host}, since {local_time(daemon.since)},"
            f" last active {ago(daemon.heartbeat)}{polling}"
        )
    last = f", last active {ago(daemon.heartbeat)}" if daemon.heartbeat else ""
    return f"none{last} (commands that read index new events themselves)"


def _print_stale_runs(runs: list[StaleRun]) -> None:
    columns = [
        Column("RUN", style="dim"),
        Column("AGENT", cut=True),
        Column("JOB", cut=True),
        Column("LAST EVENT"),
        Column("REASON"),
    ]
    print_table(columns, [_stale_cells(run) for run in runs[-_STALE_SHOWN:]])
    if len(runs) > _STALE_SHOWN:
        more = count(len(runs) - _STALE_SHOWN)
        click.echo(f"and {more} older ones: `telemetry runs --status stale -n 0`")


def _stale_cells(run: StaleRun) -> list[str]:
    return [
        linked_run(run.run_id, short_id(run.run_id)),
        plain(run.agent_name),
        plain(run.job_type),
        local_time(run.last_event_time),
        run.reason,
    ]
