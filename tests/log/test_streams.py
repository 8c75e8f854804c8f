"""Plain bytes of a file, or a word on why there are none."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import zstandard

from indexer.log.segments import Segment, file_id, fingerprint, list_segments, segment_at
from indexer.log.streams import (
    StreamBroken,
    StreamUnfinished,
    StreamUnsupported,
    open_stream,
    read_chunk,
    skip,
)
from tests.support.daemon import eventually

_DATA = bytes(range(256)) * 20_000
# A frame of zstandard that has only begun.
_FLUSHED = zstandard.ZstdCompressor().compress(b"def")[:-3]
_PACKED = {".ndjson": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


def _made(directory: Path, suffix: str, data: bytes) -> Path:
    path = directory / f"events{suffix}"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", _PACKED)
def test_skipping_leads_to_the_very_byte(tmp_path: Path, suffix: str) -> None:
    """Over more than one chunk, and to the end of what is compressed, but not beyond it."""
    path = _made(tmp_path, suffix, _PACKED[suffix](_DATA))
    for count in (0, 1, 1024 * 1024, 3_000_001, len(_DATA)):
        with open_stream(path) as stream:
            assert skip(stream, count)
            assert read_chunk(stream, 7) == _DATA[count : count + 7]
    with open_stream(path) as stream:
        assert skip(stream, len(_DATA) + 1) is (suffix == ".ndjson")


def test_a_broken_zstandard_file_is_told(tmp_path: Path) -> None:
    """The library's own error can't be named where it is not installed."""
    path = _made(tmp_path, ".zst", b"rubbish" * 9)
    with open_stream(path) as stream, pytest.raises(StreamBroken, match="decompress"):
        read_chunk(stream, 10)


@pytest.mark.parametrize("at", [0, 40, -6])
def test_a_broken_gzip_file_is_told(tmp_path: Path, at: int) -> None:
    """In its head, in what is compressed, and in the sum at its end; each has its own error."""
    data = bytearray(gzip.compress(_DATA[:1000]))
    data[at : at + 4] = b"\xff" * 4
    with open_stream(_made(tmp_path, ".gz", bytes(data))) as stream, pytest.raises(StreamBroken):
        while read_chunk(stream, 10_000):
            pass


def test_an_error_of_the_disk_is_no_break(tmp_path: Path) -> None:
    """It says nothing about the file's bytes, and may be gone tomorrow."""

    class Failing(io.BytesIO):
        def read1(self, _size: Any = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output") as error:
        read_chunk(Failing(), 10)
    assert type(error.value) is OSError


@pytest.mark.parametrize(
    ("suffix", "data"),
    [(".gz", gzip.compress(b"abc")[:-6]), (".zst", _PACKED[".zst"](b"abc") + _FLUSHED)],
    ids=["gz", "zst"],
)
def test_what_was_cut_is_unfinished(tmp_path: Path, suffix: str, data: bytes) -> None:
    """A day that is being compressed comes when it is done."""
    path = _made(tmp_path, suffix, data)
    with open_stream(path) as stream:
        assert read_chunk(stream, 10) == b"abc"
        with pytest.raises(StreamUnfinished):
            read_chunk(stream, 10)


@pytest.mark.needs("descriptors")
def test_without_its_library_a_file_is_unsupported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint says what to install, and nothing stays open."""
    path = _made(tmp_path, ".zst", b"")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StreamUnsupported, match=r"local-telemetry\[zstd\]"):
        open_stream(path)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.needs("descriptors")
def test_closing_a_stream_closes_its_file(tmp_path: Path) -> None:
    """A service that reads for a year has no more files open than it reads."""
    paths = [_made(tmp_path, suffix, pack(_DATA)) for suffix, pack in _PACKED.items()]
    before = len(os.listdir("/proc/self/fd"))
    for path in paths:
        with open_stream(path) as stream:
            read_chunk(stream, 1)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_gone_between_the_listing_and_the_look_is_none(tmp_path: Path) -> None:
    """The next pass will see what became of it."""
    path = _made(tmp_path, ".ndjson", b"")
    path.unlink()
    assert segment_at(path) is None
    assert list_segments(tmp_path) == []
    assert list_segments(tmp_path / "nowhere") == []


@pytest.mark.skipif(os.name != "posix", reason="there, this is when the file was made")
def test_a_file_that_is_given_an_old_time_has_changed_all_the_same(tmp_path: Path) -> None:
    """What copies and unpacks files sets their times; the system's own can't be set."""
    path = _made(tmp_path, ".ndjson", b"")
    os.utime(path, ns=(5, 5))
    (file,) = list_segments(tmp_path)
    assert file.changed == path.stat().st_ctime_ns != 5


@pytest.mark.needs("modes")
def test_a_file_out_of_reach_is_listed_with_nothing_known_of_it(tmp_path: Path) -> None:
    """It is not gone, and opening it says why it can't be read."""
    path = tmp_path / "events.ndjson"
    path.symlink_to(path)
    assert list_segments(tmp_path) == [Segment(path.name, str(path), 0, 0, 0, 0)]


def test_the_number_of_a_file_stays_what_it_is_from_release_to_release() -> None:
    """The rows of a view that was there before point to the files by it; SQLite takes 63 bits."""
    assert file_id("events_20261122.ndjson") == 5038558658598240903


def test_the_hash_of_some_bytes_stays_what_it_is_from_release_to_release() -> None:
    """The cursors of a view that was there before know their files by it."""
    assert fingerprint(b"a line") == "e873e462364c8630"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFO to put in a file's place")
def test_what_was_put_in_a_files_place_is_not_waited_for(tmp_path: Path) -> None:
    """A FIFO that nobody writes to is at its end."""
    path = tmp_path / "events.ndjson"
    os.mkfifo(path)
    opened: list[bytes] = []

    def read() -> None:
        with open_stream(path) as stream:
            opened.append(read_chunk(stream, 1))

    threading.Thread(target=read, daemon=True).start()
    eventually(lambda: opened == [b""])
