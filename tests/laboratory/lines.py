"""What the disasters write into a log; sound, of the earlier format, and bad ones."""

from __future__ import annotations

from hypothesis import strategies as st

from telemetry_core.line import encode
from tests.support.database import event, legacy_line

_KINDS = (
    "run.started",
    "run.event",
    "run.updated",
    "run.ended",
    "run.delivered",
    "run.delivery_failed",
    "com.example.unknown",
)
_BAD = (b"garbage", b"{}", b"[1]", b"\xff\xfe\x00", b'{"record_type":"run"}', b"{" * 300)
_SOUND = (b"", b"  ", b"\r")
_DEEP = "[" * 300 + "]" * 300
_DATA = st.dictionaries(
    st.sampled_from(["agent_name", "status", "items_failed", "revision", "odd", "context_json"]),
    st.sampled_from([None, 1, 7, 2**63, "failed", "completed", [1], {"a": 1}, _DEEP]),
    max_size=3,
)
# Few of each, so that they meet: the same id with other content, the same time, the same run.
EVENTS = st.builds(
    lambda number, kind, run, data: event(number, kind, run, **data),
    st.integers(0, 40),
    st.sampled_from(_KINDS),
    st.sampled_from("pqr"),
    _DATA,
)
_LEGACY = st.builds(
    lambda kind, run, second, payload: legacy_line(
        record_type=kind,
        run_id=run,
        event_type="old",
        payload_json=payload,
        timestamp=f"2026-01-01T00:00:{second:02d}Z",
        start_time="2026-01-01T00:00:00Z",
    )[:-1],
    st.sampled_from(["run", "event"]),
    st.sampled_from("pq"),
    st.integers(0, 1),
    st.sampled_from([None, '{"n":1}', '{"n":' + "9" * 40 + "}", '"\\ud800"']),
)
LINES = st.lists(
    st.one_of(
        EVENTS.map(encode).map(bytes.rstrip),
        EVENTS.map(encode).map(bytes.rstrip),
        _LEGACY,
        st.sampled_from(_BAD + _SOUND),
    ),
    min_size=1,
    max_size=8,
)
"""Some lines without their newlines."""
