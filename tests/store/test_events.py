"""What becomes of events that claim the same id, whatever came first."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path

import pytest

from indexer.store.events.codec import StoredEvent, alternative_id, event_of_row, row_of_event
from indexer.store.events.deduplication import store_events
from indexer.store.events.table import rows_not_stored
from telemetry_core.event import Event
from tests.support.database import Passes, event, lines_of, tables

_FIRST, _OTHER = event(1, payload="a"), event(1, payload="b")
# What is displaced from its id goes under this one, which is an id like any other.
_DERIVED = alternative_id(StoredEvent._make(row_of_event(_OTHER, 0, 0, 0)))


def _indexed(directory: Path, files: list[list[Event]], order: tuple[int, ...]) -> Passes:
    """Passes over files that came one by one, in an order, named by their number."""
    raw = directory / "raw"
    raw.mkdir(parents=True)
    made = Passes(raw, directory / "live.sqlite")
    for number in order:
        (raw / f"{number}.ndjson").write_bytes(lines_of(files[number]))
        made.run()
    return made


def _payloads(made: Passes) -> list[tuple[str, str]]:
    return made.all("SELECT event_id, payload_json FROM run_events ORDER BY event_id")


def _assert_as_in_one_pass(made: Passes, directory: Path) -> None:
    fresh = Passes(made.database.parent / "raw", directory / "new.sqlite")
    fresh.run()
    assert tables(made.database) == tables(fresh.database)
    assert made.unaccounted() == 0
    fresh.connection.close()
    made.connection.close()


@pytest.mark.parametrize("theirs", ["A", "z"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_id_that_another_was_given_is_settled_like_any_other(
    tmp_path: Path, order: tuple[int, ...], theirs: str
) -> None:
    """All three events are kept, whichever has the smaller content: the displaced one was lost."""
    literal = event(1, payload=theirs)._replace(id=_DERIVED)
    made = _indexed(tmp_path, [[_FIRST], [_OTHER], [literal]], order)
    found = _payloads(made)
    assert sorted(payload for _, payload in found) == sorted(['"a"', '"b"', f'"{theirs}"'])
    assert found[1][1] == min('"b"', f'"{theirs}"')
    _assert_as_in_one_pass(made, tmp_path)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_comes_to_stand_under_its_own_derived_id_is_one_event(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    """The same content under both ids repeats, and the later of its lines counts as duplicate."""
    # Other lines next to them, so that the first one of two files is at the same offset.
    derived = _OTHER._replace(id=_DERIVED)
    files = [[event(4), _FIRST], [event(5), _OTHER], [derived, event(6)]]
    made = _indexed(tmp_path, files, order)
    assert _payloads(made)[:2] == [(_FIRST.id, '"a"'), (_DERIVED, '"b"')]
    assert made.all("SELECT indexed, duplicate FROM log_files ORDER BY name") == [
        (2, 0),
        (2, 0),
        (1, 1),
    ]
    _assert_as_in_one_pass(made, tmp_path)


@pytest.mark.parametrize(
    "events", list(permutations([_FIRST, _OTHER, _OTHER._replace(id=_DERIVED)]))
)
def test_a_batch_may_displace_its_own_events(tmp_path: Path, events: tuple[Event, ...]) -> None:
    """What was counted for a line a moment ago is counted again, though nothing is committed."""
    made = _indexed(tmp_path, [list(events)], (0,))
    assert _payloads(made) == [(_FIRST.id, '"a"'), (_DERIVED, '"b"')]
    assert made.all("SELECT indexed, duplicate FROM log_files") == [(2, 1)]
    _assert_as_in_one_pass(made, tmp_path)


def _stored(*events: Event) -> list[StoredEvent]:
    return [StoredEvent._make(row_of_event(one, 7, 10, 20)) for one in events]


def test_an_event_of_an_agents_own_is_stored_by_its_type_and_payload() -> None:
    """And with no more than that, where it says no more."""
    (row,) = _stored(event(1, event_type="step", payload={"n": 1}))
    assert (row.event_type, row.payload_json, row.extra_json) == ("step", '{"n":1}', None)
    assert (row.file_id, row.offset, row.length) == (7, 10, 20)
    (bare,) = _stored(event(1, event_type="step"))
    assert (bare.event_type, bare.payload_json, bare.extra_json) == ("step", None, None)


def test_what_an_event_says_besides_is_kept_beside_it() -> None:
    """Fields that nobody knows, and the attributes of the envelope."""
    more = event(1, event_type=["odd"], payload=1, colour="red")
    plain, extended = _stored(more, more._replace(extensions={"dataschema": "s"}))
    assert (plain.event_type, plain.extra_json) == ('["odd"]', '{"data":{"colour":"red"}}')
    assert extended.extra_json == '{"dataschema":"s","data":{"colour":"red"}}'
    (untyped,) = _stored(event(1, payload=1))
    assert untyped.event_type == "run.event"
    (list_,) = _stored(event(1)._replace(data=[1]))
    assert (list_.event_type, list_.payload_json) == ("run.event", "[1]")


def test_an_event_comes_back_from_its_row_as_the_fold_wants_it() -> None:
    """A refold sees what the first fold saw."""
    for one in (
        event(1, "run.started", agent_name="a")._replace(extensions={"processstart": "5"}),
        event(2, event_type="step", payload={"n": 1}),
        event(3, "run.delivered", revision=1),
    ):
        (row,) = _stored(one)
        assert event_of_row(row) == one
    (empty,) = _stored(event(1, "run.updated")._replace(data=None))
    assert event_of_row(empty).data is None


def test_a_row_that_has_no_place_stays_with_the_one_that_has(tmp_path: Path) -> None:
    """What is displaced from a file that is gone repeats what stands elsewhere."""
    derived = _OTHER._replace(id=_DERIVED)
    made = _indexed(tmp_path, [[_FIRST], [_OTHER], [derived]], (1,))
    (tmp_path / "raw" / "1.ndjson").unlink()
    (tmp_path / "raw" / "2.ndjson").write_bytes(lines_of([derived]))
    made.run()
    (tmp_path / "raw" / "0.ndjson").write_bytes(lines_of([_FIRST]))
    made.run()
    assert _payloads(made) == [(_FIRST.id, '"a"'), (_DERIVED, '"b"')]
    assert made.all("SELECT name, indexed, duplicate FROM log_files ORDER BY name") == [
        ("0.ndjson", 1, 0),
        ("2.ndjson", 1, 0),
    ]
    assert made.unaccounted() == 0
    made.connection.close()


def test_the_id_of_the_other_tells_what_it_was_and_what_it_holds() -> None:
    """Sixteen digits of a hash of all that it says, behind the id that it claims."""
    assert re.fullmatch(re.escape(_OTHER.id) + "~[0-9a-f]{16}", _DERIVED)
    (same,) = _stored(_OTHER)
    assert alternative_id(same) == _DERIVED, "where it stands is no part of it"
    for change in (
        {"timestamp": "x"},
        {"type": "x"},
        {"source": "x"},
        {"event_type": "x"},
        {"payload_json": "x"},
        {"extra_json": "x"},
    ):
        assert alternative_id(same._replace(**change)) != _DERIVED


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_row_follows_the_event_that_has_the_id(tmp_path: Path, order: tuple[int, ...]) -> None:
    """Who is displaced sorts elsewhere then, so the run is folded again."""
    claims = [
        event(2, "run.updated", product="a", website="w"),
        event(2, "run.updated", product="b"),
    ]
    made = _indexed(tmp_path, [[event(1, "run.started")], *([one] for one in claims)], order)
    row = made.run_row("run")
    assert (row["product"], row["website"], row["event_count"]) == ("b", "w", 3)
    _assert_as_in_one_pass(made, tmp_path)


def test_a_line_that_is_met_again_has_its_run_folded_anew(tmp_path: Path) -> None:
    """Cursors see to it that none is; if one were, it would not be counted twice."""
    made = _indexed(tmp_path, [[_FIRST]], (0,))
    (row,) = made.all("SELECT * FROM run_events")
    placed = store_events(made.connection, [row])
    assert (placed.duplicates, placed.refold) == (0, {_FIRST.run_id})
    other = store_events(made.connection, [(*row[:1], "id-new", *row[2:9], row[9] + 1, row[10])])
    assert (len(other.new), other.refold) == (1, set())
    repeated = store_events(made.connection, [(*row[:9], row[9] + 1000, row[10])])
    assert (repeated.duplicates, repeated.refold) == (1, set()), "another line of the same event"


def test_many_events_are_placed_as_one_by_one(tmp_path: Path) -> None:
    """Fifty go in at a time; among them may be any number that are known."""
    events = [event(number) for number in range(120)]
    made = _indexed(tmp_path, [events, events[::7]], (0, 1))
    assert made.all("SELECT count(*) FROM run_events") == [(120,)]
    assert made.all("SELECT indexed, duplicate FROM log_files ORDER BY name") == [(120, 0), (0, 18)]
    assert made.all("SELECT event_count FROM agent_runs") == [(120,)]
    _assert_as_in_one_pass(made, tmp_path)


def test_a_line_met_again_among_events_that_displace_others_is_folded_anew(tmp_path: Path) -> None:
    """Both are causes of their own, and neither takes the other's away."""
    made = _indexed(tmp_path, [[_FIRST, event(9, run_id="other")]], (0,))
    (row,) = made.all("SELECT * FROM run_events WHERE run_id = 'other'")
    (smaller,) = _stored(_FIRST._replace(data={"payload": "Z"}))
    placed = store_events(made.connection, [row, tuple(smaller)])
    assert placed.refold == {"run", "other"}
    (alone,) = _stored(_FIRST._replace(data={"payload": "Y"}))
    assert store_events(made.connection, [tuple(alone)]).refold == {"run"}


