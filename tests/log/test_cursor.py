"""Whether anything is new in the log is told from the directory alone, and never wrongly denied."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest

from indexer.log.cursor import Cursor, is_log_unchanged, is_unchanged, new_cursor
from indexer.log.segments import list_segments


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A log of two segments, and a file that is none."""
    directory = tmp_path / "raw"
    directory.mkdir()
    for name in ("events_20260101.ndjson", "events_20260102.ndjson", "notes.txt"):
        (directory / name).write_bytes(b"{}\n")
    return directory


def _cursors(raw: Path) -> dict[str, Cursor]:
    """The cursors of segments that were read to their end."""
    return {
        one.name: new_cursor(one)._replace(size=one.size, changed=one.changed)
        for one in list_segments(raw)
    }


def test_a_log_that_was_read_is_unchanged(raw: Path) -> None:
    """What is no segment does not count."""
    assert is_log_unchanged(raw, _cursors(raw))


def _grow(raw: Path) -> None:
    with (raw / "events_20260101.ndjson").open("ab") as file:
        file.write(b"{}\n")


def _touch(raw: Path) -> None:
    os.utime(raw / "events_20260101.ndjson", ns=(1, 1))


def _replace(raw: Path) -> None:
    (raw / "new").write_bytes(b"[]\n")
    os.replace(raw / "new", raw / "events_20260101.ndjson")


def _become_a_directory(raw: Path) -> None:
    (raw / "events_20260101.ndjson").unlink()
    (raw / "events_20260101.ndjson").mkdir()


def _delete(raw: Path) -> None:
    (raw / "events_20260101.ndjson").unlink()


def _add(raw: Path) -> None:
    (raw / "events_20260103.ndjson").touch()


def _rename(raw: Path) -> None:
    (raw / "events_20260101.ndjson").rename(raw / "events_20260104.ndjson")


def _move_away(raw: Path) -> None:
    raw.rename(raw.parent / "elsewhere")


@pytest.mark.parametrize(
    "change",
    [_grow, _touch, _replace, _become_a_directory, _delete, _add, _rename, _move_away],
    ids=lambda change: change.__name__,
)
def test_every_change_is_seen(raw: Path, change: Callable[[Path], None]) -> None:
    """Growth, another file of the same name and size, one more, one less, or none at all."""
    known = _cursors(raw)
    change(raw)
    assert not is_log_unchanged(raw, known)


def test_it_says_what_the_listing_says(raw: Path) -> None:
    """A segment that was not read to its end is one that has changed."""
    known = _cursors(raw)
    name = "events_20260101.ndjson"
    known[name] = known[name]._replace(size=1)
    assert not all(is_unchanged(one, known[one.name]) for one in list_segments(raw))
    assert not is_log_unchanged(raw, known)
