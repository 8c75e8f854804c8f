"""Files as disks, editors and people leave them: events come through, the rest is reported."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import orjson
import pytest
import zstandard

from indexer.database.freshness import index_once
from indexer.database.rebuild import rebuild
from indexer.database.verify import verify
from indexer.ingest import ingest
from indexer.log.segments import Segment, list_segments
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.line import encode
from telemetry_core.run_fields import RUN_FIELDS
from tests.support.batches import small_batches
from tests.support.database import event, legacy_line, lines_of, rows
from tests.support.oracle import events_of, judge, judge_bytes
from tests.support.process import run

_EVENT = encode(event(1, payload="text"))
_BOM = b"\xef\xbb\xbf"


def _with_payload(json_text: bytes) -> bytes:
    """An event whose payload is spelt as no encoder would spell it."""
    return _EVENT.replace(b'"text"', json_text)


_STRANGE_LINES = {
    "zeros": (b"\0" * 5_000 + b"\n", "quarantined"),
    "zeros before an event": (b"\0" * 100 + _EVENT, "quarantined"),
    "zeros within an event": (_EVENT[:40] + b"\0" * 100 + _EVENT[40:], "quarantined"),
    "byte order mark": (_BOM + _EVENT, "indexed"),
    "byte order mark and nothing": (_BOM + b"\n", None),
    "carriage return": (_EVENT[:-1] + b"\r\n", "indexed"),
    "carriage returns alone": (_EVENT[:-1] + b"\r" + _EVENT, "quarantined"),
    "two events": (_EVENT[:-1] + _EVENT, "quarantined"),
    "a fragment before an event": (_EVENT[:-30] + _EVENT, "quarantined"),
    "invalid UTF-8": (_with_payload(b'"\xff\xfe"'), "quarantined"),
    "overlong UTF-8": (_with_payload(b'"\xc0\xaf"'), "quarantined"),
    "half a character": (_with_payload(b'"\xe2\x80"'), "quarantined"),
    "a surrogate in UTF-8": (_with_payload(b'"\xed\xa0\x80"'), "quarantined"),
    "an escaped lone surrogate": (_with_payload(b'"\\ud800"'), "quarantined"),
    "line separator": (_with_payload('"a\u2028b\u2029c\x85d"'.encode()), "indexed"),
    "escaped zero": (_with_payload(b'"\\u0000"'), "indexed"),
    "a bare control character": (_with_payload(b'"\x01"'), "quarantined"),
    "a list": (b"[" + _EVENT[:-1] + b"]\n", "quarantined"),
    "a number": (b"7\n", "quarantined"),
    "null": (b"null\n", "quarantined"),
    "a text": (b'"event"\n', "quarantined"),
    "2,000 levels": (_with_payload(b"[" * 2_000 + b"]" * 2_000), "quarantined"),
    "100,000 levels": (_with_payload(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "quarantined"),
    "100,000 levels that never close": (b"[" * 100_000 + b"\n", "quarantined"),
    "1,000 levels": (_with_payload(b"[" * 1_000 + b"]" * 1_000), "indexed"),
    "integer beyond 64 bits": (_with_payload(b"9" * 40), "indexed"),
    "integer beyond all": (_with_payload(b"9" * 5_000), "quarantined"),
    "float beyond all": (_with_payload(b"1e400"), "quarantined"),
    "float too small": (_with_payload(b"1e-400"), "indexed"),
    "NaN": (_with_payload(b"NaN"), "quarantined"),
    "Infinity": (_with_payload(b"-Infinity"), "quarantined"),
    "leading zero": (_with_payload(b"007"), "quarantined"),
    "names twice": (_with_payload(b'{"a":1,"a":2}'), "indexed"),
    "id twice": (_EVENT.replace(b'{"spec', b'{"id":"first","spec'), "indexed"),
    "data twice": (_EVENT.replace(b'{"spec', b'{"data":[1],"spec'), "indexed"),
    "a comma too many": (_EVENT.replace(b"}}", b"},}"), "quarantined"),
    "more after the end": (_EVENT[:-1] + b" trailing\n", "quarantined"),
    "spaces around": (b" \t" + _EVENT[:-1] + b" \t\n", "indexed"),
    "another encoding": (_EVENT.decode().encode("utf-16"), "quarantined"),
}


@pytest.fixture
def raw(base: Path) -> Path:
    """The log's directory, there already."""
    directory = base / "raw"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def config(base: Path, raw: Path) -> Iterator[TelemetryConfig]:
    """The configuration of a base in which, whatever the test does, nothing may be lost."""
    config = TelemetryConfig.for_base(base)
    yield config
    judge(config)


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.mark.parametrize("kind", _STRANGE_LINES)
def test_a_strange_line_is_kept_or_told_and_its_neighbours_stand(
    raw: Path, config: TelemetryConfig, kind: str
) -> None:
    """What JSON allows is an event, all else is in quarantine; the lines around it never mind."""
    line, outcome = _STRANGE_LINES[kind]
    before, after = encode(event(0)), encode(event(2))
    path = raw / "events_20260101.ndjson"
    path.write_bytes(before + line + after)
    # An encoding of two bytes a character has newlines of its own, and zeros after them.
    expected = {"indexed": 2}
    if outcome is not None:
        expected[outcome] = expected.get(outcome, 0) + 1
    if kind == "another encoding":
        expected = {"indexed": 1, "quarantined": 2}
    assert index_once(Base(config)).lines == expected
    (raw / "events_20250101.ndjson").write_bytes(encode(event(0, "run.started", "late")))
    _append(path, line + encode(event(3)))
    index_once(Base(config))


