"""Lines that a parser refuses: quarantined for what they are, never for a lack of memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from indexer.log import decode as module
from indexer.log.decode import Ordinals, decode
from indexer.log.streams import read_chunk
from indexer.system.base import Base
from telemetry_core.line import BadLine, encode
from tests.support.database import event, rows, tables
from tests.support.process import run

_LIMITED = """
import resource, sys
from pathlib import Path
from indexer.database.freshness import index_once
from indexer.errors import OutOfMemory
from indexer.system.base import Base
base = Base.at(Path(sys.argv[1]))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    index_once(base)
except OutOfMemory as error:
    print("OutOfMemory", error.hint)
"""


def _decode(content: bytes) -> Any:
    return decode(content, Ordinals(lambda: ()))


def test_a_lack_of_memory_is_not_a_bad_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orjson reports it as a decoding error; it fails the pass instead of quarantining."""

    def refuse(_: bytes) -> Any:
        raise orjson.JSONDecodeError("Not enough memory to allocate buffer for parsing", "", 0)

    def short(*_: object, **_more: object) -> Any:
        raise MemoryError

    monkeypatch.setattr("telemetry_core.line.orjson.loads", refuse)
    monkeypatch.setattr("json.loads", short)
    with pytest.raises(MemoryError):
        _decode(encode(event(1))[:-1])


def test_absurd_nesting_is_a_bad_line_and_no_lack_of_memory() -> None:
    """Orjson calls it one, whatever memory there is: it must not stall the log."""
    with pytest.raises(BadLine):
        _decode(b'{"a": ' + b"[" * 200_000)


def test_what_one_library_refuses_the_other_may_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is quarantined only if both refuse it."""

    def refuse(_: bytes) -> Any:
        raise BadLine("not JSON: a fault of the library")

    monkeypatch.setattr(module, "parse_object", refuse)
    assert _decode(encode(event(1))[:-1]) == event(1)


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"a": 1',
        b'{"a": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    ],
)
def test_the_second_opinion_is_as_strict(content: bytes) -> None:
    """What is not JSON stays quarantined, whichever library looks."""
    with pytest.raises(BadLine):
        _decode(content)


def test_a_stream_without_memory_is_not_a_broken_file(tmp_path: Path) -> None:
    """A compressed segment gets no fault for it."""

    class Short:
        read = None

        def read1(self, _: int) -> bytes:
            raise MemoryError

    with pytest.raises(MemoryError):
        read_chunk(Short(), 1)  # type: ignore[arg-type]


@pytest.mark.needs("proc")
def test_a_pass_short_of_memory_fails_as_a_whole_and_the_next_has_every_line(base: Path) -> None:
    """Nothing is quarantined or lost; with memory again the database is what the log says."""
    (base / "raw").mkdir(parents=True)
    big = encode(event(1, payload="x" * 8_000_000))
    (base / "raw" / "events_20260101.ndjson").write_bytes(encode(event(0)) + big * 1)
    config = Base.at(base).config
    reported = run(_LIMITED, str(base), str(48 * 1024 * 1024))
    if Base.at(base).database_path.exists():
        assert tables(config.database_path)["quarantine"] == []
    assert reported.startswith("OutOfMemory") or rows(
        config, "SELECT count(*) FROM run_events"
    ) == [(2,)]
    assert rows(config, "SELECT count(*) FROM run_events") == [(2,)]
    assert rows(config, "SELECT count(*) FROM quarantine") == [(0,)]
