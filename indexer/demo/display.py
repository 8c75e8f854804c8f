"""Show the progress of the demo: a live table at a terminal, lines elsewhere.

It knows nothing about processes or the database.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

import click
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from indexer.demo.snapshot import AgentRun, Snapshot
from indexer.terminal.console import STATUS_STYLES
from indexer.terminal.format import count, duration, many, plain

_LINE_SECONDS = 2.0
_OTHER_COLUMNS = 68
_NARROWEST = 6


class Display(Protocol):
    """Something that shows snapshots until it is closed."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""

    def close(self) -> None:
        """Leave the last snapshot as it is."""


def new_display() -> Display:
    """Return the display that suits stdout."""
    return LiveDisplay() if sys.stdout.isatty() else LineDisplay()


class LiveDisplay:
    """A table that changes in place."""

    def __init__(self) -> None:
        self._live = Live(console=Console(highlight=False), auto_refresh=False)
        self._live.start()

    def show(self, snapshot: Snapshot) -> None:
        """Draw the table."""
        table = _table(snapshot, self._live.console.width)
        self._live.update(Group(table, Text(_totals(snapshot), "dim")), refresh=True)

    def close(self) -> None:
        """Release the terminal."""
        self._live.stop()


class LineDisplay:
    """A line every two seconds, on stderr, for a log or a pipe."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._next = self._began + _LINE_SECONDS

    def show(self, snapshot: Snapshot) -> None:
        """Print a line if two seconds have passed."""
        passed = time.monotonic() - self._began
        if self._began + passed < self._next:
            return
        self._next += _LINE_SECONDS
        done = sum(run.done for run in snapshot.agents)
        found = sum(run.discovered for run in snapshot.agents)
        text = f"{passed:5.1f} s  {count(done)} of {count(found)} files, {_totals(snapshot)}"
        click.echo(text, err=True)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def _table(snapshot: Snapshot, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, padding=(0, 2, 0, 0))
    for title in ("AGENT", "STATUS", "", "FILES", "FAILED", "TIME", "PACKAGE"):
        right = title in ("FILES", "FAILED", "TIME")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for run in snapshot.agents:
        table.add_row(*_cells(snapshot, run), _package(snapshot, run, width))
    return table


def _cells(snapshot: Snapshot, run: AgentRun) -> tuple[Any, ...]:
    status = snapshot.status_of(run)
    return (
        Text(run.agent),
        Text(status, STATUS_STYLES.get(status, "")),
        ProgressBar(max(run.discovered, 1), run.done, width=14),
        Text(f"{count(run.done)}/{count(run.discovered)}"),
        Text(count(run.failed), "red" if run.failed else "dim"),
        Text(duration(run.elapsed_ms)),
    )


def _package(snapshot: Snapshot, run: AgentRun, width: int) -> Text:
    """Return what the agent works on, cut here: a wide table would squeeze all its columns."""
    is_running = snapshot.status_of(run) == "running"
    text = Text(plain(run.package) if is_running else "", "dim")
    text.truncate(max(_NARROWEST, width - _OTHER_COLUMNS), overflow="ellipsis")
    return text


def _totals(snapshot: Snapshot) -> str:
    running = snapshot.runs.get("running", 0)
    finished = sum(snapshot.runs.values()) - running
    return f"{many(finished, 'run')} finished, {running} running, {many(snapshot.events, 'event')}"
