"""What was written once has to be read for ever."""

from __future__ import annotations

from pathlib import Path

from telemetry_core.event import Event
from telemetry_core.line import decode, encode

_GOLDEN = Path(__file__).parent / "golden" / "events.ndjson"
_RUN = "20261122T123456Z-crawler-c0ffe5a1b2c3d4e5f6a7b8c9"


def _event(number: int, kind: str, data: object, **extensions: object) -> Event:
    return Event(
        f"019ab3c5-7f00-7{number:03x}-8000-2f6b1d5c9a40",
        "web1/4242",
        kind,
        _RUN,
        f"2026-11-22T12:34:56.78901{number}Z",
        data,
        extensions or None,
    )


EVENTS = [
    _event(
        0,
        "run.started",
        {"agent_name": "crawler", "job_type": "crawl", "trigger_type": "cli", "host": "web1"},
        processstart="b00t:123456",
    ),
    _event(
        1,
        "run.event",
        {"event_type": "page", "payload": {"url": "https://example.com/ä", "ms": 12, "ok": True}},
    ),
    _event(2, "run.event", {"event_type": "note", "payload": None}),
    _event(3, "run.updated", {"items_discovered": 10, "metrics_json": {"depth": [1, 2.5]}}),
    _event(4, "run.ended", {"status": "success", "duration_ms": 4}),
]


def test_events_are_written_as_they_always_were() -> None:
    """The same event makes the same bytes in every version."""
    assert b"".join(encode(event) for event in EVENTS) == _GOLDEN.read_bytes()


def test_what_was_written_is_read() -> None:
    """The bytes of every version make the same events."""
    assert [decode(line) for line in _GOLDEN.read_bytes().splitlines()] == EVENTS
