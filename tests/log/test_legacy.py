"""Read as they are."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from indexer.log.decode import TOO_LONG, Entry, Ordinals, decode_lines
from indexer.log.lines import Line
from telemetry_core.event import Event

_START = {
    "run_id": "20251210T120000Z-crawler-a1b2c3d4",
    "agent_name": "crawler",
    "job_type": "crawl",
    "trigger_type": "cli",
    "start_time": "2025-12-10T12:00:00.000000+00:00",
    "schema_version": 3,
    "agent_owner": None,
    "end_time": None,
    "status": "running",
    "items_discovered": 0,
    "items_succeeded": 0,
    "items_failed": 0,
    "duration_ms": None,
    "metrics_json": None,
    "api_posted": 0,
    "api_retry_count": 0,
    "created_at": None,
    "record_type": "run",
}
_END = {
    **_START,
    "status": "success",
    "end_time": "2025-12-10T12:00:05.500000+00:00",
    "items_discovered": 10,
    "duration_ms": 5500,
    "metrics_json": '{"a": 1}',
}


def _entries(*contents: bytes, before: tuple[bytes, ...] = ()) -> list[Entry]:
    lines = [Line(0, len(content) + 1, content) for content in contents]
    earlier = [Line(0, len(content) + 1, content) for content in before]
    return list(decode_lines(lines, Ordinals(lambda: earlier)))


def _event(record: dict[str, Any]) -> Event:
    (entry,) = _entries(orjson.dumps(record))
    assert entry.event is not None, entry.fault
    return entry.event


def test_a_running_snapshot_is_a_start() -> None:
    """Its time is the start; the database's bookkeeping is no fact about the run."""
    event = _event(_START)
    assert (event.type, event.time) == ("run.started", "2025-12-10T12:00:00.000000Z")
    assert event.data["agent_name"] == "crawler"
    assert not {"record_type", "schema_version", "api_posted", "agent_owner"} & event.data.keys()


def test_a_final_snapshot_is_an_end() -> None:
    """Its time is the end, and it carries the numbers."""
    event = _event(_END)
    assert (event.type, event.time) == ("run.ended", "2025-12-10T12:00:05.500000Z")
    assert (event.data["duration_ms"], event.data["items_discovered"]) == (5500, 10)


def test_a_record_of_an_event_is_an_event() -> None:
    """The payload stood as JSON text, and is the object again."""
    event = _event(
        {
            "record_type": "event",
            "run_id": "r",
            "event_type": "checkpoint",
            "id": None,
            "timestamp": "2025-12-10T12:00:01+00:00",
            "payload_json": '{"step": 1}',
        }
    )
    assert (event.type, event.run_id) == ("run.event", "r")
    assert event.data == {"event_type": "checkpoint", "payload": {"step": 1}}


def test_identical_lines_are_told_apart_by_their_ordinal() -> None:
    """Lines have no id: content and place among identical lines of the file make one."""
    line = orjson.dumps(_START)
    ids = [e.event.id for e in _entries(line, line, orjson.dumps(_END)) if e.event]
    assert len(set(ids)) == 3
    again = [e.event.id for e in _entries(line, before=(line, b"{}")) if e.event]
    assert again == ids[1:2]


def test_a_shared_id_on_a_line_means_nothing() -> None:
    """A run's two lines may bear one id, and are two events all the same."""
    assert _event({**_START, "id": 7}).id != _event({**_END, "id": 7}).id


@pytest.mark.parametrize("spelled", ["NaN", "Infinity", '"\\ud800"'])
def test_what_the_old_encoder_could_write_is_read(spelled: str) -> None:
    """It wrote NaN, Infinity and lone surrogates, which strict JSON has not."""
    line = orjson.dumps(_START)[:-1] + b',"metrics_json":{"x":' + spelled.encode() + b"}}"
    (entry,) = _entries(line)
    assert entry.event is not None
    assert entry.event.data["agent_name"] == "crawler"


@pytest.mark.parametrize(
    "record",
    [
        {"record_type": "run"},
        {"record_type": "run", "run_id": "x"},
        {"record_type": "run", "run_id": 3, "start_time": "2025-12-10T12:00:00"},
        {"record_type": "event", "run_id": "x", "timestamp": "yesterday"},
        {"record_type": "other", "run_id": "x"},
    ],
)
def test_a_record_without_run_or_time_is_a_fault(record: dict[str, Any]) -> None:
    """It is quarantined with a reason, never guessed at."""
    (entry,) = _entries(orjson.dumps(record))
    assert entry.event is None
    assert entry.fault is not None
    assert entry.fault.startswith("not a record")


def test_a_line_that_is_too_long_is_no_event_whatever_its_beginning_says() -> None:
    """What is kept of it may read like one."""
    line = Line(0, 20_000_000, orjson.dumps(_START), too_long=True)
    ((_, event, fault),) = decode_lines([line], Ordinals(tuple))
    assert (event, fault) == (None, "longer than 16777216 bytes")


def test_an_event_that_also_has_the_earlier_name_is_an_event() -> None:
    """What says which CloudEvents it is made by is no line of the earlier product."""
    event = _event(
        {
            "specversion": "1.0",
            "id": "one",
            "source": "host/1",
            "type": "run.event",
            "subject": "r",
            "time": "2025-12-10T12:00:01.000000Z",
            "record_type": "run",
            "data": {"event_type": "step", "payload": None},
        }
    )
    assert (event.id, event.type, event.run_id) == ("one", "run.event", "r")


def test_the_name_alone_somewhere_inside_makes_no_record() -> None:
    """Nor does it count among those of which lines before are counted."""
    (entry,) = _entries(b'{"run_id":"r","data":{"record_type":"run"}}')
    assert entry.fault is not None
    assert entry.fault.startswith("not an event")
    (escaped,) = _entries(orjson.dumps(_START).replace(b"record_type", b"record\\u005ftype"))
    assert escaped.fault is not None
    assert escaped.fault.startswith("not an event")


def test_a_line_that_is_too_long_stops_none_that_follows() -> None:
    """Each line has its entry, in order."""
    lines = [Line(0, 9, b"x", too_long=True), Line(9, 1, orjson.dumps(_START))]
    long, good = decode_lines(lines, Ordinals(list))
    assert (long.event, long.fault) == (None, TOO_LONG)
    assert good.event is not None
