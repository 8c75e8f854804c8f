"""What the cursor remembers, and what it makes of a changed file."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Callable, Optional

import pytest

from indexer.log import lines as tail
from indexer.log import reader as reading
from indexer.log.cursor import Cursor, is_unchanged, new_cursor
from indexer.log.reader import FileChanged, Portion, lines_before, read_portions
from indexer.log.segments import Segment, fingerprint, list_segments
from indexer.log.streams import UNFINISHED

_LINES = b"".join(b"%d %s\n" % (number, b"x" * number) for number in range(100))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log file with a hundred lines, each longer than the one before."""
    made = tmp_path / "events_20260101.ndjson"
    made.write_bytes(_LINES)
    return made


def _file(path: Path) -> Segment:
    (found,) = list_segments(path.parent)
    return found


def _read(path: Path, cursor: Optional[Cursor] = None) -> list[Portion]:
    return list(read_portions(_file(path), cursor))


def _text(portions: list[Portion]) -> bytes:
    return b"".join(line.content + b"\n" for one in portions for line in one.block.lines())


@pytest.mark.parametrize(("lines", "guard"), [(1, 3), (40, 43), (100, 103), (101, 256)])
def test_a_cursor_knows_the_file_by_its_ends(path: Path, lines: int, guard: int) -> None:
    """By a kilobyte of its beginning, and by the end of the last line before the cursor."""
    data = b"".join([*_LINES.splitlines(keepends=True), b"y" * 300 + b"\n"][:lines])
    path.write_bytes(data + b"torn")
    head = min(len(data), 1024)
    *_, batch = _read(path)
    file, cursor = _file(path), batch.cursor
    assert (cursor.offset, cursor.head_length, cursor.guard_length) == (len(data), head, guard)
    assert cursor.head_hash == fingerprint(data[:head])
    assert cursor.guard_hash == fingerprint(data[-guard:])
    assert (cursor.name, cursor.device, cursor.inode) == (path.name, file.device, file.inode)
    assert (cursor.size, cursor.changed, cursor.fault) == (file.size, file.changed, None)
    assert is_unchanged(file, cursor)
    assert not is_unchanged(file, None)
    for change in ({"size": 1}, {"changed": 1}, {"device": 1}, {"inode": 1}):
        assert not is_unchanged(file._replace(**change), cursor)


def _packed_by_line(data: bytes) -> bytes:
    return b"".join(gzip.compress(line, 1) for line in data.splitlines(keepends=True))


