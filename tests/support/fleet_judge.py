"""The judge of the fleet: the centre's rows are those that one host makes of all hosts' logs."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from indexer.database.freshness import index_once
from indexer.fleet.shipping.rows import row_json
from indexer.store.schema.columns import RUN_COLUMNS, SPAN_COLUMNS
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.clickhouse import Centre

_EVENTS = "run_id, event_id, event_type, timestamp, type, source, payload_json, extra_json"
_SPANS = ", ".join((*SPAN_COLUMNS, "is_owner", "counted"))
_METRICS = "run_id, name, time, event_id, step, value"


def union_of(bases: Iterable[Base], directory: Path) -> Base:
    """Return a base whose log is the logs of all hosts, indexed."""
    shutil.rmtree(directory, ignore_errors=True)
    base = Base(TelemetryConfig.for_base(directory))
    base.log_directory.mkdir(parents=True)
    for number, one in enumerate(bases):
        for file in one.log_directory.glob("events_*"):
            stem, _, rest = file.name.partition(".")
            # Before what archiving adds, so that it stays a segment's name.
            shutil.copy(file, base.log_directory / f"{stem}.host{number}-1.{rest}")
    index_once(base)
    return base


def differences(centre: Centre, bases: Iterable[Base], directory: Path) -> list[str]:
    """Return where the centre's rows differ from the union's; empty if nowhere."""
    expected = union_of(bases, directory)
    found: list[str] = []
    with closing(sqlite3.connect(expected.database_path)) as union:
        found += _compare("run", _union_runs(union), _centre_runs(centre))
        for name, columns in (
            ("run_events", _EVENTS),
            ("run_spans", _SPANS),
            ("run_metrics", _METRICS),
        ):
            wanted = union.execute(f"SELECT {columns} FROM {name}")
            have = centre.client.select(f"SELECT {columns} FROM {name}")[1]
            found += _compare(name, _keyed(wanted), _keyed(have))
    return found


def _keyed(rows: Iterable[Iterable[Any]]) -> dict[Any, Any]:
    keyed: dict[Any, Any] = {}
    for values in rows:
        row = tuple(map(_as_number, values))
        key = row if len(row) == 6 else row[:2]
        assert key not in keyed, f"two rows for {key}"
        keyed[key] = row
    return keyed


def _as_number(value: Any) -> Any:
    """Numbers are equal as numbers, whatever they are written as: the server leaves out `.0`."""
    return float(value) if isinstance(value, int) else value


def _union_runs(union: sqlite3.Connection) -> dict[Any, Any]:
    names = ", ".join(RUN_COLUMNS)
    rows = union.execute(f"SELECT {names} FROM agent_runs").fetchall()
    return {row[0]: row_json(dict(zip(RUN_COLUMNS, row))) for row in rows}


def _centre_runs(centre: Centre) -> dict[Any, Any]:
    return dict(map(tuple, centre.client.select("SELECT run_id, row FROM run_rows FINAL")[1]))


def _compare(what: str, wanted: dict[Any, Any], have: dict[Any, Any]) -> list[str]:
    return [
        f"{what} {key}: expected {wanted.get(key)!r:.1500}, found {have.get(key)!r:.1500}"
        for key in {**wanted, **have}
        if wanted.get(key) != have.get(key)
    ]
