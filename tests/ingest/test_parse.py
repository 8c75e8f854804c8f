"""The same rows as by the longer one."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.ingest.parse import decode_block
from indexer.log.decode import Ordinals, decode_lines
from indexer.log.lines import Block, Line
from indexer.store.events.codec import row_of_event

_USUAL: dict[str, Any] = {
    "specversion": "1.0",
    "id": "id-1",
    "source": "host/1",
    "type": "run.event",
    "subject": "run",
    "time": "2026-01-01T00:00:00.000000Z",
    "data": {"event_type": "step", "payload": {"n": 1}},
}
_ODD: tuple[Any, ...] = (
    None,
    "",
    0,
    1,
    True,
    1.5,
    [],
    {},
    "x",
    "1.1",
    "2.0",
    "run.started",
    "run.event",
    "2026-01-01T00:00:00Z",
    "2026-02-30T00:00:00.000000Z",
    "2026-01-01T24:00:00.000000Z",
    {"event_type": "step"},
    {"payload": 1},
    {"event_type": None, "payload": 1},
    {"event_type": ["odd"], "payload": 1},
    {"event_type": "", "payload": 1},
    {"event_type": "step", "payload": None},
    {"event_type": "step", "payload": 1, "more": 2},
)


def _both_ways(content: bytes) -> tuple[list[Any], list[Any]]:
    """A line's rows and faults, by the block and one by one."""
    block = Block(7, [content], 7 + len(content) + 1)
    rows, faults = decode_block(block, 5, Ordinals(tuple))
    (entry,) = decode_lines([Line(7, len(content) + 1, content)], Ordinals(tuple))
    expected = [row_of_event(entry.event, 5, 7, len(content) + 1)] if entry.event else []
    reasons = [entry.fault] if entry.fault is not None else []
    return [rows, [fault.reason for fault in faults]], [expected, reasons]


@pytest.mark.parametrize("name", [*_USUAL, "extension"])
@pytest.mark.parametrize("value", _ODD, ids=repr)
def test_whatever_a_name_holds_a_line_comes_to_the_same_row(name: str, value: Any) -> None:
    """An event that is not quite usual goes the longer way, and a bad one gets its reason."""
    block, single = _both_ways(orjson.dumps({**_USUAL, name: value}))
    assert block == single


@pytest.mark.parametrize("name", _USUAL)
def test_a_line_without_a_name_comes_to_the_same(name: str) -> None:
    """A name may be missing altogether."""
    block, single = _both_ways(orjson.dumps({key: _USUAL[key] for key in _USUAL if key != name}))
    assert block == single


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"\xef\xbb\xbf",
        b"null",
        b"[1]",
        b"7",
        b'"text"',
        b"{",
        b"\xff",
        orjson.dumps(_USUAL) + b"\r",
        b"\xef\xbb\xbf" + orjson.dumps(_USUAL),
        orjson.dumps(_USUAL).replace(b'{"n":1}', b"[" * 300 + b"]" * 300),
        orjson.dumps(_USUAL).replace(b'{"n":1}', b' { "n" : 1e2 } '),
        orjson.dumps(_USUAL).replace(b'"n":1', b'"n":' + b"9" * 40),
    ],
)
def test_strange_bytes_come_to_the_same(content: bytes) -> None:
    """Blank lines, other JSON, a payload too deep to be written again."""
    block, single = _both_ways(content)
    assert block == single


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["event_type", "payload", "more"]), _JSON))
def test_any_payload_comes_to_the_same(data: dict[str, Any]) -> None:
    """Whatever JSON can hold."""
    try:
        content = orjson.dumps({**_USUAL, "data": data})
    except (orjson.JSONEncodeError, TypeError):
        return
    block, single = _both_ways(content)
    assert block == single
