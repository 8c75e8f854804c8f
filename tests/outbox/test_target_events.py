"""Where a target starts: a function of the log, and what follows for the runs that it gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.outbox.receipts import start_of_target
from indexer.outbox.target_events import has_deliveries, last_retry_event, target_starts
from telemetry_core.event import FORWARD_SUBJECT, Event
from tests.support.database import event
from tests.support.forward import Queue, a_run, a_target, delivered

API = a_target()
_T = "2026-01-01T00:00:00.{:06d}Z".format


def _said(number: int, kind: str, **data: Any) -> Event:
    return event(number, f"forward.{kind}", FORWARD_SUBJECT, **data)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    opened = Queue(tmp_path / "raw", API, started=False)
    yield opened
    opened.connection.close()


def test_a_target_gets_the_runs_that_change_from_its_start_on(queue: Queue) -> None:
    """Not history; a run that was running, and an old one that changes, are news."""
    start, end = a_run("running", 40)
    queue.index(*a_run("old"), *a_run("old-but-changed", 10), start)
    assert queue.waiting() == {}, "it has not started"
    queue.index(_said(41, "started", target="api"))
    assert queue.waiting() == {}
    queue.index(
        end._replace(time=_T(50)),
        event(51, "run.updated", "old-but-changed", items_failed=1),
        *a_run("new", 60),
    )
    assert queue.waiting() == {"new": [2], "old-but-changed": [3], "running": [2]}


def test_a_backfill_sends_older_runs_once(queue: Queue) -> None:
    """Since a time or of all time; what was delivered is not sent again."""
    queue.index(*a_run("a"), *a_run("b", 10), *a_run("c", 20), delivered(25, "c", 2))
    queue.index(_said(30, "started", target="api"))
    queue.index(_said(31, "backfill_requested", target="api", since=_T(5)))
    assert queue.waiting() == {"b": [2]}
    queue.index(_said(32, "backfill_requested", target="api", since=""))
    assert queue.waiting() == {"a": [2], "b": [2]}
    queue.index(_said(33, "backfill_requested", target="api", since=_T(30)))
    assert queue.waiting() == {"a": [2], "b": [2]}, "a later time takes nothing back"


def test_a_new_database_has_the_same_starts(queue: Queue, tmp_path: Path) -> None:
    """They are in the log, so that a rebuild sends no history."""
    queue.index(*a_run("old"), _said(30, "started", target="api"), *a_run("new", 40))
    other = Queue(queue.directory, API, database="rebuilt.sqlite", started=False)
    other.index()
    assert other.waiting() == queue.waiting() == {"new": [2]}
    other.connection.close()


def test_a_target_whose_start_was_pruned_goes_on_where_it_was(queue: Queue) -> None:
    """Receipts, or what waits, show that it had started: it gets all that is left."""
    assert not has_deliveries(queue.connection, "api")
    queue.index(*a_run("a"), delivered(5, "a", 2, "other"))
    assert not has_deliveries(queue.connection, "api")
    queue.index(*a_run("b", 10), delivered(15, "b", 2))
    assert has_deliveries(queue.connection, "api")
    kind, subject, data = start_of_target("api", with_history=True)
    queue.index(event(30, kind, subject, **data))
    assert queue.waiting() == {"a": [2]}


def test_events_that_make_no_sense_start_nothing(queue: Queue) -> None:
    """A target that is not a text, a time that is none, a retry, an unknown type."""
    queue.index(
        _said(1, "started", target=5),
        _said(2, "started", since=""),
        _said(3, "backfill_requested", target="api", since="soon"),
        _said(4, "backfill_requested", target="api"),
        _said(5, "retried", target="api"),
        _said(6, "sideways", target="api"),
    )
    assert target_starts(queue.connection) == {}
    assert last_retry_event(queue.connection, "api") == "id-00000005"
    queue.index(_said(7, "started", target="api"), _said(8, "started", target="api"))
    assert target_starts(queue.connection) == {"api": _T(7)}, "the earliest counts"