def test_events_that_claim_one_id_may_differ_in_having_a_payload(tmp_path: Path) -> None:
    """What is nothing and what is text have no order, and are both kept."""
    made = _indexed(tmp_path, [[_FIRST, event(1)]], (0,))
    assert [payload for _, payload in _payloads(made)] == [None, '"a"']
    _assert_as_in_one_pass(made, tmp_path)


def test_rows_that_do_not_stand_there_as_they_are_are_told(tmp_path: Path) -> None:
    """Of many: one that nobody has, one that says something else, and one of another line."""
    events = [event(number, run_id=f"run-{number % 7}") for number in range(120)]
    made = _indexed(tmp_path, [events], (0,))
    rows = made.all("SELECT * FROM run_events")
    assert rows_not_stored(made.connection, list(reversed(rows))) == []
    for place in (0, 49, 50, 119):
        row = rows[place]
        others = [("aa", *row[1:]), (*row[:3], "never", *row[4:]), (*row[:9], row[9] + 1, row[10])]
        given = [*rows[:place], *others, *rows[place + 1 :]]
        assert set(rows_not_stored(made.connection, given)) == set(others)
    made.connection.close()


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_of_imported_and_received_events_the_id_alone_decides(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    """The smallest copy is stored, the others are duplicates; an event of another kind is none."""
    copies = [
        event(1, "session.codex", position=position)._replace(source="telemetry/import")
        for position in ("0000000003", "0000000001", "0000000003")
    ]
    made = _indexed(tmp_path, [[copies[0]], [copies[1]], [copies[2]], [_FIRST]], order)
    stored = made.all("SELECT type, payload_json FROM run_events ORDER BY type")
    assert stored == [("run.event", '"a"'), ("session.codex", '{"position":"0000000001"}')]
    counted = made.all("SELECT name, indexed, duplicate FROM log_files ORDER BY name")
    assert counted == [
        ("0.ndjson", 0, 1),
        ("1.ndjson", 1, 0),
        ("2.ndjson", 0, 1),
        ("3.ndjson", 1, 0),
    ]
    _assert_as_in_one_pass(made, tmp_path)


@pytest.mark.parametrize("read_twice", [False, True])
def test_what_repeats_in_one_batch_is_a_duplicate_of_the_first(
    tmp_path: Path, read_twice: bool
) -> None:
    """Only the first line of an id is new; a line that was read twice is no line of its own."""
    (tmp_path / "raw").mkdir()
    made = Passes(tmp_path / "raw", tmp_path / "live.sqlite")
    run = [event(number, payload="a") for number in range(60)]
    rows = [row_of_event(one, 7, 10 * place, 10) for place, one in enumerate(run)]
    again = row_of_event(run[5], 7, 50 if read_twice else 9_000, 10)
    made.connection.execute(
        "INSERT INTO log_files (name, file_id, device, inode, size, changed, head_length,"
        " head_hash, guard_length, guard_hash, offset) VALUES ('a', 7, 0, 0, 0, 0, 0, '', 0, '', 0)"
    )
    stored = store_events(made.connection, [*rows, again])
    assert stored.duplicates == (0 if read_twice else 1)
    assert stored.refold == ({"run"} if read_twice else set())
    assert rows_not_stored(made.connection, list(rows)) == []
    assert made.all("SELECT count(*) FROM run_events") == [(60,)]
