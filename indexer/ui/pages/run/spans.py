"""Show the spans of a run as a waterfall, and the details of one line.

Called by the page of a run. The first lines are in the page; a browser with scripts gets all of
them as compact JSON.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timezone
from typing import Any, Optional, Union

import orjson

from indexer.ui.charts.waterfall import FIRST, Line, Waterfall, waterfall
from indexer.ui.queries.run.span import SpanDetail, detail_of
from indexer.ui.queries.run.steps import Family, family_of
from indexer.ui.site import Asked, Reply, Site, checked, html
from telemetry_core.timestamp import parse_time

_LETTERS = {"llm": "M", "embedding": "M", "tool": "T", "retrieval": "R", "agent": "A"}


def spans(
    connection: sqlite3.Connection, site: Site, run_id: str, asked: Asked
) -> Union[dict[str, Any], Reply]:
    """Return what the tab shows."""
    family = family_of(connection, run_id)
    assert family is not None, "the page has just found the run"
    part = asked.get("part")
    if part == "detail":
        return html(site, asked, "run/detail.html", detail=_chosen(connection, run_id, asked))
    chart = waterfall(family.steps, _now(family))
    if part == "lines":
        return _compact(family, chart)
    start = asked.number("from", 1, 1_000_000) - 1
    visible = chart.visible()
    shown = visible[start : start + FIRST]
    return {
        "chart": chart,
        "shown": [(number, chart.lines[number]) for number in shown],
        "start": start,
        "visible": len(visible),
        "page_lines": FIRST,
        "family": family,
        "letters": _LETTERS,
        "axis": axis(chart.end),
        "detail": _chosen(connection, run_id, asked),
        "stuck": stuck(chart),
        "data": [_as_json(line) for line in chart.lines] if asked.form == "json" else [],
    }


def stuck(chart: Waterfall) -> Optional[tuple[Line, int]]:
    """Return the innermost line that is open or failed, below the run itself, and its depth."""
    line = chart.lines[chart.focus] if chart.focus > 0 else None
    if line is None or not (line.step.span_id or line.depth):
        return None
    return (line, line.depth) if line.step.has_failed or line.step.state != "ok" else None


def axis(end: float) -> list[tuple[float, float]]:
    """Return round moments on an axis of so many milliseconds, each with its place in percent."""
    steps = (
        1,
        2,
        5,
        10,
        20,
        50,
        100,
        200,
        500,
        1_000,
        2_000,
        5_000,
        10_000,
        15_000,
        30_000,
        60_000,
        120_000,
        300_000,
        600_000,
        900_000,
        1_800_000,
        3_600_000,
        7_200_000,
        21_600_000,
        43_200_000,
        86_400_000,
    )
    step = float(next((one for one in steps if end / one <= 6), steps[-1]))
    while end / step > 6:
        step *= 2
    return [(step * number, 100 * step * number / end) for number in range(int(end / step) + 1)]


def _now(family: Family) -> float:
    elapsed = datetime.now(timezone.utc) - parse_time(family.origin)
    return elapsed.total_seconds() * 1000


def _chosen(connection: sqlite3.Connection, run_id: str, asked: Asked) -> Optional[SpanDetail]:
    """Return the detail of the span that the address names, as `RUN_ID SPAN_ID` or `SPAN_ID`."""
    owner, _, span_id = asked.get("span").rpartition(" ")
    return detail_of(connection, owner or run_id, span_id) if span_id or owner else None


def _compact(family: Family, chart: Waterfall) -> Reply:
    """Return all lines as short arrays: the script draws them as the template would."""
    runs = {row.run.run_id: number for number, row in enumerate(family.rows)}
    # Many spans share few names: each is sent once.
    names: dict[str, int] = {}
    lines = [
        [
            line.parent,
            line.depth,
            line.inside,
            int(line.is_folded),
            line.count,
            line.step.kind,
            names.setdefault(line.step.name, len(names)),
            round(line.step.start, 1),
            None if line.step.end is None else round(line.step.end, 1),
            line.step.state,
            line.note,
            runs.get(line.step.run_id, 0),
            line.step.span_id,
        ]
        for line in chart.lines
    ]
    value = {
        "origin": family.origin,
        "end": chart.end,
        "focus": chart.focus,
        "runs": [row.run.run_id for row in family.rows],
        "names": list(names),
        "lines": lines,
    }
    return checked(Reply(orjson.dumps(value), "application/json"))


def _as_json(line: Line) -> dict[str, Any]:
    step = line.step
    return {
        "run_id": step.run_id,
        "span_id": step.span_id or None,
        "kind": step.kind,
        "name": step.name,
        "depth": line.depth,
        "start_ms": step.start,
        "end_ms": step.end,
        "state": step.state,
        "note": line.note,
        "count": line.count,
    }
