"""The one judge of every disaster, of what must hold once a fault is over.

It splits the log by itself, as plainly as can be, and believes neither cursors nor counts.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Optional

from indexer.database.freshness import index_once
from indexer.database.rebuild import rebuild
from indexer.database.verify import verify
from indexer.ingest.foreign import WholeRun
from indexer.log.decode import Ordinals, decode_lines
from indexer.log.lines import Line
from indexer.log.segments import list_segments
from indexer.log.streams import StreamBroken, StreamUnfinished, open_stream, read_chunk
from indexer.store.connection import remove_database
from indexer.store.schema.columns import SPAN_COLUMNS
from indexer.store.schema.tables import EVENT_COLUMNS
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.event import Event
from tests.support.database import Table, indexed_from_scratch, tables
from tests.support.log import Log
from tests.support.span_oracle import expected_metrics, expected_spans

_ID, _RUN = EVENT_COLUMNS.index("event_id"), EVENT_COLUMNS.index("run_id")


class Violation(AssertionError):
    """A promise is broken."""


def judge(config: TelemetryConfig, acknowledged: Iterable[Optional[str]] = ()) -> int:
    """Bring the view up to date and hold all against all; return how many events there are.

    For a base that no daemon runs on, and whose log has lost nothing that the view once had.
    """
    index_once(Base(config))
    events = events_of(config.ndjson_dir)
    live = tables(config.database_path)
    _judge_acknowledged(acknowledged, events)
    _judge_events(events, live["run_events"])
    _judge_rows(config, events)
    judge_bytes(config)
    _demand_none("found by verify", verify(Base(config)).differences)
    scratch = config.metrics_dir / "judged.sqlite"
    expected = indexed_from_scratch(config, scratch)
    remove_database(scratch)
    _demand_same("indexed from scratch", live, expected)
    rebuild(Base(config))
    _demand_same("rebuilt", tables(config.database_path), expected)
    return len(live["run_events"])


def assert_kept(base: Path, acknowledged: Iterable[Optional[str]]) -> Log:
    """Judge the base in a directory; return its log, for what else is to be asked of it."""
    judge(TelemetryConfig.for_base(base), acknowledged)
    return Log(base / "raw")


def judge_log(directory: Path, acknowledged: Iterable[Optional[str]]) -> None:
    """Demand of a log alone that it has what was acknowledged."""
    _judge_acknowledged(acknowledged, events_of(directory))


def judge_bytes(config: TelemetryConfig) -> None:
    """Indexed, duplicate and quarantined bytes are all that stands before the last newline."""
    with closing(sqlite3.connect(f"file:{config.database_path}?mode=ro", uri=True)) as reader:
        counted = dict(
            reader.execute(
                "SELECT name, indexed_bytes + duplicate_bytes + quarantined_bytes FROM log_files"
            ).fetchall()
        )
    files = list_segments(config.ndjson_dir)
    standing = {file.name: plain(file.path).rfind(b"\n") + 1 for file in files}
    _demand_same("bytes accounted for", counted, standing)


def events_of(directory: Path) -> list[Event]:
    """Every line of a log that is an event; one that stands there twice comes twice."""
    return [
        entry.event
        for file in list_segments(directory)
        for entry in decode_lines(_lines(plain(file.path)), Ordinals(lambda: ()))
        if entry.event is not None
    ]


def plain(path: Path) -> bytes:
    """Return the bytes of a log file as they were written, as far as it can be decoded."""
    data = b""
    with closing(open_stream(path)) as stream, suppress(StreamBroken, StreamUnfinished):
        while chunk := read_chunk(stream, 1 << 20):
            data += chunk
    return data


def _lines(data: bytes) -> Iterator[Line]:
    offset = 0
    for content in data.split(b"\n")[:-1]:
        yield Line(offset, len(content) + 1, content)
        offset += len(content) + 1


def _judge_acknowledged(acknowledged: Iterable[Optional[str]], events: list[Event]) -> None:
    reported = [one for one in acknowledged if one is not None]
    _demand_none("acknowledged twice", _repeated(reported))
    _demand_none("acknowledged but not in the log", set(reported) - {event.id for event in events})


def _judge_events(events: list[Event], stored: Table) -> None:
    """The view has the ids of the log, once each, and but for ids that two claim no other."""
    ids = [f"{row[_RUN]} {row[_ID]}" for row in stored]
    standing = {f"{event.run_id} {event.id}" for event in events}
    _demand_none("in the database twice", _repeated(ids))
    _demand_none("in the log but not in the database", standing - set(ids))
    others = {one for one in set(ids) - standing if one.rpartition("~")[0] not in standing}
    _demand_none("in the database but not in the log", others)


def _judge_rows(config: TelemetryConfig, events: list[Event]) -> None:
    """Each row is what its run's events fold to, value for value and type for type."""
    runs: dict[str, dict[str, Event]] = {}
    disputed = set()
    for event in events:
        if runs.setdefault(event.run_id, {}).setdefault(event.id, event) != event:
            # Two claim one id: which of them has it, `verify` and the rebuild are asked.
            disputed.add(event.run_id)
    folded = {
        run_id: WholeRun(run_id, _in_order(once)).row()
        for run_id, once in runs.items()
        if run_id not in disputed
    }
    with closing(sqlite3.connect(f"file:{config.database_path}?mode=ro", uri=True)) as reader:
        cursor = reader.execute("SELECT * FROM agent_runs")
        names = [column[0] for column in cursor.description]
        found = {row[0]: repr(dict(zip(names, row))) for row in cursor}
    for run_id, row in folded.items():
        _demand_same(f"run {run_id}, folded afresh", found.get(run_id), row and repr(row))
    if not disputed:
        _judge_spans(config, {run_id: _in_order(once) for run_id, once in runs.items()})


def _in_order(events: dict[str, Event]) -> list[Event]:
    return sorted(events.values(), key=lambda event: (event.time, event.id))


def _judge_spans(config: TelemetryConfig, runs: dict[str, list[Event]]) -> None:
    """Spans, whose usage counts, and metrics are what the events of all runs come to."""
    names = ", ".join((*SPAN_COLUMNS, "is_owner", "counted"))
    with closing(sqlite3.connect(f"file:{config.database_path}?mode=ro", uri=True)) as reader:
        spans = {row[:2]: row for row in reader.execute(f"SELECT {names} FROM run_spans")}
        metrics = sorted(reader.execute("SELECT * FROM run_metrics").fetchall(), key=repr)
    _demand_same("spans", spans, expected_spans(runs))
    _demand_same("metrics", metrics, sorted(expected_metrics(runs), key=repr))


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
        return f"{one!r:.800} is not {other!r:.800}"
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    return "; ".join(
        f"{key}: {one.get(key)!r:.800} is not {other.get(key)!r:.800}" for key in keys[:2]
    )
