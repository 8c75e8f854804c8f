"""The screen: the picture drawn, as a live table at a terminal, as lines now and then elsewhere.

Called by the stage with each new picture. It knows nothing of processes or of the database.
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

from indexer.demo.snapshot import AgentRun, Picture
from indexer.terminal.console import STATUS_STYLES
from indexer.terminal.format import count, duration, many, plain

_LINE_SECONDS = 2.0
_OTHER_COLUMNS = 68
_NARROWEST = 6


class Screen(Protocol):
    """Something that shows pictures until it is closed."""

    def show(self, picture: Picture) -> None:
        """Show how it stands."""

    def close(self) -> None:
        """Leave what was shown last as it is."""


def new_screen() -> Screen:
    """Return the screen that suits stdout."""
    return LiveScreen() if sys.stdout.isatty() else LineScreen()


class LiveScreen:
    """A table that changes in place."""

    def __init__(self) -> None:
        self._live = Live(console=Console(highlight=False), auto_refresh=False)
        self._live.start()

    def show(self, picture: Picture) -> None:
        """Draw the table anew."""
        table = _table(picture, self._live.console.width)
        self._live.update(Group(table, Text(_totals(picture), "dim")), refresh=True)

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()


class LineScreen:
    """A line every other second, on stderr, for a log or a pipe."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._next = self._began + _LINE_SECONDS

    def show(self, picture: Picture) -> None:
        """Print a line if it is time for one."""
        passed = time.monotonic() - self._began
        if self._began + passed < self._next:
            return
        self._next += _LINE_SECONDS
        done = sum(run.done for run in picture.agents)
        found = sum(run.discovered for run in picture.agents)
        text = f"{passed:5.1f} s  {count(done)} of {count(found)} files, {_totals(picture)}"
        click.echo(text, err=True)

    def close(self) -> None:
        """Nothing to give back."""


def _table(picture: Picture, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", show_edge=False, padding=(0, 2, 0, 0))
    for title in ("AGENT", "STATUS", "", "FILES", "FAILED", "TIME", "PACKAGE"):
        right = title in ("FILES", "FAILED", "TIME")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for run in picture.agents:
        table.add_row(*_cells(picture, run), _package(picture, run, width))
    return table


def _cells(picture: Picture, run: AgentRun) -> tuple[Any, ...]:
    status = picture.status_of(run)
    return (
        Text(run.agent),
        Text(status, STATUS_STYLES.get(status, "")),
        ProgressBar(max(run.discovered, 1), run.done, width=14),
        Text(f"{count(run.done)}/{count(run.discovered)}"),
        Text(count(run.failed), "red" if run.failed else "dim"),
        Text(duration(run.elapsed_ms)),
    )


def _package(picture: Picture, run: AgentRun, width: int) -> Text:
    """Return what the agent is at, cut here: a table too wide would squeeze all its columns."""
    is_at_work = picture.status_of(run) == "running"
    text = Text(plain(run.package) if is_at_work else "", "dim")
    text.truncate(max(_NARROWEST, width - _OTHER_COLUMNS), overflow="ellipsis")
    return text


def _totals(picture: Picture) -> str:
    running = picture.runs.get("running", 0)
    finished = sum(picture.runs.values()) - running
    return f"{many(finished, 'run')} finished, {running} running, {many(picture.events, 'event')}"
