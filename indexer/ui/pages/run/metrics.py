"""The metrics and the usage of a run.

Called by the page of a run.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from typing import Any, Optional, Union

from indexer.ui.charts.curves import curve
from indexer.ui.queries.run.metrics import series_of
from indexer.ui.queries.run.steps import runs_inside
from indexer.ui.queries.usage import Usage, models_of
from indexer.ui.site import Asked, Reply, Site


def metrics(
    connection: sqlite3.Connection, _site: Site, run_id: str, asked: Asked
) -> Union[dict[str, Any], Reply]:
    """Return what the tab of metrics shows: a curve for each series, in the window asked for."""
    begin, end = _number(asked.get("from")), _number(asked.get("to"))
    series = series_of(connection, run_id)
    curves = [curve(one, begin, end) for one in series]
    return {
        "curves": [one for one in curves if one is not None],
        "is_zoomed": begin is not None or end is not None,
        "data": {one.name: [list(point) for point in one.points] for one in series},
    }


def usage(
    connection: sqlite3.Connection, _site: Site, run_id: str, _asked: Asked
) -> Union[dict[str, Any], Reply]:
    """Return what the tab of usage shows: tokens and cost by model, of all runs inside too."""
    run_ids = [run.run_id for run in runs_inside(connection, run_id)]
    models = sorted(models_of(connection, run_ids).items(), key=lambda row: -row[1].cost)
    total = Usage()
    for _, one in models:
        total.add(one)
    return {
        "models": models,
        "total": total,
        "runs": len(run_ids),
        "data": {name: {**asdict(one), "cost": one.cost_usd} for name, one in models},
    }


def _number(text: str) -> Optional[float]:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e300 else None
