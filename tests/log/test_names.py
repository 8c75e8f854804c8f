"""Names of segments: whatever rotation called a file, its events are read or it is reported."""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from indexer.log.names import free_name, is_segment_name, parse_segment_name
from indexer.log.segments import list_log

_NOW = datetime(2026, 12, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("name", "stem", "is_compressed", "is_rotated"),
    [
        ("events_20261120.ndjson", "events_20261120", False, False),
        ("events_20261120.ndjson.gz", "events_20261120", True, False),
        ("events_20261120.1.ndjson.zst", "events_20261120", True, False),
        ("events_20261120.ndjson.1", "events_20261120", False, True),
        ("events_20261120.ndjson.12.gz", "events_20261120", True, True),
        ("events_20261120.ndjson-20261121", "events_20261120", False, True),
        ("events_20261120.ndjson-20261121-1763683200.gz", "events_20261120", True, True),
        ("events_20261120.web1-42.ndjson.1", "events_20261120.web1-42", False, True),
    ],
)
def test_every_name_of_a_segment_is_recognised(
    name: str, stem: str, is_compressed: bool, is_rotated: bool
) -> None:
    """Its stem is the same, so that rows and cursor follow it from name to name."""
    parsed = parse_segment_name(name)
    assert is_segment_name(name)
    assert (parsed.stem, parsed.day) == (stem, date(2026, 11, 20))
    assert (parsed.is_compressed, parsed.is_rotated) == (is_compressed, is_rotated)
    assert parsed.is_over(timedelta(days=9), _NOW)
    assert not parsed.is_spill or name.endswith("web1-42.ndjson")


@pytest.mark.parametrize(
    "name",
    [
        "events_20261120.ndjson~",
        "events_20261120.ndjson.bak",
        "events_20261120.ndjson.xz",
        "events_20261120.ndjson.1.bz2",
        "#events_20261120.ndjson#",
        "notes.txt",
    ],
)
def test_what_is_not_a_segment_is_reported(tmp_path: Path, name: str) -> None:
    """It may hold events that nobody reads."""
    (tmp_path / name).write_bytes(b"")
    (tmp_path / ".events.lock").write_bytes(b"")
    listing = list_log(tmp_path)
    assert (listing.segments, [one.name for one in listing.unread]) == ([], [name])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs and links")
def test_what_has_a_segments_name_and_is_no_file_is_reported(tmp_path: Path) -> None:
    """A directory, a FIFO, a link that leads nowhere."""
    (tmp_path / "events_20261120.ndjson").mkdir()
    os.mkfifo(tmp_path / "events_20261121.ndjson")
    (tmp_path / "events_20261122.ndjson").symlink_to(tmp_path / "nowhere")
    listing = list_log(tmp_path)
    assert listing.segments == []
    assert len(listing.unread) == 3


def test_a_rotated_segment_is_compressed_under_a_free_name() -> None:
    """The piece number tells it from the day's other archives."""
    taken = {"events_20261120.ndjson.1", "events_20261120.ndjson.gz"}
    assert free_name("events_20261120", ".ndjson.gz", taken) == "events_20261120.1.ndjson.gz"
