"""Which runs wait for which target: kept in the transaction that folds them."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.database.freshness import index_once
from indexer.database.rebuild import rebuild
from indexer.errors import CursorMoved
from indexer.store.connection import open_writer
from indexer.store.events.deduplication import StoreResult
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.event import Event
from tests.support import forward
from tests.support.batches import small_batches
from tests.support.database import event, lines_of
from tests.support.forward import Queue, a_run, a_target, delivered, rejected

API, OTHER = a_target(), a_target("other")


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The queues of a test are closed when it is over."""
    with ExitStack() as opened:

        def open_for_now(path: Path, journal_mode: str) -> sqlite3.Connection:
            return opened.enter_context(closing(open_writer(path, journal_mode)))

        monkeypatch.setattr(forward, "open_writer", open_for_now)
        yield


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


def test_a_run_waits_once_it_has_ended(raw: Path) -> None:
    """Not before; then with the key and the bytes that every attempt will have."""
    queue = Queue(raw, API)
    start, end = a_run("r")
    queue.index()
    queue.index(start)
    assert queue.waiting() == {}
    queue.index(end)
    assert queue.waiting() == {"r": [2]}
    key, payload = queue.connection.execute("SELECT key, payload FROM outbox").fetchone()
    assert key == "r:2"
    assert json.loads(payload)["status"] == "success"


