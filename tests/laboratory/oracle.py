"""The oracle: the one judge of every experiment, of what must hold once a fault is over.

It reads the log by itself, as plainly as can be, and believes neither cursors nor counts.
"""

from __future__ import annotations

import gzip
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from indexer.database import remove_database
from indexer.fold import fold
from indexer.fresh import index_once
from indexer.rebuild import rebuild
from indexer.schema import EVENT_COLUMNS
from indexer.verify import verify
from telemetry_core import TelemetryConfig
from telemetry_core.event import Event
from telemetry_core.line import BadLine, decode
from tests.support.view import indexed_from_scratch, tables


class Violation(AssertionError):
    """A promise is broken."""


def judge(config: TelemetryConfig, acknowledged: Iterable[str] = ()) -> int:
    """Bring the view up to date and hold all against all; return how many events there are."""
    acknowledged = list(acknowledged)
    index_once(config)
    events = _events(config.ndjson_dir)
    ids = {event.id for event in events}
    _demand_none("acknowledged but not in the log", set(acknowledged) - ids)
    _demand_none("acknowledged twice", _repeated(acknowledged))
    live = tables(config.database_path)
    stored = [row[EVENT_COLUMNS.index("event_id")] for row in live["run_events"]]
    _demand_none("in the log but not in the database", ids - set(stored))
    _demand_none("in the database but not in the log", set(stored) - ids)
    _demand_none("in the database twice", _repeated(stored))
    _judge_rows(config, events)
    _judge_bytes(config)
    report = verify(config)
    _demand_none("found by verify", report.differences)
    new = config.metrics_dir / "db" / "judged.sqlite"
    _demand_same("indexed from scratch", live, indexed_from_scratch(config, new))
    remove_database(new)
    rebuild(config)
    _demand_same("rebuilt", live, tables(config.database_path))
    return len(ids)


def judge_log(directory: Path, acknowledged: Iterable[str]) -> None:
    """Demand of a log alone that it has what was acknowledged."""
    ids = {event.id for event in _events(directory)}
    _demand_none("acknowledged but not in the log", set(acknowledged) - ids)


def _events(directory: Path) -> list[Event]:
    """Every event that a log directory has, in no order that matters."""
    events = []
    for path in directory.iterdir():
        if path.name.endswith((".ndjson", ".ndjson.gz")):
            *lines, _ = plain(path).split(b"\n")
            for line in lines:
                try:
                    events.append(decode(line))
                except BadLine:
                    continue
    return events


def plain(path: Path) -> bytes:
    """Return the bytes of a log file as they were written."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def _judge_rows(config: TelemetryConfig, events: list[Event]) -> None:
    """Each row is what its run's events fold to."""
    by_run: dict[str, dict[str, Event]] = {}
    for event in events:
        by_run.setdefault(event.run_id, {})[event.id] = event
    folded = {}
    for run_id, once in by_run.items():
        row = fold(None, sorted(once.values(), key=lambda event: (event.time, event.id)))
        if row is not None:
            folded[run_id] = repr(row)
    with closing(sqlite3.connect(config.database_path)) as connection:
        cursor = connection.execute("SELECT * FROM agent_runs")
        names = [column[0] for column in cursor.description]
        found = {row[0]: repr(dict(zip(names, row))) for row in cursor}
    _demand_same("the log folded afresh", folded, found)


def _judge_bytes(config: TelemetryConfig) -> None:
    """Indexed, duplicate and quarantined bytes are all that stands before the last newline."""
    with closing(sqlite3.connect(config.database_path)) as connection:
        counted = dict(
            connection.execute(
                "SELECT name, indexed_bytes + duplicate_bytes + quarantined_bytes FROM log_files"
            ).fetchall()
        )
    standing = {
        path.name: plain(path).rfind(b"\n") + 1
        for path in config.ndjson_dir.iterdir()
        if path.name.endswith((".ndjson", ".ndjson.gz"))
    }
    _demand_same("bytes accounted for", counted, standing)


def _repeated(ids: Iterable[str]) -> list[str]:
    return [one for one, times in Counter(ids).items() if times > 1]


def _demand_none(what: str, found: Iterable[object]) -> None:
    found = list(found)
    if found:
        raise Violation(f"{len(found)} {what}: {found[:3]}")


def _demand_same(what: str, one: object, other: object) -> None:
    if one != other:
        raise Violation(f"{what} differs: {_difference(one, other)}")


def _difference(one: object, other: object) -> str:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return f"{one!r:.500} is not {other!r:.500}"
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    return "; ".join(
        f"{key}: {one.get(key)!r:.800} is not {other.get(key)!r:.800}" for key in keys[:2]
    )