def test_all_strange_lines_at_once(raw: Path, config: TelemetryConfig) -> None:
    """In one file, in pieces that end anywhere, before and after an event of the same run."""
    data = b"".join(line for line, _ in _STRANGE_LINES.values()) + encode(event(9))
    path = raw / "events_20260102.ndjson"
    step = len(data) // 23
    for start in range(0, len(data), step):
        _append(path, data[start : start + step])
        index_once(Base(config))
    (raw / "events_20260101.ndjson").write_bytes(encode(event(0, "run.started")))
    (raw / "events_20260103.ndjson").write_bytes(_BOM + data + _BOM + data)


_VALUES = [
    None,
    True,
    0,
    -1,
    2**63,
    2**64 - 1,
    1.5,
    1e308,
    "",
    "x",
    "\0",
    "7",
    "\ud7ff\U0010ffff",
    [],
    [[1]],
    {},
    {"a": {"b": None}},
    "[" * 300,
    "{}",
    "2026-13-41T00:00:00Z",
]


def test_wrong_types_in_every_field_reject_nothing(raw: Path, config: TelemetryConfig) -> None:
    """Each run field, each kind of event, each value: a row is there, and the same at a refold."""
    names = [*(field.name for field in RUN_FIELDS), "revision", "event_type", "payload", "odd name"]
    kinds = ("run.started", "run.updated", "run.ended", "run.event", "run.delivered")
    made = [
        event(number, kind, f"{name} {value_number}", **{name: value})
        for value_number, value in enumerate(_VALUES)
        for number, (kind, name) in enumerate((kind, name) for kind in kinds for name in names)
    ]
    made = [one._replace(id=f"{one.id}-{number}") for number, one in enumerate(made)]
    (raw / "events_20260102.ndjson").write_bytes(lines_of(made))
    assert index_once(Base(config)).lines == {"indexed": len(made)}
    late = [event(0, "run.started", run) for run in {one.run_id for one in made}]
    late = [one._replace(time="2025-01-01T00:00:00.000000Z") for one in late]
    late = [one._replace(id=f"late-{number}") for number, one in enumerate(late)]
    (raw / "events_20260101.ndjson").write_bytes(lines_of(late))
    assert rows(config, "SELECT count(*) FROM agent_runs") == [(len(late),)]


