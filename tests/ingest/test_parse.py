"""The same rows as by the longer one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, reject
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
    "a\\b",
    'a"b',
    "a\tb",
    "\x00",
    "\x7f\u00fc\u2028",
    {"event_type": "a\\b", "payload": 1},
    {"event_type": 'a"b', "payload": 1},
    {"event_type": "\x00", "payload": 1},
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


@pytest.mark.parametrize("name", [*_USUAL, "extension", "traceparent", "processstart"])
@pytest.mark.parametrize("value", _ODD, ids=repr)
def test_whatever_a_name_holds_a_line_comes_to_the_same_row(name: str, value: Any) -> None:
    """An event that is not quite usual goes the longer way, and a bad one gets its reason."""
    for kind in ("run.event", "run.started"):
        # The data comes last, as in our writer's lines.
        usual = {**_USUAL, "type": kind, name: value}
        block, single = _both_ways(orjson.dumps({**usual, "data": usual.pop("data")}))
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
        *(orjson.dumps(_USUAL).replace(b"id-1", b"i%cd" % byte) for byte in (0, 1, 9, 31, 255)),
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


@pytest.mark.parametrize("levels", [44, 46, 90, 99, 101, 127, 129, *range(248, 259)])
@pytest.mark.parametrize(("begin", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("kind", [b"run.event", b"run.started"])
def test_any_depth_comes_to_the_same(levels: int, begin: bytes, end: bytes, kind: bytes) -> None:
    """Also what nests deeper than our writer lets it, or orjson writes."""
    content = orjson.dumps(_USUAL).replace(b"run.event", kind)
    block, single = _both_ways(
        content.replace(b'"n":1', b'"n":' + begin * levels + b"1" + end * levels)
    )
    assert block == single


@given(st.dictionaries(st.sampled_from(["event_type", "payload", "more"]), _JSON))
def test_any_payload_comes_to_the_same(data: dict[str, Any]) -> None:
    """Whatever JSON can hold."""
    try:
        content = orjson.dumps({**_USUAL, "data": data})
    except (orjson.JSONEncodeError, TypeError):
        return
    block, single = _both_ways(content)
    assert block == single


_TEXTS = st.text(min_size=0, max_size=12) | st.sampled_from(
    [
        "run.event",
        "run.started",
        "span.ended",
        "id-1",
        "gr\u00fc\u00dfe",
        "\u2028",
        "a\\b",
        'a"b',
        "\x7f",
    ]
)
_TIMES = st.sampled_from(
    [
        "2026-01-01T00:00:00.000000Z",
        "2024-02-29T23:59:59.999999Z",
        "2026-02-29T00:00:00.000000Z",
        "2026-04-31T00:00:00.000000Z",
        "2026-12-31T23:59:60.000000Z",
        "0000-01-01T00:00:00.000000Z",
        "9999-12-31T23:59:59.999999Z",
        "2026-01-01T00:00:00.000000+",
        "2026-01-01 00:00:00.000000Z",
    ]
)
_EXTENSIONS = st.lists(
    st.tuples(
        st.sampled_from(["traceparent", "processstart", "other"]), _TEXTS | st.integers(0, 9)
    ),
    max_size=3,
)
_DATA = (
    st.dictionaries(_TEXTS, _JSON, max_size=4)
    | st.fixed_dictionaries({"event_type": _TEXTS, "payload": _JSON})
    | _JSON
)


@st.composite
def _lines(draw: st.DrawFn) -> bytes:
    """A line as our writer spells them, or nearly."""
    event = {
        "specversion": "1.0",
        "id": draw(_TEXTS),
        "source": draw(_TEXTS),
        "type": draw(st.sampled_from(["run.event", "run.started", "run.ended", "x"]) | _TEXTS),
        "subject": draw(_TEXTS),
        "time": draw(_TIMES | _TEXTS),
        **dict(draw(_EXTENSIONS)),
        "data": draw(_DATA),
    }
    try:
        return orjson.dumps(event)
    except TypeError:
        # A number of more than 64 bits, or half of a surrogate pair.
        return reject()


def _spoiled(content: bytes, changes: list[tuple[int, int, int]]) -> bytes:
    """Bytes with some of them replaced, cut out or put in."""
    spoiled = bytearray(content)
    for place, byte, kind in changes:
        at = place % (len(spoiled) + 1)
        spoiled[at : at + (kind != 2)] = bytes([byte]) if kind else b""
    return bytes(spoiled).replace(b"\n", b" ")


_CHANGES = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 255), st.integers(0, 2)), max_size=3
)


@given(_lines(), _CHANGES)
def test_any_line_of_ours_and_any_damage_to_it_come_to_the_same(
    content: bytes, changes: list[tuple[int, int, int]]
) -> None:
    """Kinds, extensions, times, texts and data; one byte or several replaced, gone or added."""
    block, single = _both_ways(_spoiled(content, changes))
    assert block == single


@given(st.lists(_lines() | st.sampled_from([b"", b"{", b"\xff"]), max_size=6))
def test_the_lines_of_a_block_keep_their_order_and_places(contents: list[bytes]) -> None:
    """However usual and odd ones alternate."""
    block = Block(11, contents, 11 + sum(len(one) + 1 for one in contents))
    rows, faults = decode_block(block, 5, Ordinals(tuple))
    offset, expected, reasons = 11, [], []
    for content in contents:
        length = len(content) + 1
        (entry,) = decode_lines([Line(offset, length, content)], Ordinals(tuple))
        expected += [row_of_event(entry.event, 5, offset, length)] if entry.event else []
        reasons += [(offset, entry.fault)] if entry.fault is not None else []
        offset += length
    assert rows == expected
    assert [(fault.offset, fault.reason) for fault in faults] == reasons


def test_what_our_writer_ever_wrote_comes_to_the_same() -> None:
    """The lines of every kind that later versions have to read."""
    golden = Path(__file__).parents[1] / "core" / "golden" / "events.ndjson"
    contents = golden.read_bytes().splitlines()
    assert len(contents) >= 5
    for content in contents:
        block, single = _both_ways(content)
        assert block == single
