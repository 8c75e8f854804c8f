"""Receipts and raised alerts are noted where they are looked for, whatever becomes of them."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from indexer.log.segments import file_id
from indexer.store.connection import transaction
from indexer.store.events.by_type import count_differences
from indexer.store.events.table import delete_events_of
from telemetry_core.event import RUN_ALERT, RUN_DELIVERED, RUN_EVENT
from tests.support.database import Passes, event, lines_of

_LATER = event(3, RUN_DELIVERED, target="api", revision=2)
_ALERT = event(4, RUN_ALERT, message="m")
# Two different events claim one id: the smaller one, as the log compares them, gets it.
_FIRST = event(1, RUN_DELIVERED, target="api", revision=1)
_SECOND = event(2, RUN_DELIVERED, target="api", revision=1)._replace(id=_FIRST.id)
_CLAIMS = {
    "of the receipt": (_FIRST, event(1, RUN_EVENT, payload="a")),
    "of the other": (event(1, RUN_EVENT, payload="a"), _SECOND),
}


def _noted(made: Passes) -> list[tuple[str, str, str, str]]:
    return made.all("SELECT run_id, event_id, type, timestamp FROM events_by_type")


def _expected(made: Passes) -> list[tuple[str, str, str, str]]:
    return made.all(
        "SELECT run_id, event_id, type, timestamp FROM run_events"
        " WHERE type IN ('run.delivered', 'run.alert') ORDER BY run_id, event_id"
    )


@pytest.fixture
def made(tmp_path: Path) -> Passes:
    """Passes over an empty log."""
    (tmp_path / "raw").mkdir()
    return Passes(tmp_path / "raw", tmp_path / "live.sqlite")


@pytest.mark.parametrize("claim", list(_CLAIMS))
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_what_is_noted_is_what_is_stored(
    made: Passes, tmp_path: Path, order: tuple[int, ...], at_once: bool, claim: str
) -> None:
    """In any order, at once or one by one, under an id that is taken or that is taken away."""
    events = [*_CLAIMS[claim], _LATER, _ALERT]
    for number in order:
        (tmp_path / "raw" / f"{number}.ndjson").write_bytes(lines_of([events[number]] * 2))
        if not at_once:
            made.run()
    made.run()
    assert len(_noted(made)) == 3
    assert _noted(made) == _expected(made)
    assert count_differences(made.connection) == 0


def test_what_is_deleted_is_noted_no_longer(made: Passes, tmp_path: Path) -> None:
    """The events of a deleted segment go from both tables, and no others."""
    (tmp_path / "raw" / "a.ndjson").write_bytes(lines_of([_LATER]))
    (tmp_path / "raw" / "b.ndjson").write_bytes(lines_of([_ALERT]))
    made.run()
    with transaction(made.connection):
        delete_events_of(made.connection, [file_id("a.ndjson")])
    assert [row[2] for row in _noted(made)] == [RUN_ALERT]
    assert _noted(made) == _expected(made)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM events_by_type",
        "UPDATE events_by_type SET type = 'run.delivery_failed'",
        "UPDATE events_by_type SET timestamp = 'x'",
        "INSERT INTO events_by_type VALUES ('run', 'none', 'run.alert', 'x')",
    ],
)
def test_a_difference_is_counted(made: Passes, tmp_path: Path, change: str) -> None:
    """A row that is missing, is another or is too much: verify says so."""
    (tmp_path / "raw" / "a.ndjson").write_bytes(lines_of([_LATER]))
    made.run()
    made.connection.execute(change)
    assert count_differences(made.connection) > 0
