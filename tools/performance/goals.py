"""Write the table of goals in docs/performance.md, all from one run: what is met, and what is not.

Called by the command. Both ways of recording stand beside each other where a section has measured
both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from tools.performance.figure import Figure
from tools.performance.table import amount, goal_in_words

IN_PYTHON = ", in Python alone"
"""What the name of a figure ends in whose twin is measured with the extension in C."""

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
_BEGIN, _END = "<!-- goals: generated -->\n", "<!-- end of goals -->\n"
_SECTIONS = ("append", "peers", "processes", "indexing", "replay", "reading", "idle")
_HEAD = "| what | goal | with the extension | in Python alone | |\n|---|--:|--:|--:|---|"


def write_goals(record: dict[str, Any], origin: str) -> None:
    """Put a run's figures that have goals into the page, if the run has every section for it."""
    measured = {section["name"]: section["figures"] for section in record["sections"]}
    if not set(_SECTIONS) <= set(measured):
        return
    page = _PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    after = rest.partition(_END)[2]
    rows = [row for name in _SECTIONS for row in _rows([*map(Figure.read, measured[name])])]
    table = "\n".join([_HEAD, *rows])
    _PAGE.write_text(f"{before}{_BEGIN}\n{origin}\n\n{table}\n\n{_END}{after}", encoding="utf-8")


def _rows(figures: list[Figure]) -> Iterator[str]:
    by_name = {figure.name: figure for figure in figures}
    for figure in figures:
        if figure.goal is not None:
            yield _row(figure, by_name.get(figure.name + IN_PYTHON))


def _row(figure: Figure, in_python: Optional[Figure]) -> str:
    is_named = figure.floor_name in figure.name
    name = figure.name if is_named else f"{figure.name}, to {figure.floor_name}"
    cells = [
        name,
        goal_in_words(figure.goal, figure.unit),
        _value(figure, figure),
        _value(in_python, figure) if in_python else "",
        "met" if figure.is_met() else "**missed**",
    ]
    return "| " + " | ".join(cells) + " |"


def _value(figure: Figure, asked: Figure) -> str:
    """Return what of a figure the goal of `asked` is about."""
    if asked.goal is not None and asked.goal.of == "ratio" and figure.ratio is not None:
        return f"{figure.ratio.median:.2f}"
    if asked.goal is not None and asked.goal.or_ratio is not None and figure.ratio is not None:
        return f"{amount(figure.ours)} {figure.unit}, {figure.ratio.median:.2f}"
    return f"{amount(figure.ours)} {figure.unit}"
