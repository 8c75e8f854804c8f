"""Print figures for people, ours next to the floor, at a terminal or in a file.

Called by the command for each section.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.performance.figure import Figure, Goal, Spread

WIDTH = 110
"""Characters that a table needs; in fewer, its first column would be a letter wide."""


def print_table(console: Console, title: str, figures: Iterable[Figure]) -> None:
    """Print the figures of one section."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what")
    for heading in ("ours", "floor", "ratio (10 to 90 of 100)", "goal", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for figure in figures:
        table.add_row(*_row(figure))
    console.print(table)


def _row(figure: Figure) -> list[Text]:
    verdict = {True: Text("met", "green"), False: Text("missed", "bold red"), None: Text()}
    peers = [f"{name} {amount(value)}" for name, value in figure.peers.items()]
    notes = ", ".join([*peers, *([figure.note] if figure.note else [])])
    return [
        Text(figure.name) if not notes else Text.assemble(figure.name, ("\n  " + notes, "dim")),
        Text(f"{amount(figure.ours)} {figure.unit}"),
        Text("" if figure.floor is None else f"{amount(figure.floor)} {figure.floor_name}"),
        Text(ratio_in_words(figure.ratio)),
        Text(goal_in_words(figure.goal, figure.unit)),
        verdict[figure.is_met()],
    ]


def amount(value: float) -> str:
    """Return a value with three digits that matter, and its thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratio_in_words(ratio: Optional[Spread]) -> str:
    """Return a ratio with its spread."""
    return f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else ""


def goal_in_words(goal: Optional[Goal], unit: str) -> str:
    """Return a goal as people write it."""
    if goal is None:
        return ""
    limit = f"{goal.limit:g}" if goal.of == "ratio" else f"{goal.limit:g} {unit}"
    if goal.or_ratio is not None:
        limit += f", or {goal.or_ratio:g}"
    return f">= {limit}" if goal.at_least else f"<= {limit}"
