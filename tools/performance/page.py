"""Write the tables of docs/internals/performance.md and of the goals, from one run; the words stay.

Called by the command. It replaces what stands between the two marks of a section, and draws the
section's picture; it never touches the words around them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.performance.figure import Figure
from tools.performance.goals import write_goals
from tools.performance.picture import picture
from tools.performance.table import amount, goal_in_words, ratio_in_words

_DOCS = Path(__file__).resolve().parents[2] / "docs" / "internals"
_HEAD = "| what | ours | floor | ratio (10 to 90 of 100) | goal | |\n|---|--:|--:|--:|--:|---|"


def write_page(record: dict[str, Any]) -> None:
    """Put a run's figures into the page, for each of its sections that the page has marks for."""
    path = _DOCS / "performance.md"
    page = path.read_text(encoding="utf-8")
    for section in record["sections"]:
        name, figures = section["name"], [Figure.read(one) for one in section["figures"]]
        begin, end = f"<!-- {name}: generated -->\n", f"<!-- end of {name} -->\n"
        before, mark, rest = page.partition(begin)
        if not mark:
            continue
        drawn = picture(section["title"], figures)
        parts = [_origin(record), "\n".join([_HEAD, *map(_row, figures)])]
        if drawn:
            image = f"pictures/performance-{name}.svg"
            (_DOCS / "pictures").mkdir(exist_ok=True)
            (_DOCS / image).write_text(drawn, encoding="utf-8")
            parts.append(f"![{section['title']}: ours to the floor]({image})")
        after = rest.partition(end)[2]
        page = before + begin + "\n" + "\n\n".join(parts) + "\n\n" + end + after
    path.write_text(page, encoding="utf-8")
    write_goals(record, _origin(record))


def _origin(record: dict[str, Any]) -> str:
    machine = record["machine"]
    return (
        f"{record['time'][:10]}, {machine['cores']} cores of {machine['processor']}, "
        f"{machine['system']}, {machine['filesystem']}, Python {machine['python']}, "
        f"orjson {machine['orjson']}, load {machine['load']:.1f} at the start."
    )


def _row(figure: Figure) -> str:
    floor = "" if figure.floor is None else f"{amount(figure.floor)} {figure.floor_name}"
    verdict = {True: "met", False: "**missed**", None: ""}[figure.is_met()]
    name = f"{figure.name} ({figure.note})" if figure.note else figure.name
    cells = [
        name,
        f"{amount(figure.ours)} {figure.unit}",
        floor,
        ratio_in_words(figure.ratio),
        goal_in_words(figure.goal, figure.unit),
        verdict,
    ]
    return "| " + " | ".join(cells) + " |"
