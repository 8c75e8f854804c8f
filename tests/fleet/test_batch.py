"""A batch has of each line and event what one at a time would say. No server is needed."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.fleet.shipping.batch import Batch
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.events import contents_of
from indexer.fleet.shipping.segment_id import SegmentId
from indexer.ingest.parse import decode_block
from indexer.log.decode import Ordinals
from indexer.log.lines import Block
from indexer.log.segments import file_id, fingerprint
from indexer.store.events.codec import StoredEvent
from telemetry_core.line import encode
from tests.support.database import event, legacy_line

_SEGMENT = SegmentId(2**64 - 1, "events_20261122.ndjson")
_TYPES = ["run.started", "run.event", "run.metrics", "session.codex", "otel.span", "log.redacted"]
_DATA = st.dictionaries(
    st.sampled_from(["event_type", "payload", "prompt", "metrics", "span_id"]),
    st.none() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    max_size=3,
)
_EVENTS = st.builds(
    lambda number, kind, data: encode(event(number, kind)._replace(data=data))[:-1],
    st.integers(1, 50),
    st.sampled_from(_TYPES),
    _DATA,
)
_OLD = legacy_line(record_type="run", run_id="old", status="running", start_time="2026-11-22")
_LINES = st.lists(
    _EVENTS | st.sampled_from([b"", b"no json \xff", _OLD[:-1]]), min_size=1, max_size=8
)


def _block(contents: list[bytes], offset: int) -> Block:
    return Block(offset, contents, offset + sum(len(content) + 1 for content in contents))


@pytest.mark.parametrize("ships_content", [True, False])
@given(first=_LINES, second=_LINES)
def test_columns_are_the_rows_of_single_lines(
    ships_content: bool, first: list[bytes], second: list[bytes]
) -> None:
    """Wherever they are cut into blocks."""
    withholding = Withholding(ships_content=ships_content)
    batch = Batch(lambda: "node", withholding)
    blocks = [_block(first, 10)]
    blocks.append(_block(second, blocks[0].end))
    for block in blocks:
        batch.add(_SEGMENT, block, Ordinals(lambda: ()))
    lines, events = [], []
    for block in blocks:
        for line in block.lines():
            shipped = line.content if ships_content else b""
            place = (line.offset, line.length, crc32(line.content), shipped)
            lines.append(("node", _SEGMENT.number, _SEGMENT.name, _SEGMENT.day, *place))
        rows, _ = decode_block(block, file_id(_SEGMENT.name), Ordinals(lambda: ()))
        events += [_event_row(StoredEvent(*row), withholding) for row in rows]
    assert list(zip(*batch.lines)) == lines
    assert list(zip(*batch.events)) == events
    assert batch.line_count == len(first) + len(second)
    assert set(batch.touched) == {row[0] for row in events}


def _event_row(one: StoredEvent, withholding: Withholding) -> tuple[object, ...]:
    content = fingerprint("\n".join(one.content).encode())
    mark = fingerprint(one.type.encode()) if one.is_known_by_id else content
    said = (one.event_type, one.timestamp, one.type, one.source, *withholding.event(one))
    place = (one.file_id, one.offset, one.length, "node", _SEGMENT.number, _SEGMENT.day)
    return (one.run_id, one.event_id, content, mark, *said, *place)


def test_a_line_that_is_too_long_is_there_with_its_length_and_its_beginning() -> None:
    """It is no event."""
    batch = Batch(lambda: "node", Withholding(ships_content=True))
    batch.add(_SEGMENT, Block(5, [b"zz"], 105, too_long=True), Ordinals(lambda: ()))
    assert [column[0] for column in batch.lines[4:]] == [5, 100, crc32(b"zz"), b"zz"]
    assert batch.events == [[] for _ in batch.events]


_TEXT = st.text(max_size=6)
_MAYBE = st.none() | _TEXT


@given(st.lists(st.tuples(_TEXT, _TEXT, _TEXT, _TEXT, _MAYBE, _MAYBE)))
def test_the_hash_of_a_content_is_that_of_the_indexers_rule(
    said: list[tuple[str, str, str, str, str | None, str | None]],
) -> None:
    """It decides which of two events keeps an id, here and in the centre."""
    expected = [fingerprint("\n".join(_stored(*one).content).encode("utf-8")) for one in said]
    assert contents_of(said) == expected


def _stored(  # noqa: PLR0917  # the parts of a content, in their order
    time: str, kind: str, source: str, event_type: str, payload: str | None, extra: str | None
) -> StoredEvent:
    return StoredEvent("r", "1", event_type, time, kind, source, payload, extra, 0, 0, 0)
