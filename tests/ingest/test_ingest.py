"""What is in the log gets into the database, exactly once."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import CursorMoved
from indexer.ingest import ingest
from indexer.ingest.ingest import Ingest
from indexer.log import reader as reading
from indexer.semantics.run_ids import UNASSIGNED
from indexer.store.cursors import Tally, advance, all_cursors
from telemetry_core.line import encode
from tests.support.batches import small_batches
from tests.support.database import Passes, event, legacy_line, lines_of, tables
from tests.support.needs import fifo

_RUN = [
    event(1, "run.started", agent_name="a"),
    event(2, event_type="step", payload={"n": 1}),
    event(3, "run.updated", items_discovered=4, colour="red"),
    event(4, "run.ended", status="completed", duration_ms=12),
]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The log's directory."""
    directory = tmp_path / "raw"
    directory.mkdir()
    return directory


@pytest.fixture
def passes(raw: Path, tmp_path: Path) -> Iterator[Passes]:
    """Passes over `raw` into a database of its own."""
    made = Passes(raw, tmp_path / "live.sqlite")
    yield made
    made.connection.close()


@pytest.fixture
def same_as_new(raw: Path, tmp_path: Path, passes: Passes) -> Iterator[None]:
    """Whatever the test did, the view is what one pass over the log gives in a new database."""
    yield
    passes.run()
    assert tables(passes.database) == _from_scratch(raw, tmp_path / "new.sqlite")
    assert passes.unaccounted() == 0


def _from_scratch(raw: Path, database: Path) -> dict[str, Any]:
    fresh = Passes(raw, database)
    fresh.run()
    fresh.connection.close()
    found = tables(database)
    database.unlink()
    return found


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_run_becomes_a_row_and_its_events(raw: Path, passes: Passes, same_as_new: None) -> None:
    """Every event is in `run_events`, every field in `agent_runs`."""
    (raw / "events_20260101.ndjson").write_bytes(lines_of(_RUN))
    assert passes.run().lines == {"indexed": 4}
    row = passes.run_row("run")
    assert (row["agent_name"], row["status"], row["duration_ms"]) == ("a", "success", 12)
    assert (row["items_discovered"], row["event_count"]) == (4, 4)
    assert passes.all(
        "SELECT event_type, payload_json FROM run_events WHERE type = 'run.event'"
    ) == [("step", '{"n":1}')]


def test_a_second_pass_does_nothing(raw: Path, passes: Passes) -> None:
    """Without anything new no row changes and nothing is written."""
    (raw / "events_20260101.ndjson").write_bytes(lines_of(_RUN) + b'{"torn')
    passes.run()
    before = passes.connection.total_changes
    assert passes.run().read_bytes == 0
    assert passes.connection.total_changes == before