def test_wrong_types_in_every_place_of_the_envelope(raw: Path, config: TelemetryConfig) -> None:
    """Data that is not an object is kept; a name that must be text and is not is reported."""
    envelope = orjson.loads(encode(event(1, "run.started")))
    lines = []
    for name in [*envelope, "processstart", "traceparent"]:
        for number, value in enumerate(_VALUES):
            changed = {**envelope, "id": f"{name} {number}", "subject": f"{name} {number}"}
            lines.append(json.dumps({**changed, name: value}).encode() + b"\n")
    (raw / "events_20260101.ndjson").write_bytes(b"".join(lines))
    index_once(Base(config))
    kept = rows(config, "SELECT event_id FROM run_events")
    for name in ("data", "processstart", "traceparent"):
        for number in range(len(_VALUES)):
            assert (f"{name} {number}",) in kept


def test_wrong_types_in_every_field_of_the_earlier_product(
    raw: Path, config: TelemetryConfig
) -> None:
    """Its records are read or reported, and none of them stops the others."""
    start = {
        "record_type": "run",
        "run_id": "r",
        "status": "running",
        "agent_name": "a",
        "start_time": "2025-12-10T12:00:00Z",
        "metrics_json": "{}",
        "items_discovered": 0,
        "duration_ms": None,
        "created_at": "2025-12-10T12:00:00Z",
    }
    one = {
        "record_type": "event",
        "run_id": "r",
        "event_type": "tick",
        "id": None,
        "timestamp": "2025-12-10T12:00:01Z",
        "payload_json": '{"n": 1}',
    }
    lines = [
        legacy_line(**{**record, name: value})
        for record in (start, {**start, "status": "success"}, one)
        for name in record
        for value in _VALUES
    ]
    odd = [
        b'{"record_type":"event","run_id":"r","timestamp":"2025-12-10T12:00:01Z","payload_json":'
        + value
        + b"}\n"
        for value in (
            b"NaN",
            b"1e400",
            b"9" * 400,
            b'"\\ud800"',
            b"[" * 2_000,
            b"9" * 5_000,
            b"[" * 2_000 + b"]" * 2_000,
        )
    ]
    good = legacy_line(**{**one, "run_id": "good"})
    (raw / "events_20251210.ndjson").write_bytes(b"".join([*lines, *odd, good]))
    assert rows(config, "SELECT event_type FROM run_events WHERE run_id = 'good'") == [("tick",)]


def test_zeros_at_the_end_after_a_power_cut(
    raw: Path, client: TelemetryClient, config: TelemetryConfig
) -> None:
    """The size was written and the bytes were not: the next event stands on a line of its own."""
    ids = [client.log_event("run", "before")]
    (path,) = raw.glob("*.ndjson")
    index_once(Base(config))
    os.truncate(path, path.stat().st_size + 4_096)
    index_once(Base(config))
    ids.append(client.log_event("run", "after"))
    assert [event.id for event in events_of(config.ndjson_dir)] == ids
    assert index_once(Base(config)).lines == {"indexed": 1, "quarantined": 1}


def test_zeros_in_the_middle_after_a_power_cut(raw: Path, client: TelemetryClient) -> None:
    """A block that was read, and is zeros now: what else there is comes, what was read stays."""
    ids = [client.log_event("run", "step", {"n": n}) for n in range(100)]
    after = """
        import sys
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))
        print(client.log_event("run", "after"))
    """
    (path,) = raw.glob("*.ndjson")
    index_once(Base(client.config))
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\0" * (path.stat().st_size - 4_096))
    ids.append(run(after, str(client.config.metrics_dir)).strip())
    index_once(Base(client.config))
    stored = [row[0] for row in rows(client.config, "SELECT event_id FROM run_events ORDER BY 1")]
    assert stored == ids
    rebuild(Base(client.config), force=True)
    judge(client.config)


