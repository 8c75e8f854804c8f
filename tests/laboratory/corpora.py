"""Log files of each sort, small enough to be broken at every single byte."""

from __future__ import annotations

import gzip

import orjson

from telemetry_core.line import encode
from tests.support.database import event, legacy_line, lines_of


def own() -> bytes:
    """Return what our writer writes: every type, every kind of value, letters of many bytes."""
    odd = {"é": "ü\u2028\x7f\U0001f4be", "n": [None, True, -1, 2**63, 1.5e-7], "": {}}
    return lines_of(
        [
            event(1, "run.started", agent_name="crawler", job_type="crawl", host="h"),
            event(2, event_type="page", payload=odd),
            event(3, event_type="empty", payload=None),
            event(4, "run.updated", items_discovered=3, metrics_json={"a": 1}, unknown="kept"),
            event(5, "com.example.own", anything=[1, "two"]),
            event(6, "run.started", run_id="other", agent_name="bot"),
            event(7, "run.ended", status="failure", duration_ms=12, error_summary="E: \\ \" '"),
            event(8, "run.delivered", target="api", revision=3, attempt=1, outcome="200"),
        ]
    )


def legacy() -> bytes:
    """Return what the earlier product wrote: snapshots, events, two lines that are the same."""
    run = {"record_type": "run", "run_id": "old", "agent_name": "a", "job_type": "j"}
    start = "2025-12-10T12:00:00+00:00"
    step = {
        "record_type": "event",
        "run_id": "old",
        "event_type": "s",
        "id": None,
        "timestamp": start,
        "payload_json": '{"n": 1}',
    }
    return b"".join(
        [
            legacy_line(**run, start_time=start, status="running", end_time=None),
            legacy_line(**step),
            legacy_line(**step),
            legacy_line(**{**step, "payload_json": "no JSON"}),
            b'{"record_type": "event", "run_id": "old", "event_type": "x", "timestamp": "'
            + start.encode()
            + b'", "payload_json": NaN}\n',
            legacy_line(
                **run,
                start_time=start,
                status="completed",
                metrics_json='{"m": [1]}',
                end_time="2025-12-10T12:00:05+00:00",
                duration_ms=5000,
            ),
        ]
    )


def dirty() -> bytes:
    """Return what nobody should write: a mark, NULs, half lines, two at once, no objects."""
    first, second, third, fourth = (encode(event(n, event_type="e", payload=n)) for n in range(4))
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    return b"".join(
        [
            b"\xef\xbb\xbf",
            first,
            second[:-1],
            b"\r\n",
            b"\n  \n",
            third[:40],
            b"\n",
            third[:-1],
            third,
            bytes(64),
            b"\n",
            b"\xff\xfe[]\n",
            b"[1, 2]\n",
            b'"text"\n',
            b"{}\n",
            deep,
            b"\n",
            orjson.dumps({"specversion": "1.0", "id": 7, "type": None}),
            b"\n",
            fourth,
            first,
        ]
    )


def foreign() -> bytes:
    """Return what is imported and received: a call that two sessions repeat, a copy, a span."""
    source = {"source": "telemetry/import"}
    call = {
        "type": "assistant",
        "timestamp": "2026-08-01T09:00:02Z",
        "requestId": "r",
        "message": {"id": "m", "model": "c", "usage": {"output_tokens": 3}},
    }
    made = [
        event(
            n,
            "session.claude-code",
            run_id=f"claude-code-{session}",
            session_id=session,
            position=f"{n:010d}",
            line={**call, "sessionId": session},
        )._replace(**source)
        for n, session in ((1, "a"), (2, "b"), (3, "a"))
    ]
    copy = made[2]._replace(id=made[0].id)
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "x", "startTimeUnixNano": "1"}
    received = event(4, "otel.span", run_id="trace-" + "a" * 32, resource={}, scope={}, span=span)
    return lines_of([made[0], made[1], copy, received])


def squeezed() -> bytes:
    """Return our writer's lines as two gzip members."""
    lines = own().splitlines(keepends=True)
    return gzip.compress(b"".join(lines[:5]), mtime=0) + gzip.compress(b"".join(lines[5:]), mtime=0)


CORPORA = {"own": own, "legacy": legacy, "dirty": dirty, "foreign": foreign}
ALL = {**{f"{name}.ndjson": make for name, make in CORPORA.items()}, "own.ndjson.gz": squeezed}
"""Every corpus under the name of a file that may hold it."""