def test_a_log_cut_anywhere_goes_on_where_it_was(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """At every cut an incomplete line is "not yet", and comes once it is whole."""
    path = raw / "events_20260101.ndjson"
    data = lines_of(_RUN)
    for size in range(1, len(data) + 1):
        _append(path, data[size - 1 : size])
        passes.run()
        assert passes.all("SELECT count(*) FROM run_events") == [(data.count(b"\n", 0, size),)]
    assert passes.all("SELECT count(*) FROM quarantine") == [(0,)]


def test_a_bad_line_never_stops_a_good_one(raw: Path, passes: Passes, same_as_new: None) -> None:
    """It is quarantined with file, offset, length and reason, and its neighbours are indexed."""
    bad = [
        b"garbage",
        b'{"a":1}',
        b"[1]",
        b"\xff\xfe",
        b"\x00" * 50,
        b"{" * 2_000,
        b'"x"',
        encode(_RUN[0])[:-20],
        lines_of(_RUN[:2]).replace(b"\n", b""),
    ]
    good = [encode(event(number)) for number in range(len(bad))]
    path = raw / "events_20260101.ndjson"
    for line, neighbour in zip(bad, good):
        _append(path, line + b"\n" + neighbour)
    assert passes.run().lines == {"indexed": len(good), "quarantined": len(bad)}
    offset = len(bad[0]) + 1 + len(good[0])
    (second,) = passes.all(f"SELECT file, length, reason FROM quarantine WHERE offset = {offset}")
    assert second == (path.name, 8, "not an event: no 'id'")


def test_blank_lines_and_carriage_returns_are_nothing(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """They are no faults, and their bytes are accounted for."""
    data = b"\xef\xbb\xbf" + lines_of(_RUN).replace(b"\n", b"\r\n\n  \n")
    (raw / "events_20260101.ndjson").write_bytes(b"\n" + data[3:])
    (raw / "events_20260102.ndjson").write_bytes(data)
    assert passes.run().lines == {"indexed": 4, "duplicate": 4}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_order_duplication_and_batching_gives_the_same_rows(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However a run's lines are spread over files and passes, its rows are the same."""
    directory = tmp_path_factory.mktemp("log")
    kinds = st.sampled_from(["run.started", "run.event", "run.updated", "run.ended", "other.type"])
    numbers = data.draw(st.lists(st.integers(0, 99), min_size=1, max_size=8, unique=True))
    made = [
        event(
            number,
            data.draw(kinds),
            run_id=data.draw(st.sampled_from("pq")),
            items_failed=data.draw(st.integers(0, 9)),
            status="failed",
            odd=number,
        )
        for number in numbers
    ]
    # The same id with other content is another event, and is kept as well.
    made += [e._replace(data={"status": "partial"}) for e in made if data.draw(st.booleans())]
    expected = _rows_of(directory / "plain", [[("events_1", made)]])
    copies = data.draw(st.permutations(made + data.draw(st.lists(st.sampled_from(made)))))
    schedule = [
        [(data.draw(st.sampled_from(["events_1", "events_2", "other"])), [one])] for one in copies
    ]
    assert _rows_of(directory / "spread", schedule) == expected


def _rows_of(directory: Path, schedule: list[list[tuple[str, list[Any]]]]) -> dict[str, Any]:
    raw = directory / "raw"
    raw.mkdir(parents=True)
    live = Passes(raw, directory / "live.sqlite")
    for step in schedule:
        for name, made in step:
            _append(raw / f"{name}.ndjson", lines_of(made))
        live.run()
    live.connection.close()
    found = tables(directory / "live.sqlite")
    assert found == _from_scratch(raw, directory / "new.sqlite")
    stored = [row[:8] for row in found["run_events"]]
    return {"agent_runs": found["agent_runs"], "run_events": stored}


def test_a_late_event_refolds_its_run(raw: Path, passes: Passes, same_as_new: None) -> None:
    """An event that sorts before what is known takes its place, in whatever file it comes."""
    (raw / "events_20260102.ndjson").write_bytes(lines_of(_RUN[1:]))
    passes.run()
    assert passes.run_row("run")["agent_name"] is None
    (raw / "events_20260101.ndjson").write_bytes(lines_of(_RUN[:1]))
    passes.run()
    row = passes.run_row("run")
    assert (row["agent_name"], row["status"], row["event_count"]) == ("a", "success", 4)


def test_a_copied_file_is_all_duplicates(raw: Path, passes: Passes, same_as_new: None) -> None:
    """Every event belongs to the first of its places by name, whichever was read first."""
    (raw / "events_20260102.ndjson").write_bytes(lines_of(_RUN))
    passes.run()
    shutil.copy(raw / "events_20260102.ndjson", raw / "events_20260101.ndjson")
    passes.run()
    assert passes.all("SELECT name, indexed, duplicate FROM log_files ORDER BY name") == [
        ("events_20260101.ndjson", 4, 0),
        ("events_20260102.ndjson", 0, 4),
    ]


def test_a_renamed_file_is_the_same_events(raw: Path, passes: Passes, same_as_new: None) -> None:
    """The events stand under the new name; none is lost, none comes twice."""
    (raw / "events_20260101.ndjson").write_bytes(lines_of(_RUN))
    passes.run()
    (raw / "events_20260101.ndjson").rename(raw / "events_20260101.copy.ndjson")
    passes.run()
    assert passes.all("SELECT name, indexed FROM log_files") == [("events_20260101.copy.ndjson", 4)]


def test_a_file_that_goes_leaves_its_copy_in_charge(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """What was a duplicate is the only copy now, and counts as indexed."""
    for day in (1, 2):
        (raw / f"events_2026010{day}.ndjson").write_bytes(lines_of(_RUN))
    passes.run()
    (raw / "events_20260101.ndjson").unlink()
    passes.run()
    assert passes.all("SELECT name, indexed, duplicate FROM log_files") == [
        ("events_20260102.ndjson", 4, 0)
    ]


def test_a_file_restored_from_a_backup_loses_nothing(raw: Path, passes: Passes) -> None:
    """It is shorter and then grows with other lines: old rows stay, new ones come."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(lines_of(_RUN))
    passes.run()
    path.write_bytes(lines_of(_RUN[:2]))
    passes.run()
    _append(path, lines_of([event(7, run_id="other"), event(8, run_id="other")]))
    passes.run()
    assert passes.all("SELECT count(*) FROM run_events") == [(6,)]
    assert passes.all("SELECT indexed FROM log_files") == [(4,)]
    assert passes.unaccounted() == 0


def test_a_file_with_other_lines_of_the_same_length_is_noticed(raw: Path, passes: Passes) -> None:
    """Same inode, same size at the cursor, a newline before it: the bytes tell."""
    path = raw / "events_20260101.ndjson"
    old = [event(number, run_id="old") for number in range(20)]
    path.write_bytes(lines_of(old))
    passes.run()
    new = [*old[:10], *(event(number, run_id="new") for number in range(10, 21))]
    path.write_bytes(lines_of(new))
    passes.run()
    assert passes.all("SELECT run_id, count(*) FROM run_events GROUP BY run_id") == [
        ("new", 11),
        ("old", 20),
    ]


def test_a_file_with_another_beginning_is_another_file(raw: Path, passes: Passes) -> None:
    """Everything around the cursor is the same; the first bytes tell."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(lines_of([event(1, run_id="a"), event(9)]))
    passes.run()
    path.write_bytes(lines_of([event(1, run_id="b"), event(9), event(10)]))
    passes.run()
    assert passes.all("SELECT DISTINCT run_id FROM run_events ORDER BY 1") == [
        ("a",),
        ("b",),
        ("run",),
    ]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_file_is_read_like_a_plain_one(
    raw: Path, passes: Passes, same_as_new: None, suffix: str
) -> None:
    """Compressing a day that was read already changes no row and counts nothing twice."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(lines_of(_RUN))
    passes.run()
    squeeze = gzip.compress if suffix == ".gz" else zstandard.ZstdCompressor().compress
    (raw / f"{path.name}{suffix}").write_bytes(squeeze(lines_of(_RUN)))
    path.unlink()
    passes.run()
    assert passes.all("SELECT name, indexed, offset FROM log_files") == [
        (f"{path.name}{suffix}", 4, len(lines_of(_RUN)))
    ]


def test_a_file_compressed_while_it_is_read_is_not_yet(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """Each prefix of a gzip file gives what it holds; the rest comes with the rest."""
    whole = gzip.compress(lines_of([event(n, payload="x" * 50) for n in range(200)]), 1)
    path = raw / "events_20260101.ndjson.gz"
    for size in (5, 100, len(whole) // 2, len(whole) - 4, len(whole)):
        path.write_bytes(whole[:size])
        passes.run()
        assert passes.all("SELECT count(*) FROM quarantine") == [(0,)]
    assert passes.all("SELECT count(*) FROM run_events") == [(200,)]


def test_a_broken_gzip_file_says_so_and_stops_nobody(raw: Path, passes: Passes) -> None:
    """What stands before the break is indexed, the fault is shown, other files go on."""
    whole = bytearray(
        gzip.compress(lines_of([event(n, payload=f"{n:x}" * 9) for n in range(9_000)]))
    )
    whole[len(whole) // 2] ^= 0xFF
    (raw / "events_20260101.ndjson.gz").write_bytes(whole)
    (raw / "events_20260102.ndjson").write_bytes(lines_of([event(1, run_id="other")]))
    passes.run()
    ((fault,),) = passes.all("SELECT fault FROM log_files WHERE name LIKE '%.gz'")
    assert fault
    assert passes.all("SELECT count(*) FROM run_events WHERE run_id = 'other'") == [(1,)]


def test_a_file_that_cannot_be_read_is_a_problem_not_an_end(
    raw: Path, passes: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported, and tried again with the next pass."""
    (raw / "events_20260101.ndjson").write_bytes(lines_of(_RUN[:1]))
    (raw / "events_20260102.ndjson").write_bytes(lines_of(_RUN[1:]))
    real = reading.open_stream

    def refuse(path: Path) -> Any:
        if path.name == "events_20260101.ndjson":
            raise PermissionError(13, "refused")
        return real(path)

    monkeypatch.setattr(reading, "open_stream", refuse)
    result = passes.run()
    assert result.lines == {"indexed": 3}
    assert result.problems == ["events_20260101.ndjson: [Errno 13] refused"]
    monkeypatch.undo()
    assert passes.run().lines == {"indexed": 1}


def test_a_line_of_any_length_passes_in_bounded_memory(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """Hundreds of megabytes without a newline are one quarantined line between two good ones."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(encode(_RUN[0]))
    with path.open("ab") as file:
        file.truncate(len(encode(_RUN[0])) + 300 * 1024 * 1024)
    _append(path, b"\n" + encode(_RUN[1]))
    assert passes.run().lines == {"indexed": 2, "quarantined": 1}
    assert passes.all("SELECT length, length(excerpt) <= 200 FROM quarantine") == [
        (300 * 1024 * 1024 + 1, 1)
    ]


def test_what_is_not_a_log_file_is_left_alone(raw: Path, passes: Passes) -> None:
    """Directories, FIFOs, dot files and other names are no part of the log."""
    (raw / "events_20260101.ndjson").mkdir()
    fifo(raw / "events_20260102.ndjson")
    (raw / ".hidden.ndjson").write_bytes(lines_of(_RUN))
    (raw / "notes.txt").write_bytes(lines_of(_RUN))
    assert passes.run().lines == {}


def test_deeply_nested_values_are_kept_as_text(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """What nests deeper than JSON is written here is cut, the same for live and late events."""
    deep = b"[" * 900 + b"]" * 900
    line = encode(event(1, "run.updated", metrics_json=1)).replace(b":1}}", b":" + deep + b"}}")
    (raw / "events_20260102.ndjson").write_bytes(line)
    passes.run()
    (raw / "events_20260101.ndjson").write_bytes(encode(event(0, "run.started")))
    assert passes.run().lines == {"indexed": 1}
    assert passes.run_row("run")["metrics_json"].startswith("[[[[")


@pytest.mark.parametrize(
    "field", ["agent_name", "items_failed", "start_time", "metrics_json", "status"]
)
@pytest.mark.parametrize(
    "value", [2**64 - 1, -(2**63), 1e300, True, [], {}, "", "\x00", "7", "x" * 70_000]
)
def test_wrong_types_in_fields_reject_nothing(
    raw: Path, passes: Passes, same_as_new: None, field: str, value: Any
) -> None:
    """Whatever a field holds, the row is there, and a refold gives the same."""
    (raw / "events_20260102.ndjson").write_bytes(encode(event(2, "run.ended", **{field: value})))
    passes.run()
    (raw / "events_20260101.ndjson").write_bytes(encode(event(1, "run.started")))
    assert passes.run().lines == {"indexed": 1}


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), 1e300, True, [], "7"])
def test_no_value_that_is_added_stops_a_pass(
    raw: Path, passes: Passes, same_as_new: None, value: Any
) -> None:
    """Neither where nothing was there before, nor on top of something."""
    added = [event(at, "run.incremented", items_failed=value, own=value) for at in (2, 3)]
    (raw / "events_20260102.ndjson").write_bytes(lines_of(added[:1]))
    assert passes.run().lines == {"indexed": 1}
    (raw / "events_20260103.ndjson").write_bytes(lines_of(added[1:]))
    assert passes.run().lines == {"indexed": 1}


def test_spans_of_events_that_belong_to_no_run_are_the_same_live_and_refolded(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """What an agent wrote itself makes rows under any subject; other programs' records do not."""
    record = {"name": "x", "traceId": "", "spanId": "5b8efff798038103"}
    some = [
        event(1, "span.started", UNASSIGNED)._replace(data={"span_id": "s"}),
        event(2, "otel.span", UNASSIGNED)._replace(data={"span": record}),
        event(3, "span.ended", UNASSIGNED)._replace(data={"span_id": "s"}),
    ]
    for number, one in enumerate(some):
        (raw / f"events_2026010{number + 1}.ndjson").write_bytes(encode(one))
        passes.run()
    assert passes.run_row(UNASSIGNED)["event_count"] == 2
    assert [row[1] for row in tables(passes.database)["run_spans"]] == ["s"]


def test_old_logs_become_runs_and_events(raw: Path, passes: Passes, same_as_new: None) -> None:
    """Two snapshots a run, identical lines, a copy of the file: the rows of the earlier table."""
    start = {
        "record_type": "run",
        "run_id": "r1",
        "agent_name": "a",
        "job_type": "j",
        "trigger_type": "cli",
        "status": "running",
        "start_time": "2025-12-10T12:00:00+00:00",
        "items_discovered": 0,
        "end_time": None,
        "product": "p",
    }
    end = {
        **start,
        "status": "success",
        "end_time": "2025-12-10T12:00:02+00:00",
        "product": None,
        "items_discovered": 9,
        "duration_ms": 2000,
        "metrics_json": {"x": 1},
    }
    tick = {
        "record_type": "event",
        "run_id": "r1",
        "event_type": "tick",
        "id": None,
        "timestamp": "2025-12-10T12:00:01+00:00",
        "payload_json": '{"n": 1}',
    }
    data = b"".join(legacy_line(**record) for record in (start, tick, tick, end))
    path = raw / "events_20251210.ndjson"
    for count in range(1, 5):
        # Each time a new indexer, that has to find out how many ticks came before.
        path.write_bytes(b"".join(data.splitlines(keepends=True)[:count]))
        passes.ingest = Ingest(passes.connection, raw)
        passes.run()
    shutil.copy(path, raw / "events_20251210.other-host.ndjson")
    passes.run()
    row = passes.run_row("r1")
    assert (row["status"], row["duration_ms"], row["product"]) == ("success", 2000, "p")
    assert (row["start_time"], row["end_time"]) == (
        "2025-12-10T12:00:00.000000Z",
        "2025-12-10T12:00:02.000000Z",
    )
    assert (row["items_discovered"], row["metrics_json"]) == (9, '{"x":1}')
    assert row["context_json"] is None
    assert passes.all("SELECT payload_json FROM run_events WHERE event_type = 'tick'") == [
        ('{"n":1}',),
        ('{"n":1}',),
    ]


def test_unknown_types_and_attributes_are_kept(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """An event of a type nobody knows is stored and makes no run; extensions are stored too."""
    odd = event(1, "com.example.thing", run_id="x")._replace(
        data=[1, 2], extensions={"dataschema": "s"}
    )
    (raw / "events_20260101.ndjson").write_bytes(encode(odd))
    passes.run()
    assert passes.all("SELECT type, event_type, payload_json, extra_json FROM run_events") == [
        ("com.example.thing", "com.example.thing", "[1,2]", '{"dataschema":"s"}')
    ]
    assert passes.all("SELECT count(*) FROM agent_runs") == [(0,)]


@pytest.mark.parametrize("statement", ["run_events", "agent_runs", "log_files", "quarantine"])
def test_a_pass_that_fails_leaves_nothing_behind(
    raw: Path, passes: Passes, same_as_new: None, statement: str
) -> None:
    """Rows and cursor are committed together: an error at any table undoes the batch."""
    (raw / "events_20260101.ndjson").write_bytes(lines_of(_RUN) + b"bad\n")
    passes.connection.execute(
        f"CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.{statement}"
        " BEGIN SELECT RAISE(ABORT, 'refused'); END"
    )
    with pytest.raises(sqlite3.IntegrityError):
        passes.run()
    assert all(not rows for rows in tables(passes.database).values())
    passes.connection.execute("DROP TRIGGER refuse")


def test_a_cursor_moved_by_somebody_else_stops_the_batch(raw: Path, passes: Passes) -> None:
    """What was read behind one cursor does not go in behind another."""
    (raw / "events_20260101.ndjson").write_bytes(lines_of(_RUN))
    passes.run()
    (cursor,) = all_cursors(passes.connection).values()
    elsewhere = cursor._replace(offset=cursor.offset - 1)
    with pytest.raises(CursorMoved):
        advance(passes.connection, elsewhere, cursor, Tally(0, 0, 0, 0))
    with pytest.raises(CursorMoved):
        advance(passes.connection, None, cursor, Tally(0, 0, 0, 0))


def test_batches_end_where_they_should(raw: Path, passes: Passes, same_as_new: None) -> None:
    """Many small batches give what one large one gives."""
    (raw / "events_20260101.ndjson").write_bytes(lines_of([event(n) for n in range(20)]))
    with small_batches(3):
        assert passes.run().lines == {"indexed": 20}


def test_a_pass_stops_between_batches_when_told(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """A daemon that is asked to end does not first index a year."""
    (raw / "events_20260101.ndjson").write_bytes(lines_of([event(n) for n in range(20)]))
    with small_batches(3):
        result = passes.ingest.run_pass(should_stop=lambda: True)
    assert (result.lines, result.is_complete) == ({"indexed": 3}, False)


@pytest.mark.parametrize(
    "payload", ['{"n":' + "9" * 40 + "}", '{"s":"\\ud800"}', "[" * 300 + "]" * 300]
)
def test_a_legacy_payload_that_cannot_be_written_again_stops_nobody(
    raw: Path, passes: Passes, same_as_new: None, payload: str
) -> None:
    """Python's parser takes what has no encoding; one such line stopped every pass for ever."""
    line = legacy_line(
        record_type="event",
        run_id="run",
        event_type="old",
        timestamp="2026-01-01T00:00:00Z",
        payload_json=payload,
    )
    (raw / "events_20260101.ndjson").write_bytes(line + lines_of(_RUN))
    assert passes.run().lines == {"indexed": 5}


def test_a_context_that_nests_too_deep_stays_text(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """JSON in a text may nest deeper than the line it is in; folding it stopped every pass."""
    deep = "[" * 300 + "]" * 300
    (raw / "events_20260101.ndjson").write_bytes(encode(event(1, "run.started", context_json=deep)))
    assert passes.run().lines == {"indexed": 1}
    assert deep in passes.run_row("run")["context_json"]


def test_a_receipt_for_a_revision_beyond_all_numbers_is_nothing(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """SQLite has no such integer; the line stopped every pass."""
    events = [_RUN[0], event(5, "run.delivered", revision=2**63)]
    (raw / "events_20260101.ndjson").write_bytes(lines_of(events))
    assert passes.run().lines == {"indexed": 2}
    assert passes.run_row("run")["api_posted_revision"] == 0


@pytest.mark.needs("paths")
def test_a_file_whose_name_is_no_text_is_read_like_any_other(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """Bytes that are no UTF-8 can't be bound in SQL: one such name stopped every pass."""
    names = (b"events_\xff.ndjson", b"events_\xfe.ndjson", b"events_\\xff.ndjson")
    for number, name in enumerate(names):
        (raw / os.fsdecode(name)).write_bytes(encode(event(number)))
    assert passes.run().lines == {"indexed": 3}
    assert passes.all("SELECT count(DISTINCT file_id) FROM run_events") == [(3,)]


@pytest.mark.needs("symlinks")
def test_a_file_out_of_reach_is_not_taken_for_gone(
    raw: Path, passes: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cursor is kept, and the problem reported: it was forgotten, and nobody heard of it."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(lines_of(_RUN))
    passes.run()
    before = tables(passes.database)
    path.rename(raw / "kept")
    path.symlink_to(path)
    (problem,) = passes.run().problems
    assert "Too many levels" in problem
    assert tables(passes.database) == before


@pytest.mark.parametrize("fault", ["cut", "broken"])
def test_a_compressed_file_that_ends_before_its_cursor_stops_nobody(
    raw: Path, passes: Passes, fault: str
) -> None:
    """A copy that is torn over the file that was read: the pass failed, for all files."""
    path = raw / "events_20260101.ndjson.gz"
    whole = gzip.compress(
        lines_of([event(n, payload=f"{n * 7919:x}" * (n % 7)) for n in range(2_000)])
    )
    path.write_bytes(whole)
    passes.run()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + (b"" if fault == "cut" else b"\xff" * middle))
    (raw / "events_20260102.ndjson").write_bytes(encode(event(1, run_id="other")))
    assert passes.run().problems == []
    assert passes.all("SELECT count(*) FROM run_events") == [(2_001,)]
    path.write_bytes(whole)
    passes.run()
    assert passes.all("SELECT indexed FROM log_files WHERE name LIKE '%.gz'") == [(2_000,)]
    assert passes.unaccounted() == 0


def test_a_file_cut_while_it_was_compressed_gives_all_that_it_holds(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """What could be decoded was dropped with the error behind it, more or less by chance."""
    whole = gzip.compress(lines_of([event(n, payload=f"{n:x}" * 9) for n in range(3_000)]))
    path = raw / "events_20260101.ndjson.gz"
    for size in (len(whole) // 3, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:size])
        passes.run()
        held = zlib.decompressobj(31).decompress(whole[:size]).count(b"\n")
        assert passes.all("SELECT count(*) FROM run_events") == [(held,)]


def test_lines_before_a_cursor_are_counted_once_and_not_in_every_pass(
    raw: Path, passes: Passes, same_as_new: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A growing log of the earlier product would else be read again with each of its lines."""
    line = legacy_line(record_type="event", run_id="run", timestamp="2026-01-01T00:00:00Z")
    path = raw / "events_20260101.ndjson"
    read: list[int] = []
    real = ingest.lines_before
    monkeypatch.setattr(
        ingest, "lines_before", lambda file, offset: read.append(offset) or real(file, offset)
    )
    for number in range(1, 4):
        path.write_bytes(line * number)
        assert passes.run().lines == {"indexed": 1}
    assert read == [0]
    assert len(passes.all("SELECT event_id FROM run_events")) == 3


def test_an_escaped_mark_makes_no_legacy_line(raw: Path, passes: Passes, same_as_new: None) -> None:
    """It was counted when met and not when counted again: its id hung on where a pass began."""
    line = legacy_line(record_type="event", run_id="run", timestamp="2026-01-01T00:00:00Z")
    line = line.replace(b"record_type", b"record\\u005ftype")
    (raw / "events_20260101.ndjson").write_bytes(line)
    passes.run()
    _append(raw / "events_20260101.ndjson", line)
    passes.ingest = Ingest(passes.connection, raw)
    passes.run()
    assert passes.all("SELECT quarantined FROM log_files") == [(2,)]


def test_a_file_that_repeats_and_is_rewritten_as_another_goes_keeps_no_place(
    raw: Path, passes: Passes
) -> None:
    """Its cursor goes with the other's, and with it the knowledge that it changed."""
    made = [event(number) for number in range(5)]
    (raw / "a.ndjson").write_bytes(lines_of(made[:1]))
    (raw / "b.ndjson").write_bytes(lines_of(made[:4]))
    (raw / "c.ndjson").write_bytes(lines_of(made[4:]))
    passes.run()
    (raw / "a.ndjson").unlink()
    (raw / "b.ndjson").write_bytes(lines_of(made[:1]))
    (raw / "c.ndjson").write_bytes(lines_of(made[2:]))
    passes.run()
    assert passes.all("SELECT name, indexed, duplicate FROM log_files ORDER BY name") == [
        ("b.ndjson", 1, 0),
        ("c.ndjson", 3, 0),
    ]
    assert passes.all("SELECT event_id FROM run_events WHERE file_id = 0") == [("id-00000001",)]


def test_a_file_made_anew_with_the_same_size_and_inode_is_read(raw: Path, passes: Passes) -> None:
    """File systems give a freed inode away at once; days of one event have equal sizes."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(encode(event(1, run_id="a")))
    passes.run()
    with path.open("r+b") as file:
        file.write(encode(event(1, run_id="b")))
    passes.run()
    assert passes.all("SELECT run_id FROM run_events ORDER BY 1") == [("a",), ("b",)]


def test_the_count_of_old_lines_is_remembered_for_few_files(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """What is counted again costs time; what is never forgotten costs memory without end."""
    line = legacy_line(record_type="event", run_id="run", timestamp="2026-01-01T00:00:00Z")
    for number in range(6):
        _append(raw / f"events_{number}.ndjson", line)
    passes.run()
    assert sorted(passes.ingest._ordinals) == [f"events_{number}.ndjson" for number in range(2, 6)]
    for number in range(6):
        _append(raw / f"events_{number}.ndjson", line)
    assert passes.run().lines == {"indexed": 1, "duplicate": 5}


def test_what_is_quarantined_goes_with_its_file(raw: Path, passes: Passes) -> None:
    """Two hundred bytes of it are shown while the file is there, and nothing after."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(b"x" * 300 + b"\n")
    passes.run()
    assert passes.all("SELECT length, length(excerpt) FROM quarantine") == [(301, 200)]
    path.unlink()
    passes.run()
    assert passes.all("SELECT count(*) FROM quarantine") == [(0,)]


def test_a_pass_tells_what_it_read_and_reads_no_further_than_it_may(
    raw: Path, passes: Passes
) -> None:
    """Each batch's bytes and their sum; once asked to stop, no other file is begun."""
    for number in (1, 2):
        (raw / f"events_{number}.ndjson").write_bytes(encode(event(number)))
    noted: list[int] = []
    with small_batches(1):
        stopped = passes.ingest.run_pass(should_stop=lambda: True, on_progress=noted.append)
    assert (stopped.lines, stopped.read_bytes) == ({"indexed": 1}, len(encode(event(1))))
    assert passes.ingest.run_pass(on_progress=noted.append).lines == {"indexed": 1}
    assert noted == [len(encode(event(number))) for number in (1, 2)]


@pytest.mark.parametrize("by_another_connection", [True, False])
def test_cursors_that_somebody_else_dropped_are_noticed(
    raw: Path, passes: Passes, by_another_connection: bool
) -> None:
    """They are remembered from pass to pass, while nobody else writes the database."""
    (raw / "events_20260101.ndjson").write_bytes(lines_of(_RUN))
    passes.run()
    passes.run()
    writer = sqlite3.connect(passes.database) if by_another_connection else passes.connection
    for table in ("run_events", "agent_runs", "log_files"):
        writer.execute(f"DELETE FROM {table}")
    if by_another_connection:
        writer.commit()
        writer.close()
    assert passes.run().lines == {"indexed": 4}


def test_a_file_is_read_again_in_the_pass_that_finds_gone_what_it_repeats(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """It did not change itself, and was not among the files with news before."""
    (raw / "events_20260101.ndjson").write_bytes(lines_of(_RUN))
    (raw / "events_20260102.ndjson").write_bytes(lines_of(_RUN))
    passes.run()
    (raw / "events_20260101.ndjson").unlink()
    assert passes.run().lines == {"indexed": 4}


def test_events_of_one_batch_are_folded_in_the_order_of_their_times(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """Whatever the order of their ids, and of their lines."""
    later = event(3, "run.updated", product="later")._replace(id="id-a")
    earlier = event(2, "run.updated", product="earlier")._replace(id="id-b")
    (raw / "events_20260101.ndjson").write_bytes(lines_of([later, earlier]))
    passes.run()
    assert passes.run_row("run")["product"] == "later"


def test_the_count_of_old_lines_begins_anew_with_a_file_that_changed(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """A line is the first of its kind again, and so has the id that it had."""
    line = legacy_line(record_type="event", run_id="run", timestamp="2026-01-01T00:00:00Z")
    path = raw / "events_20260101.ndjson"
    path.write_bytes(line)
    passes.run()
    path.write_bytes(b"another beginning\n" + line)
    passes.run()
    assert passes.all("SELECT count(*) FROM run_events") == [(1,)]


def test_a_file_that_nothing_here_can_read_is_a_problem_and_stops_nobody(
    raw: Path, passes: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is missing; the next pass reads it if that is there by then."""
    (raw / "events_20260101.ndjson.zst").write_bytes(zstandard.compress(lines_of(_RUN[:1])))
    (raw / "events_20260102.ndjson").write_bytes(lines_of(_RUN[1:]))
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "zstandard", None)
        result = passes.run()
    assert (result.lines, result.is_complete) == ({"indexed": 3}, True)
    (problem,) = result.problems
    assert problem.startswith("events_20260101.ndjson.zst: ")
    assert passes.run().lines == {"indexed": 1}


def test_what_is_quarantined_goes_over_to_the_file_that_its_own_became(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """As a day's rows do when the day is compressed."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(b"bad\n" + lines_of(_RUN))
    passes.run()
    (raw / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert passes.run().lines == {}
    assert passes.all("SELECT file, offset FROM quarantine") == [(f"{path.name}.gz", 0)]


def test_rows_go_along_though_their_files_name_is_taken_by_another(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """A late event creates the plain file of a compressed day again; only that event is read."""
    path = raw / "events_20260101.ndjson"
    path.write_bytes(lines_of(_RUN))
    passes.run()
    (raw / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    path.write_bytes(lines_of([event(9)]))
    assert passes.run().lines == {"indexed": 1}


def test_a_file_that_changes_places_with_one_that_repeats_it_is_read_again(
    raw: Path, passes: Passes, same_as_new: None
) -> None:
    """Of two files that hold an event it is the first one's, by name, in the very same pass."""
    path, copy = raw / "events_20260101.ndjson", raw / "events_20260101.ndjson.a.ndjson"
    for one in (path, copy):
        one.write_bytes(lines_of(_RUN))
    passes.run()
    (raw / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    passes.run()
    assert passes.all("SELECT name, indexed, duplicate FROM log_files ORDER BY name") == [
        (copy.name, 4, 0),
        (f"{path.name}.gz", 0, 4),
    ]
