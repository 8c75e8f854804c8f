"""The command `tools/torture.py`: the torture at a terminal, for a given time.

It shows what the torture does, has the report written, and says how to repeat what went wrong.
"""

from __future__ import annotations

import os
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, Optional

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from telemetry_core import TelemetryConfig
from tests.laboratory.experiment import scratch_root
from tests.laboratory.experiments import EXPERIMENTS, Experiment
from tests.laboratory.torture import Outcome, torture
from tests.laboratory.torture_report import Report

_NAMES = [experiment.name for experiment in EXPERIMENTS]
_EXAMPLES = """\b
Examples:
  python tools/torture.py --minutes 30
  python tools/torture.py --only fleet --minutes 5
  python tools/torture.py --seed 4711 --round 2 --only store-faults --minutes 0
"""


class _Screen:
    """What a person sees: a line that moves while an experiment runs, and one when it is over."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(20),
            TextColumn("{task.completed:,.0f} trials"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    def begin(self, number: int, experiment: Experiment) -> Callable[[int], None]:
        """Show that an experiment has begun; return the callback for finished trials."""
        task = self._progress.add_task(f"round {number}: {experiment.title}", total=None)
        self._progress.start()
        return lambda trials: self._progress.advance(task, trials)

    def end(self, outcome: Outcome) -> None:
        """Show what came of it."""
        self._progress.stop()
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        done = ", ".join(f"{count:,} {name}" for name, count in outcome.figures.items())
        what = "VIOLATION" if outcome.violation else outcome.skipped or done
        click.echo(
            f"round {outcome.round}  {outcome.experiment:<13} {outcome.seconds:7.1f} s  {what}"
        )

    def say(self, text: str) -> None:
        """Say something besides the outcomes."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


@click.command(epilog=_EXAMPLES)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="No experiment begins after so long; the last one is made to its end.",
)
@click.option("--seed", type=int, help="Repeat the random choices of another run.")
@click.option(
    "--round",
    "first_round",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Begin with this round; the second is twice as large as the first.",
)
@click.option("--only", multiple=True, type=click.Choice(_NAMES), help="Make only this experiment.")
@click.option(
    "--base",
    type=click.Path(path_type=Path),
    help="The base whose reports/ gets the report; by default the configured one.",
)
def main(
    minutes: float,
    seed: Optional[int],
    first_round: int,
    only: tuple[str, ...],
    base: Optional[Path],
) -> None:
    """Break log, view and indexer in every way there is, and see whether a promise breaks.

    Exits 1 at the first violation, with the command that repeats it and the evidence kept.
    """
    end = time.monotonic() + minutes * 60
    seed = int.from_bytes(os.urandom(4), "big") if seed is None else seed
    base = base or TelemetryConfig.from_env().metrics_dir
    report = Report(base / "reports", datetime.now(timezone.utc), seed)
    chosen = [experiment for experiment in EXPERIMENTS if experiment.name in (only or _NAMES)]
    screen = _Screen()
    screen.say(f"seed {seed}, report in {report.path}")
    with tempfile.TemporaryDirectory(prefix="torture-", dir=scratch_root()) as scratch:
        for outcome in torture(chosen, seed, Path(scratch), first_round, screen.begin):
            report.add(outcome, Path(scratch) / outcome.experiment)
            screen.end(outcome)
            if time.monotonic() >= end:
                break
    if outcome.violation:
        screen.say(outcome.violation)
        screen.say(f"A promise is broken. Again: {report.repeat(outcome)}")
        screen.say(f"What it worked with: {report.evidence}")
        raise SystemExit(1)