def test_a_run_is_queued_with_its_row_or_not_at_all(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the transaction that folds it is undone, nothing waits."""
    queue = Queue(raw, API)
    queue.index()

    take = queue.due.update

    def fail(placed: StoreResult) -> None:
        take(placed)
        assert queue.waiting() == {"r": [2]}, "inside the transaction it is there"
        raise CursorMoved("on purpose")

    monkeypatch.setattr(queue.ingest, "_listeners", [fail])
    with pytest.raises(CursorMoved):
        queue.index(*a_run("r"))
    assert queue.waiting() == {}


def test_a_newer_revision_takes_the_place_of_one_never_tried(raw: Path) -> None:
    """What was tried stays, with its bytes, and goes first."""
    queue = Queue(raw, API)
    queue.index(*a_run("r"))
    queue.index(event(5, "run.updated", "r", items_failed=1))
    assert queue.waiting() == {"r": [3]}
    queue.try_all()
    before = queue.rows()
    queue.index(event(6, "run.updated", "r", items_failed=2))
    queue.index(event(7, "run.updated", "r", items_failed=3))
    assert queue.waiting() == {"r": [3, 5]}
    assert queue.rows()[:1] == before
    queue.index(delivered(8, "r", 5))
    assert queue.waiting() == {}, "who has the newer one needs no older one"


@pytest.mark.parametrize("later", ["a", "z"])
def test_two_events_that_claim_one_id_make_a_revision_each(raw: Path, later: str) -> None:
    """Whichever of the two comes last, and whichever keeps the id."""
    queue = Queue(raw, API)
    queue.index(*a_run("r"), event(5, "run.updated", "r", product="m"))
    assert queue.waiting() == {"r": [3]}
    queue.index(event(5, "run.updated", "r", product=later))
    assert queue.waiting() == {"r": [4]}


def test_agents_events_and_receipts_change_nothing_that_waits(raw: Path) -> None:
    """They make no revision, and the same bytes go on waiting."""
    queue = Queue(raw, API)
    queue.index(*a_run("r"))
    before = queue.rows()
    queue.index(
        event(8, "run.event", "r", event_type="x"),
        event(
            9,
            "run.delivery_failed",
            "r",
            target="api",
            revision=2,
            outcome="failed",
            reason="HTTP 500",
        ),
    )
    assert queue.rows() == before


def test_a_receipt_settles_its_target_and_no_other(raw: Path) -> None:
    """What was delivered to one is still to be delivered to the other."""
    queue = Queue(raw, API, OTHER)
    queue.index(*a_run("r"), *a_run("s", 10))
    queue.try_all()
    queue.index(delivered(20, "r", 2))
    assert (queue.waiting(), queue.waiting("other")) == ({"s": [2]}, {"r": [2], "s": [2]})
    queue.index(delivered(21, "r", 2, "other"), delivered(22, "s", 2, "other"))
    assert (queue.waiting(), queue.waiting("other")) == ({"s": [2]}, {})


def test_a_dead_letter_waits_for_a_retry_and_its_next_revision_does_not(raw: Path) -> None:
    """What a target did not want is not sent again by itself; what has changed since is."""
    queue = Queue(raw, API)
    queue.index(*a_run("r"), *a_run("s", 10))
    queue.try_all()
    queue.index(rejected(20, "r", 2), rejected(21, "s", 2))
    assert queue.waiting() == {}
    queue.index(event(22, "run.updated", "r", items_failed=1))
    assert queue.waiting() == {"r": [3]}
    queue.index(
        event(23, "run.delivery_retried", "s", target="api", revision=2, receipt="id-00000021")
    )
    assert queue.waiting() == {"r": [3], "s": [2]}
    queue.index(rejected(24, "s", 2))
    assert queue.waiting() == {"r": [3]}


def test_a_target_gets_the_agents_and_statuses_that_it_wants(raw: Path) -> None:
    """Filters choose by the run as it is now."""
    choosy = a_target("choosy", agents=("craw*",), statuses=("failed",))
    queue = Queue(raw, choosy)
    queue.index(
        *a_run("good"),
        *a_run("bad", 10, status="failed"),
        *a_run("else", 20, agent_name="importer", status="failed"),
    )
    assert queue.waiting("choosy") == {"bad": [2]}
    queue.index(
        event(30, "run.updated", "bad", status="partial"),
        event(31, "run.updated", "good", status="failed"),
    )
    assert queue.waiting("choosy") == {"good": [3]}


def test_what_was_folded_without_the_target_is_made_up_for(raw: Path) -> None:
    """A command that knows of no target may index, and a target may come years later."""
    Queue(raw).index(*a_run("early"))
    with_target = Queue(raw, API)
    with_target.index()
    assert with_target.waiting() == {"early": [2]}
    Queue(raw).index(*a_run("between", 10))
    assert with_target.waiting() == {"early": [2]}
    with_target.index()
    assert with_target.waiting() == {"early": [2], "between": [2]}


def test_a_change_of_settings_makes_anew_what_was_never_tried(raw: Path) -> None:
    """Other fields, another filter: but one key never has two bodies."""
    queue = Queue(raw, API)
    queue.index(*a_run("r", website="w"), *a_run("s", 10, website="w"))
    queue.connection.execute("UPDATE outbox SET attempts = 1 WHERE run_id = 'r'")
    wider = Queue(raw, a_target(all_fields=True))
    wider.index()
    bodies = {row[1]: (row[3], b"website" in row[4]) for row in wider.rows()}
    assert bodies == {"r": ("r:2", False), "s": ("s:2:all", True)}
    Queue(raw, OTHER).index()
    assert queue.waiting() == {"r": [2]}, "the bytes of what was tried are kept"


def test_a_first_pass_queues_nothing_before_it_has_read_the_whole_log(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a log gives states that never lasted; receipts are in later files."""
    queue = Queue(raw, API)
    queue.append(*a_run("r"))
    queue.append(
        event(5, "run.updated", "r", items_failed=1),
        delivered(6, "r", 3),
        file="events_20260102.ndjson",
    )
    seen = []
    take = queue.due.update

    def watched(placed: StoreResult) -> None:
        take(placed)
        seen.append(queue.waiting())

    monkeypatch.setattr(queue.ingest, "_listeners", [watched])
    with small_batches(1):
        queue.index()
    assert len(seen) >= 4
    assert not any(seen)
    assert queue.waiting() == {}


def _history(rng: random.Random) -> list[Event]:
    """Some runs with all that may become of them, in the order of their times."""
    events: list[Event] = []
    for run in ("p", "q", "r"):
        number = 2
        events += a_run(run, rng.randrange(5))
        for _ in range(rng.randrange(6)):
            at = 100 + len(events)
            kind = rng.choice(["update", "delivered", "rejected", "retried", "event", "failed"])
            target = rng.choice(["api", "other"])
            revision = rng.randrange(1, number + 1)
            if kind == "update":
                number += 1
                events.append(event(at, "run.updated", run, items_failed=number))
            elif kind == "delivered":
                events.append(delivered(at, run, revision, target))
            elif kind == "rejected":
                events.append(rejected(at, run, revision, target))
            elif kind == "retried":
                receipt = f"id-{rng.randrange(100, at + 3):08d}"
                events.append(
                    event(
                        at,
                        "run.delivery_retried",
                        run,
                        target=target,
                        revision=revision,
                        receipt=receipt,
                    )
                )
            else:
                events.append(event(at, "run.event", run, event_type=kind))
    return events


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_waits_does_not_hang_on_how_the_log_was_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """In any order, any files and any number of passes: what one look at all of it queues."""
    rng = random.Random(seed)
    events = _history(rng)
    directory = tmp_path_factory.mktemp("queue") / "raw"
    live = Queue(directory, API, OTHER)
    shuffled = rng.sample(events, len(events))
    live.index()
    while shuffled:
        some = [shuffled.pop() for _ in range(min(len(shuffled), rng.randrange(1, 5)))]
        with small_batches(rng.choice([1, 2, 1000])):
            live.index(*some, file=f"events_2026010{rng.randrange(1, 4)}.ndjson")
    afresh = Queue(directory, API, OTHER, database="afresh.sqlite")
    afresh.index()
    assert [row[:6] for row in live.rows()] == [row[:6] for row in afresh.rows()]
    live.connection.close()
    afresh.connection.close()


def _configured(base: Path, monkeypatch: pytest.MonkeyPatch) -> TelemetryConfig:
    forward.start_targets(base / "raw", "api")
    return TelemetryConfig.for_base(base, {"METRICS_API_URL": "http://127.0.0.1:1/"})


def _outbox(config: TelemetryConfig) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(config.database_path)) as connection:
        return connection.execute("SELECT run_id, attempts FROM outbox ORDER BY 1").fetchall()


def test_a_rebuild_keeps_what_was_tried_and_queues_what_came_since(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outbox goes over to the new view; receipts that it had not read settle it."""
    config = _configured(base, monkeypatch)
    log = base / "raw" / "events_20260101.ndjson"
    log.write_bytes(lines_of(a_run("a") + a_run("b", 10) + a_run("c", 20)))
    index_once(Base(config))
    with sqlite3.connect(config.database_path) as connection:
        connection.execute("UPDATE outbox SET attempts = 4 WHERE run_id IN ('a', 'b')")
    connection.close()
    with open(log, "ab") as file:
        file.write(lines_of([delivered(30, "a", 2), *a_run("d", 40)]))
    rebuild(Base(config))
    index_once(Base(config))
    assert _outbox(config) == [("b", 4), ("c", 0), ("d", 0)]


def test_what_was_delivered_is_not_queued_again_after_the_database_was_deleted(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipts in the log are enough."""
    config = _configured(base, monkeypatch)
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(a_run("a") + a_run("b", 10)))
    (base / "raw" / "events_20260102.ndjson").write_bytes(
        lines_of([delivered(30, "a", 2), rejected(31, "b", 2)])
    )
    index_once(Base(config))
    assert _outbox(config) == []