_HUGE = """
import resource, sys
from pathlib import Path
from indexer.database.freshness import index_once
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
config = TelemetryConfig.for_base(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
lines = index_once(Base(config)).lines
assert lines == {"indexed": 2, "quarantined": 1}, lines
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("mib", [600, pytest.param(3 * 1024, marks=pytest.mark.laboratory)])
def test_gigabytes_in_a_line_pass_in_bounded_memory(raw: Path, base: Path, mib: int) -> None:
    """They are one quarantined line between two events, and cost no more than a long one."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(encode(event(0)))
    os.truncate(path, path.stat().st_size + (mib << 20))
    if path.stat().st_blocks > 1_000_000:
        pytest.skip("the file system has no sparse files")
    _append(path, b"\n" + encode(event(1)))
    grown_kib = int(run(_HUGE, str(base), timeout=120))
    assert grown_kib < 150 * 1024
    path.unlink()


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_much_in_little_passes_in_bounded_memory(raw: Path, base: Path, suffix: str) -> None:
    """A line of 160 MB that was compressed to nearly nothing is no more than that."""
    squeeze: Any = zlib.compressobj(1, wbits=31)
    if suffix == ".zst":
        squeeze = zstandard.ZstdCompressor().compressobj()
    with (raw / f"events_20260101.ndjson{suffix}").open("wb") as file:
        file.write(squeeze.compress(encode(event(0))))
        for _ in range(10):
            file.write(squeeze.compress(b"\0" * (16 << 20)))
        file.write(squeeze.compress(b"\n" + encode(event(1))) + squeeze.flush())
    grown_kib = int(run(_HUGE, str(base), timeout=120))
    assert grown_kib < 150 * 1024


def _shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _replace(path: Path) -> None:
    (path.parent / "new").write_bytes(lines_of([event(n, run_id="other") for n in range(30)]))
    os.replace(path.parent / "new", path)


def _overwrite(path: Path) -> None:
    path.write_bytes(lines_of([event(n, run_id="other") for n in range(25)]))


def _make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


_CHANGES: list[Callable[[Path], None]] = [
    Path.unlink,
    _shrink,
    _replace,
    _overwrite,
    _make_fifo,
    _make_directory,
    lambda path: path.rename(path.with_name("z.ndjson")),
    lambda path: _append(path, lines_of([event(n) for n in range(50, 60)])),
]


@pytest.mark.parametrize("change", _CHANGES)
@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_changes_between_listing_and_reading(
    raw: Path, base: Path, monkeypatch: pytest.MonkeyPatch, change: Any, known: bool
) -> None:
    """The pass that meets it ends and reads the others; the next one reads what there is now."""
    config = TelemetryConfig.for_base(base)
    path = raw / "events_20260101.ndjson"
    path.write_bytes(lines_of([event(n) for n in range(20)]))
    if known:
        index_once(Base(config))
        _append(path, lines_of([event(n) for n in range(20, 25)]))
    (raw / "events_20260102.ndjson").write_bytes(encode(event(99, run_id="neighbour")))
    changes = iter([change])

    def list_and_change(directory: Path) -> list[Segment]:
        files = list_segments(directory)
        for one in changes:
            one(path)
        return files

    monkeypatch.setattr(ingest, "list_segments", list_and_change)
    result = index_once(Base(config))
    monkeypatch.undo()
    assert (change is not Path.unlink) or result.problems == []
    index_once(Base(config))
    assert rows(config, "SELECT count(*) FROM run_events WHERE run_id = 'neighbour'") == [(1,)]
    rebuild(Base(config), force=True)
    judge(config)


