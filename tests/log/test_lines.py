"""Bytes to lines, wherever the chunks end."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.log import lines as tail
from indexer.log.lines import Block, Line, read_lines, text_of_line


def _lines(data: bytes, chunk: int = 7, offset: int = 0) -> list[Line]:
    return list(read_lines(io.BytesIO(data[offset:]), offset, chunk_bytes=chunk))


@settings(max_examples=1_000, deadline=None)
@given(
    data=st.lists(
        st.sampled_from([b"\n", b"a", b"\r", b"\x00", b"\xe2\x80\xa8", b"\xc2\x85", b"{}"])
    ).map(b"".join),
    chunk=st.integers(1, 9),
)
def test_lines_are_what_split_gives(data: bytes, chunk: int) -> None:
    """Whatever the chunk size, the lines are those between newlines, and only newlines."""
    assert [line.content for line in _lines(data, chunk)] == data.split(b"\n")[:-1]


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=60), chunk=st.integers(1, 9))
def test_every_byte_belongs_to_one_line_or_to_the_rest(data: bytes, chunk: int) -> None:
    """Offsets are contiguous, and the last line ends after the last newline."""
    place = 0
    for line in _lines(data, chunk):
        assert line.offset == place
        assert data[line.end - 1 : line.end] == b"\n"
        place = line.end
    assert place == data.rfind(b"\n") + 1


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=60).map(lambda b: b.replace(b"b", b"\n")), start=st.integers(0, 60))
def test_reading_goes_on_where_it_stopped(data: bytes, start: int) -> None:
    """From any line's end the remaining lines are the same as in one go."""
    lines = _lines(data)
    for number, line in enumerate(lines):
        assert _lines(data, offset=line.end) == lines[number + 1 :]


def test_an_incomplete_last_line_is_not_yet() -> None:
    """Without its newline a line is not there."""
    assert [line.content for line in _lines(b"a\nb")] == [b"a"]


def test_a_limit_ends_the_reading() -> None:
    """A file that grows as fast as it is read ends too."""
    assert [line.content for line in read_lines(io.BytesIO(b"a\nb\nc\n"), 0, 4)] == [b"a", b"b"]


def test_a_line_beyond_the_limit_is_marked_and_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a line that is too long only the beginning is kept; its neighbours are whole."""
    monkeypatch.setattr(tail, "MAX_LINE_BYTES", 10)
    first, long, last = _lines(b"ab\n" + b"x" * 10_000 + b"\ncd\n")
    assert (first.content, last.content) == (b"ab", b"cd")
    assert (long.offset, long.length, long.too_long) == (3, 10_001, True)
    assert len(long.content) <= 17
    assert last.offset == 10_004


def test_what_editors_add_is_not_text() -> None:
    """A carriage return is no content, nor is a byte order mark: files are put together too."""
    first, second = _lines(b"\xef\xbb\xbfa\r\n\xef\xbb\xbfb\n")
    assert [text_of_line(line.content) for line in (first, second)] == [b"a", b"b"]
    assert first.length == 6


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
@pytest.mark.parametrize("limit", range(9))
def test_a_limit_is_held_to_the_byte(limit: int, chunk: int) -> None:
    """Whatever the chunks, the lines are those that end within it."""
    data = b"a\nbc\n\nd\n"
    found = read_lines(io.BytesIO(data), 0, limit, chunk_bytes=chunk)
    assert [line.content for line in found] == data[:limit].split(b"\n")[:-1]


def test_a_line_of_the_greatest_length_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its newline counts; with one byte more it is too long, and cut to that length."""
    monkeypatch.setattr(tail, "MAX_LINE_BYTES", 10)
    (whole,) = _lines(b"123456789\n", 100)
    assert (whole.content, whole.too_long) == (b"123456789", False)
    (long,) = _lines(b"1234567890X\n", 100)
    assert (long.content, long.length, long.too_long) == (b"1234567890", 12, True)


def test_a_line_is_too_long_by_a_single_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its newline counts; of one that is too long only the first bytes are kept."""
    monkeypatch.setattr(tail, "MAX_LINE_BYTES", 10)
    lines = _lines(b"a" * 9 + b"\n" + b"b" * 10 + b"\n" + b"c\n", chunk=4)
    assert [(line.content, line.length, line.too_long) for line in lines] == [
        (b"a" * 9, 10, False),
        (b"b" * 10, 11, True),
        (b"c", 2, False),
    ]


@pytest.mark.parametrize(
    ("offset", "whole", "end"),
    [(0, 0, 7), (7, 0, 7), (9, 1, 9), (10, 1, 9), (13, 3, 13), (99, 3, 13)],
)
def test_a_block_is_cut_between_two_lines(offset: int, whole: int, end: int) -> None:
    """What ends at or before the offset stays a block, the rest are lines."""
    block = Block(7, [b"a", b"b", b"c"], 13)
    before, after = block.cut(offset)
    assert (before.offset, before.contents, before.end) == (7, block.contents[:whole], end)
    assert after == list(block.lines())[whole:]
