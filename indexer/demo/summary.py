"""The results of a demo, and what to try next. It only prints."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Optional

import click

from indexer.demo.scenario import RESEARCHER, STUCK, Outcome
from indexer.demo.snapshot import AgentRun
from indexer.health.summary import status_counts, verification_summary
from indexer.terminal.console import heading, print_fields
from indexer.terminal.format import count, many, plain, warn
from indexer.terminal.runs_table import short_id
from indexer.terminal.table import Column, print_table

_SHOWN_FAILURES = 12


def print_summary(outcome: Outcome, base: Path) -> None:
    """Print the results of the demo."""
    snapshot = outcome.snapshot
    runs = many(sum(snapshot.runs.values()), "run")
    print_fields(
        [
            ("parsed", f"{many(outcome.files, 'file')} of {outcome.root}"),
            ("took", f"{outcome.seconds:.1f} s"),
            ("recorded", f"{runs}, {many(snapshot.events, 'event')} in {base}"),
            ("runs", status_counts(snapshot.runs)),
            ("models", outcome.usage or "no calls"),
            ("verify", verification_summary(outcome.report)),
        ]
    )
    _print_failures(outcome.failed)
    for run in snapshot.agents:
        if run.agent in snapshot.killed:
            _print_killed(run, outcome.last_words.get(run.agent))
    for line in outcome.unexpected:
        warn(line)


def print_next_steps(outcome: Outcome, base: Path) -> None:
    """Print what to try next: commands that can be copied."""
    command = f"{own_command()} --base {short_path(base)}"
    killed = [run for run in outcome.snapshot.agents if run.agent in outcome.snapshot.killed]
    heading("Try next")
    for arguments in (
        "runs",
        *(f"show {short_id(run.run_id)}" for run in killed),
        *(
            f"tree {short_id(run.run_id)}"
            for run in outcome.snapshot.agents
            if run.agent in (RESEARCHER, STUCK)
        ),
        "usage",
        "stats",
        "status",
        "ui",
        "runs --status stale",
        'sql "SELECT agent_name, runs, success_rate FROM runs_by_agent"',
    ):
        click.echo(f"  {command} {arguments}")
    heading("Delete the database: the log has everything")
    click.echo(f"  rm -r {short_path(base / 'db')}")
    click.echo(f"  {command} verify")
    heading("The agent's code, to copy from")
    click.echo(f"  {short_path(Path(__file__).with_name('agent.py'))}")


def own_command() -> str:
    """Return how the user called this program, so that it works again from here."""
    called = sys.argv[0]
    found = shutil.which("telemetry")
    if os.path.basename(called) == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m indexer"
    if found and os.path.exists(called) and os.path.samefile(found, called):
        return "telemetry"
    return shlex.quote(called) if os.path.exists(called) else "telemetry"


def short_path(path: Path) -> str:
    """Return a path quoted for a shell, with `~` for the home directory."""
    home = os.path.expanduser("~")
    text = str(path)
    if text.startswith(home + os.sep) and shlex.quote(text) == text:
        return "~" + text[len(home) :]
    return shlex.quote(text)


def _print_failures(failed: list[tuple[str, str]]) -> None:
    if not failed:
        return
    heading(f"{many(len(failed), 'file')} could not be parsed; the others were")
    columns = [Column("FILE"), Column("ERROR", style="dim", note=True)]
    rows = [[plain(file), plain(error)] for file, error in failed[:_SHOWN_FAILURES]]
    print_table(columns, rows)
    if len(failed) > _SHOWN_FAILURES:
        click.echo(f"... and {count(len(failed) - _SHOWN_FAILURES)} more")


def _print_killed(run: AgentRun, last_words: Optional[str]) -> None:
    heading(f"{run.agent} was killed with SIGKILL during its work")
    fields = [
        ("run", run.run_id),
        ("process", run.source),
        ("recorded", f"{count(run.done)} of {count(run.discovered)} items, up to the kill"),
    ]
    if last_words:
        fields.append(("what it was doing", last_words))
    if run.stale:
        fields.append(("status", f"stale: {run.stale}"))
    print_fields(fields)
