"""A page that says what was done, with what seed, and what came of it."""

from __future__ import annotations

import platform
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

from tests.laboratory.torture import Outcome


class Report:
    """A Markdown file that is whole after each outcome, whatever happens to the torture."""

    def __init__(self, directory: Path, begun: datetime, seed: int) -> None:
        self.path = directory / f"torture-{begun:%Y%m%dT%H%M%SZ}.md"
        self.evidence = self.path.with_suffix("")
        self._begun = begun
        self._seed = seed
        self._outcomes: list[Outcome] = []
        directory.mkdir(parents=True, exist_ok=True)
        self._write()

    def add(self, outcome: Outcome, scratch: Path) -> None:
        """Note an outcome; keep what a violation left in `scratch`."""
        self._outcomes.append(outcome)
        if outcome.violation and scratch.exists():
            shutil.copytree(scratch, self.evidence, symlinks=True)
        self._write()

    def repeat(self, outcome: Outcome) -> str:
        """Return the command that makes an experiment again just as it was."""
        return (
            f"python tools/torture.py --seed {self._seed} --round {outcome.round}"
            f" --only {outcome.experiment}"
        )

    def _write(self) -> None:
        self.path.write_text("\n".join(self._lines()) + "\n", encoding="utf-8")

    def _lines(self) -> list[str]:
        broken = [outcome for outcome in self._outcomes if outcome.violation]
        minutes = sum(outcome.seconds for outcome in self._outcomes) / 60
        count = len(self._outcomes)
        where = f"SQLite {sqlite3.sqlite_version}, {platform.platform()}"
        return [
            "# Torture",
            "",
            f"- Begun: {self._begun:%Y-%m-%d %H:%M:%S} UTC, seed {self._seed}",
            f"- So far: {count} experiments in {minutes:.1f} minutes, violations: {len(broken)}",
            f"- On: Python {platform.python_version()}, {where}",
            "",
            "| round | experiment | seconds | done |",
            "|---:|---|---:|---|",
            *map(_row, self._outcomes),
            *(line for outcome in broken for line in self._violation(outcome)),
        ]

    def _violation(self, outcome: Outcome) -> list[str]:
        return [
            "",
            f"## Violation in {outcome.experiment}",
            "",
            f"Again: `{self.repeat(outcome)}`",
            "",
            f"What it worked with: `{self.evidence.name}/`",
            "",
            "```text",
            outcome.violation.rstrip(),
            "```",
        ]


def _row(outcome: Outcome) -> str:
    done = ", ".join(f"{count:,} {name}" for name, count in outcome.figures.items())
    if outcome.violation:
        done = "**VIOLATION**"
    elif outcome.skipped:
        done = f"skipped: {outcome.skipped}"
    return f"| {outcome.round} | {outcome.experiment} | {outcome.seconds:.1f} | {done} |"
