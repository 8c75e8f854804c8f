"""Compare one run with another.

Called by the page of a run. Without another run named, the ones before it of the same agent and
job are offered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Union

from indexer.ui.queries.filters import Condition
from indexer.ui.queries.run.fields import fields_of, full_id, worth_showing
from indexer.ui.queries.run.steps import Step, family_of
from indexer.ui.queries.runs import RUN_COLUMNS, Row, Run, runs_by_id, with_details
from indexer.ui.queries.scan import Scan, run_scan
from indexer.ui.site import Asked, Reply, Site

_OFFERED = 10
_MOST_NAMES = 100


class Difference(NamedTuple):
    """A field of two runs."""

    name: str
    one: Any
    other: Any

    @property
    def is_equal(self) -> bool:
        """Whether both have the same."""
        return bool(self.one == self.other)


class Work(NamedTuple):
    """All steps of one name in two runs: how many, and how long in all."""

    kind: str
    name: str
    counts: tuple[int, int]
    totals: tuple[float, float]


def compare(
    connection: sqlite3.Connection, _site: Site, run_id: str, asked: Asked
) -> Union[dict[str, Any], Reply]:
    """Return what the tab shows."""
    other_id = full_id(connection, asked.get("with")) if asked.get("with") else None
    one = fields_of(connection, run_id) or {}
    other = fields_of(connection, other_id) if other_id else None
    if other_id is None or other is None:
        offered = _before(connection, runs_by_id(connection, [run_id])[0])
        return {"other": None, "offered": offered, "wanted": asked.get("with"), "data": None}
    differences = differences_of(one, other)
    work = _work(connection, run_id, other_id)
    rows = with_details(connection, runs_by_id(connection, [other_id]))
    return {
        "other": rows[0],
        "differences": differences,
        "work": work,
        "offered": [],
        "wanted": "",
        "data": {
            "with": other_id,
            "fields": [item._asdict() for item in differences],
            "work": [item._asdict() for item in work],
        },
    }


def differences_of(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Difference]:
    """Return the fields of two runs, those that differ first."""
    left, right = dict(worth_showing(one)), dict(worth_showing(other))
    names = [*left, *(name for name in right if name not in left)]
    all_fields = [Difference(name, left.get(name), right.get(name)) for name in names]
    return sorted(all_fields, key=lambda field: field.is_equal)


def work_of(one: Sequence[Step], other: Sequence[Step]) -> list[Work]:
    """Return the steps of two runs by kind and name, where most time is lost or won first."""
    sums: dict[tuple[str, str], list[float]] = {}
    for side, steps in enumerate((one, other)):
        for step in steps[1:]:
            entry = sums.setdefault((step.kind, step.name), [0, 0, 0.0, 0.0])
            entry[side] += 1
            entry[2 + side] += (step.end or step.start) - step.start
    work = [
        Work(kind, name, (int(a), int(b)), (x, y)) for (kind, name), (a, b, x, y) in sums.items()
    ]
    return sorted(work, key=lambda item: -abs(item.totals[1] - item.totals[0]))[:_MOST_NAMES]


def _work(connection: sqlite3.Connection, one: str, other: str) -> list[Work]:
    families = [family_of(connection, run_id) for run_id in (one, other)]
    left, right = (family.steps if family else [] for family in families)
    return work_of(left, right)


def _before(connection: sqlite3.Connection, run: Run) -> list[Row]:
    """Return the runs of the same agent and job before a run, the newest first."""
    condition = Condition(
        parts=("runs.agent_name IS ?", "runs.job_type IS ?"),
        values=(run.agent_name, run.job_type),
    )
    found = run_scan(connection, Scan(condition, run.place), RUN_COLUMNS, _OFFERED, 0.1)
    return with_details(connection, [Run(*row) for row in found.rows])
