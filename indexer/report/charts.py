"""Charts as SVG that fits any width without changing the size of its text.

Used by the page. Positions along the width are percentages, everything else is pixels. Colours and
patterns are in the style sheet; a status is shown by pattern and name, never by colour alone.
"""

from __future__ import annotations

import math
from typing import Optional

from indexer.report.markup import Markup, element, percent
from indexer.report.model import OTHER
from indexer.report.period import key_in_words
from indexer.report.text import rate as rate_in_words
from indexer.store.run_queries import STALE
from indexer.terminal.format import count, many
from telemetry_core.status import CANCELLED, FAILED, PARTIAL, RUNNING, SUCCESS, TIMEOUT

STACKED = (SUCCESS, PARTIAL, RUNNING, CANCELLED, OTHER, STALE, TIMEOUT, FAILED)
"""The statuses from the bottom of a bar to its top."""

_HEIGHT = 260
_ABOVE, _BELOW = 12, 34
_PLOT = _HEIGHT - _ABOVE - _BELOW
_LABELS_WIDE, _LABELS_NARROW = 16, 6
_TICKS = 4
# Less could not be seen, and one failure among thousands is what people look for.
_LEAST = 2.0
_ROW = 22


def patterns() -> Markup:
    """Return the patterns that distinguish the statuses, once for all charts of a page."""
    return element(
        "svg",
        element("defs", *(_pattern(status) for status in STACKED)),
        class_="patterns",
        width=0,
        height=0,
        aria_hidden="true",
        focusable="false",
    )


def swatch(status: str) -> Markup:
    """Return a small square with the pattern of a status, for in front of its name."""
    square = element("rect", width=12, height=12, rx=2, class_=f"fill-{_known(status)}")
    return element("svg", square, class_="swatch", width=12, height=12, aria_hidden="true")


def stacked_bars(parts: dict[str, dict[str, int]], title: str) -> Markup:
    """Return runs by status as stacked bars, one for each part of the period."""
    highest = max((sum(statuses.values()) for statuses in parts.values()), default=0)
    step = _step(highest)
    top = step * max(1, math.ceil(highest / step))
    total = sum(sum(statuses.values()) for statuses in parts.values())
    description = f"{many(total, 'run')}, at most {count(highest)} in one bar. A table follows."
    width = 100 / max(1, len(parts))
    bars = [
        _bar(key, statuses, number * width, width, top)
        for number, (key, statuses) in enumerate(parts.items())
    ]
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *_grid(step, top),
        *bars,
        *_labels(list(parts), width),
        class_="bars",
        width="100%",
        height=_HEIGHT,
        role="img",
    )


def rate_bar(rate: Optional[float]) -> Markup:
    """Return a success rate as a bar, full at the right end."""
    if rate is None:
        return Markup()
    return element(
        "svg",
        element("title", f"{rate_in_words(rate)} successful"),
        element("rect", y=6, width="100%", height=10, rx=2, class_="rest"),
        element("rect", y=6, width=percent(100 * rate), height=10, rx=2, class_="rate"),
        class_="rate-bar",
        width="100%",
        height=_ROW,
        role="img",
    )


def _pattern(status: str) -> Markup:
    """Return the pattern of a status: lines in the colour of the page on a colour of its own."""
    lines = {
        FAILED: "M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4",
        TIMEOUT: "M0,4 h8 M4,0 v8",
        PARTIAL: "M2,2 h2 v2 h-2 z M6,6 h2 v2 h-2 z",
        CANCELLED: "M0,4 h8",
        RUNNING: "M4,0 v8",
        OTHER: "M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4",
        STALE: "M4,2 a2,2 0 1,0 .1,0",
    }
    return element(
        "pattern",
        element("rect", width=8, height=8, class_=f"paint-{status}"),
        element("path", d=lines[status], class_="lines") if status in lines else None,
        id=f"pattern-{status}",
        width=8,
        height=8,
        patternUnits="userSpaceOnUse",
    )


def _bar(key: str, statuses: dict[str, int], left: float, width: float, top: int) -> Markup:
    y = float(_ABOVE + _PLOT)
    gap = width / 9
    shapes = []
    for status, number in _stack(statuses):
        height = max(_LEAST, _PLOT * number / top)
        y -= height
        shape = element(
            "rect",
            x=percent(left + gap),
            width=percent(width - 2 * gap),
            y=f"{y:.1f}",
            height=f"{height:.1f}",
            class_=f"fill-{status}",
        )
        shapes.append(shape)
    parts = [f"{count(number)} {status}" for status, number in _stack(statuses)]
    words = f"{key_in_words(key)}: {', '.join(parts) or 'no runs'}"
    # The pointer reacts to the full height, whatever the height of the bar.
    area = element(
        "rect", x=percent(left), width=percent(width), y=_ABOVE, height=_PLOT, class_="area"
    )
    return element("g", element("title", words), area, *shapes, data_part=key)


def _stack(statuses: dict[str, int]) -> list[tuple[str, int]]:
    return [(status, statuses[status]) for status in STACKED if statuses.get(status)]


def _grid(step: int, top: int) -> list[Markup]:
    lines = []
    for value in range(0, top + 1, step):
        y = _ABOVE + _PLOT * (1 - value / top)
        lines.append(
            element(
                "line",
                x1=0,
                x2="100%",
                y1=f"{y:.1f}",
                y2=f"{y:.1f}",
                class_="grid" if value else "axis",
            )
        )
        lines.append(element("text", count(value), x=-8, y=f"{y + 4:.1f}", class_="value"))
    return lines


def _labels(keys: list[str], width: float) -> list[Markup]:
    """Return the names of the parts that have room; on a narrow page these are fewer."""
    wide = max(1, math.ceil(len(keys) / _LABELS_WIDE))
    narrow = wide * max(1, math.ceil(len(keys) / _LABELS_NARROW / wide))
    labels = []
    for number in range(0, len(keys), wide):
        words = key_in_words(keys[number], short=True)
        place = percent((number + 0.5) * width)
        style = "label" if number % narrow == 0 else "label minor"
        labels.append(element("text", words, x=place, y=_HEIGHT - 12, class_=style))
    return labels


def _step(highest: int) -> int:
    """Return the distance between lines: 1, 2 or 5 times a power of ten."""
    rough = max(1, highest) / _TICKS
    power = 10 ** max(0, math.floor(math.log10(rough)))
    return next(int(power * factor) for factor in (1, 2, 5, 10) if power * factor >= rough)


def _known(status: str) -> str:
    return status if status in STACKED else OTHER