@pytest.mark.parametrize(
    ("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".gz", _packed_by_line)]
)
def test_only_what_is_new_is_read(path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    """From the cursor on, with the offsets that the lines have in the file."""
    given = path.with_name(path.name + suffix)
    path.rename(given)
    given.write_bytes(pack(_LINES))
    *read, first = _read(given)
    assert _text(read) == _LINES
    given.write_bytes(pack(_LINES + b"new\ntorn"))
    new, second = _read(given, first.cursor)
    assert (new.block.offset, new.block.contents) == (len(_LINES), [b"new"])
    assert second.cursor.offset == len(_LINES) + 4
    assert second.cursor.head_hash == first.cursor.head_hash
    (third,) = _read(given, second.cursor)
    assert (third.block.contents, third.cursor.offset) == ([], second.cursor.offset)


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lambda data: b"!" + data[1:], "begins with other bytes"),
        (lambda data: data[:1023] + b"!" + data[1024:], "begins with other bytes"),
        (lambda data: data[:-2] + b"!" + data[-1:], "other bytes before offset"),
        (lambda data: data[:-103] + b"!" + data[-102:], "other bytes before offset"),
        (lambda data: data[:2000] + b"\n", "offset"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_changed_file_is_told_from_one_that_grew(
    path: Path, harm: object, what: str, suffix: str
) -> None:
    """At its beginning, before the cursor, or because it is shorter; before anything is read."""
    given = path.with_name(path.name + suffix)
    path.rename(given)
    pack = gzip.compress if suffix else bytes
    given.write_bytes(pack(_LINES))
    *_, before = _read(given)
    given.write_bytes(pack(harm(_LINES)))
    with pytest.raises(FileChanged, match=what) as changed:
        _read(given, before.cursor)
    assert changed.value.name == given.name


@pytest.mark.parametrize(("chunk", "sizes"), [(10, [1] * 6), (25, [2, 3, 1]), (600, [6])])
def test_a_portion_is_what_a_chunk_completes(
    path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, sizes: list[int]
) -> None:
    """Each has the cursor that stands after it; the last one is empty and ends the file."""
    path.write_bytes(b"123456789\n" * 6)
    monkeypatch.setattr(reading, "CHUNK_BYTES", chunk)
    portions = _read(path)
    assert [len(one.block.contents) for one in portions] == [*sizes, 0]
    ends = [10 * sum(sizes[: number + 1]) for number in range(len(sizes))]
    assert [one.cursor.offset for one in portions] == [*ends, 60]
    for one in portions[:-1]:
        assert _text(_read(path, one.cursor)) == b"123456789\n" * (6 - one.cursor.offset // 10)


def test_what_comes_while_it_reads_is_for_the_next_time(path: Path) -> None:
    """A file that grows as fast as it is read would never end."""
    file = _file(path)
    with path.open("ab") as more:
        more.write(b"late\n")
    *read, first = read_portions(file, None)
    assert _text(read) == _LINES
    file = _file(path)
    with path.open("ab") as more:
        more.write(b"later\n")
    *read, second = read_portions(file, first.cursor)
    assert _text(read) == b"late\n"
    assert _text(_read(path, second.cursor)) == b"later\n"


def test_behind_a_line_that_is_too_long_stands_a_newline(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is not held, and the newline behind it is all that is known."""
    monkeypatch.setattr(tail, "MAX_LINE_BYTES", 10)
    path.write_bytes(b"x" * 50 + b"\n")
    *_, batch = _read(path)
    assert (batch.cursor.guard_length, batch.cursor.guard_hash) == (1, fingerprint(b"\n"))
    assert _text(_read(path, batch.cursor)) == b""


def test_the_lines_before_an_offset_are_those_that_end_there(path: Path) -> None:
    """None before the first, all before the end."""
    second = _LINES.index(b"\n") + 1
    file = _file(path)
    assert list(lines_before(file, 0)) == []
    assert [line.content for line in lines_before(file, second)] == [b"0 "]
    assert [line.offset for line in lines_before(file, len(_LINES))][:2] == [0, second]
    assert len(list(lines_before(file, len(_LINES)))) == 100


def test_a_break_is_told_from_an_unfinished_end(path: Path) -> None:
    """What could be decoded is read either way; only the one is certain never to be more."""
    whole = gzip.compress(_LINES * 50, mtime=0)
    packed = path.with_name(path.name + ".gz")
    path.unlink()
    packed.write_bytes(whole[: len(whole) // 2])
    *_, unfinished = _read(packed)
    assert unfinished.cursor.fault == UNFINISHED
    packed.write_bytes(whole + b"\xff" * 200)
    *read, broken = _read(packed)
    assert "Not a gzipped file" in str(broken.cursor.fault)
    assert _text(read) == _LINES * 50


def test_a_compressed_file_that_breaks_before_its_cursor_is_another(path: Path) -> None:
    """It could be decoded up to there once; and what breaks at once has no lines at all."""
    packed = path.with_name(path.name + ".gz")
    path.unlink()
    packed.write_bytes(gzip.compress(_LINES))
    *_, before = _read(packed)
    packed.write_bytes(gzip.compress(_LINES[:2000]) + b"\xff" * 50)
    with pytest.raises(FileChanged, match="ends before offset"):
        _read(packed, before.cursor)
    packed.write_bytes(b"\xff" * 50)
    (broken,) = _read(packed)
    assert (broken.block.contents, broken.cursor.offset) == ([], 0)
    assert broken.cursor.fault


def test_a_copy_in_the_place_of_the_file_is_known_from_then_on(path: Path) -> None:
    """Its bytes say that it is the same; where it stands now is remembered."""
    *_, first = _read(path)
    moved = first.cursor._replace(device=1, inode=1, changed=1)
    (second,) = _read(path, moved)
    assert second.block.contents == []
    assert second.cursor == first.cursor
    assert is_unchanged(_file(path), second.cursor)


def test_the_cursor_of_a_new_file_knows_nothing_of_it(path: Path) -> None:
    """But which file it is; so nothing is skipped, and nothing is compared."""
    file = _file(path)
    assert new_cursor(file)[:3] == (file.name, file.device, file.inode)
    assert new_cursor(file)[3:] == (0, 0, 0, "", 0, "", 0, 0, None)