def test_a_file_compressed_during_a_pass_is_no_error(
    raw: Path, config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`gzip` took it between the listing and the look: the status showed an error ever after."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(lines_of([event(n) for n in range(20)]))
    real = ingest.read_portions

    def compress_first(file: Segment, cursor: Any) -> Any:
        if path.exists():
            Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
        return real(file, cursor)

    monkeypatch.setattr(ingest, "read_portions", compress_first)
    (raw / "events_20260102.ndjson").write_bytes(lines_of([event(20)]))
    first = index_once(Base(config))
    assert (first.problems, first.lines) == ([], {"indexed": 1})
    assert index_once(Base(config)).lines == {"indexed": 20}


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_file_compressed_while_it_is_read(
    raw: Path, config: TelemetryConfig, suffix: str
) -> None:
    """The compressed file grows byte by byte next to the plain one, which then goes."""
    plain = raw / "events_20260101.ndjson"
    plain.write_bytes(lines_of([event(n, payload=f"{n * 7919:x}" * 9) for n in range(300)]))
    index_once(Base(config))
    data = plain.read_bytes()
    packed = gzip.compress(data) if suffix == ".gz" else zstandard.compress(data)
    path = Path(f"{plain}{suffix}")
    step = len(packed) // 17
    for start in range(0, len(packed), step):
        _append(path, packed[start : start + step])
        index_once(Base(config))
        assert rows(config, "SELECT count(*) FROM run_events") == [(300,)]
    plain.unlink()
    assert index_once(Base(config)).lines == {"indexed": 300}


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressor_that_streams_into_the_log(
    raw: Path, config: TelemetryConfig, suffix: str
) -> None:
    """Each flush brings its lines at once; members and frames follow each other in one file."""
    path = raw / f"events_20260101.ndjson{suffix}"
    for member in range(3):
        squeeze: Any = (
            zlib.compressobj(wbits=31)
            if suffix == ".gz"
            else zstandard.ZstdCompressor().compressobj()
        )
        flush = zlib.Z_SYNC_FLUSH if suffix == ".gz" else zstandard.COMPRESSOBJ_FLUSH_BLOCK
        for part in range(4):
            number = member * 100 + part * 10
            lines = lines_of([event(number + n) for n in range(10)])
            _append(path, squeeze.compress(lines) + squeeze.flush(flush))
            assert index_once(Base(config)).lines == {"indexed": 10}
        _append(path, squeeze.flush())
        index_once(Base(config))
    assert rows(config, "SELECT count(*), max(event_id) FROM run_events") == [(120, "id-00000239")]


def test_a_file_that_grows_faster_than_it_is_read(raw: Path, config: TelemetryConfig) -> None:
    """A pass ends where the file ended when it was listed, and so does a verification."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(lines_of([event(n) for n in range(100)]))
    (raw / "events_20260102.ndjson").write_bytes(encode(event(0, run_id="neighbour")))
    numbers = iter(range(100, 5_000))

    def grow(_: int) -> None:
        # Fails once the numbers are used up: then nobody stopped.
        _append(path, lines_of([event(next(numbers)) for _ in range(11)]))

    with small_batches(10):
        assert index_once(Base(config), grow).lines == {"indexed": 101}
    before = index_once(Base(config)).lines["indexed"]
    assert before > 100
    numbers = iter(range(5_000, 30_000))
    report = verify(Base(config), grow)
    assert report.is_ok
    assert report.lines == before + 101


def test_two_thousand_files(raw: Path, base: Path) -> None:
    """Each is read, an idle pass writes nothing, and those that go are forgotten."""
    config = TelemetryConfig.for_base(base)
    made = [event(number, run_id=f"run-{number}") for number in range(2_000)]
    for number, one in enumerate(made):
        (raw / f"events_20260101.host-{number}.ndjson").write_bytes(encode(one))
    assert index_once(Base(config)).lines == {"indexed": 2_000}
    assert index_once(Base(config)).read_bytes == 0
    for number in range(1_000):
        (raw / f"events_20260101.host-{number}.ndjson").unlink()
    (raw / "events_20260102.ndjson").write_bytes(lines_of(made))
    assert index_once(Base(config)).lines == {"indexed": 1_000, "duplicate": 1_000}
    judge_bytes(config)
