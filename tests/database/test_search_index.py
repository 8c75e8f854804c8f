"""The search index follows the settings and the events, whatever happens to both."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from indexer.database import search_index
from indexer.database.freshness import index_once
from indexer.database.rebuild import rebuild
from indexer.database.verify import verify
from indexer.retention.prune import prune
from indexer.retention.redact import redact
from indexer.retention.scan import redactor_for_scan
from indexer.store.connection import reading
from indexer.store.search.query import events_with, is_indexed, missing_events
from indexer.store.search.tables import is_supported
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import Cli
from tests.support.database import event, lines_of
from tests.support.secrets import SECRETS

pytestmark = pytest.mark.skipif(not is_supported(), reason="this SQLite has no trigrams")


def _set(base: Path, text: str) -> None:
    path = Base.at(base, {}).settings_path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _on(base: Path) -> None:
    _set(base, "[search]\nindex = true\n")


def _found(base: Path, text: str) -> list[Any]:
    with reading(Base.at(base, {}).database_path) as connection:
        return events_with(connection, text, "", None, 1_000)


def _is_indexed(base: Path) -> bool:
    with reading(Base.at(base, {}).database_path) as connection:
        assert missing_events(connection) == 0 if is_indexed(connection) else True
        return is_indexed(connection)


def test_nothing_is_indexed_unless_asked_for(base: Path, client: TelemetryClient) -> None:
    """The scan stays; so it does after the setting is gone, and the tables go."""
    client.log_event("run", "e", "a needle")
    index_once(Base.at(base, {}))
    assert not _is_indexed(base)
    _on(base)
    index_once(Base.at(base, {}))
    assert _is_indexed(base)
    _set(base, "")
    index_once(Base.at(base, {}))
    with reading(Base.at(base, {}).database_path) as connection:
        left = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'search%'")
        assert left.fetchall() == []
    assert len(_found(base, "needle")) == 1


def test_what_was_there_before_is_added_in_parts(
    base: Path, client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With new events between the parts, before and behind where it stands: each once."""
    monkeypatch.setattr(search_index, "_EVENTS_AT_ONCE", 3)
    for number in range(10):
        client.log_event(f"run-{number % 4}", "e", f"needle {number}")
    index_once(Base.at(base, {}))
    _on(base)
    parts = iter([False, False, True])
    with closing(search_index_session(base, lambda: next(parts, True))) as session:
        session.run_pass()
    assert not _is_indexed(base)
    for number in range(10, 20):
        client.log_event(f"run-{number % 4}", "e", f"needle {number}")
    index_once(Base.at(base, {}))
    assert _is_indexed(base)
    assert len(_found(base, "needle")) == 20


def search_index_session(base: Path, should_stop: Any) -> Any:
    from indexer.database.session import Session

    return Session.open(Base.at(base, {}), should_stop=should_stop)


def test_a_rebuild_gives_the_same_index(base: Path, client: TelemetryClient) -> None:
    """Searches give the same, and verify has nothing to say."""
    _on(base)
    for number in range(50):
        client.log_event(f"run-{number % 4}", "e", f"needle {number}")
    index_once(Base.at(base, {}))
    before = _found(base, "needle 1")
    rebuild(Base.at(base, {}))
    assert _is_indexed(base)
    assert _found(base, "needle 1") == before
    assert verify(Base.at(base, {})).differences == []


def test_a_copy_that_takes_an_events_place_is_found(base: Path) -> None:
    """Two events that claim one id are both found by their own text, in any order."""
    _on(base)
    raw = base / "raw"
    raw.mkdir(parents=True)
    first, second = event(1, payload="the larger one"), event(1, payload="a smaller one")
    (raw / "events_20260101.ndjson").write_bytes(lines_of([first]))
    index_once(Base.at(base, {}))
    (raw / "events_20260102.ndjson").write_bytes(lines_of([second]))
    index_once(Base.at(base, {}))
    assert _is_indexed(base)
    assert len(_found(base, "the larger")) == 1
    assert len(_found(base, "a smaller")) == 1


def test_an_index_that_lacks_an_event_is_reported(base: Path, client: TelemetryClient) -> None:
    """By verify; a rebuild makes it good."""
    _on(base)
    client.log_event("run", "e", "a needle")
    index_once(Base.at(base, {}))
    with closing(sqlite3.connect(Base.at(base, {}).database_path)) as connection:
        connection.execute("DELETE FROM search_events")
        connection.commit()
    assert verify(Base.at(base, {})).differences == ["the search index lacks 1 events"]


def _terms(base: Path) -> set[str]:
    """Every sequence of characters in the index."""
    with closing(sqlite3.connect(Base.at(base, {}).database_path)) as connection:
        connection.execute(
            "CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, search_text, row)"
        )
        return {row[0] for row in connection.execute("SELECT term FROM temp.terms")}


def test_what_is_pruned_leaves_the_index(base: Path) -> None:
    """With every trace of its text."""
    _on(base)
    raw = base / "raw"
    raw.mkdir(parents=True)
    (raw / "events_20260101.ndjson").write_bytes(
        lines_of([event(1, "run.event", "a", payload="zqxj")])
    )
    (raw / "events_20260102.ndjson").write_bytes(
        lines_of([event(2, "run.event", "b", payload="stays")])
    )
    index_once(Base.at(base, {}))
    assert {"zqx", "qxj", "sta"} <= _terms(base)
    assert prune(Base.at(base, {}), ["events_20260101.ndjson"]) == {}
    assert not {"zqx", "qxj"} & _terms(base)
    assert len(_found(base, "stays")) == 1
    assert _is_indexed(base)


def test_what_is_redacted_leaves_the_index(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of a secret can be found, nor read in its tables."""
    _on(base)
    monkeypatch.setenv("TELEMETRY_REDACT", "off")
    secret = SECRETS[0][1]
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_REDACT": "off"}))
    with client.track_run("agent", "job") as run:
        run.log_event("e", {"text": f"before {secret} behind"})
    client.close()
    index_once(Base.at(base, {}))
    before = _terms(base)
    assert len(_found(base, secret)) == 1
    redact(Base.at(base, {}), redactor_for_scan({}))
    assert _found(base, secret) == []
    assert len(_found(base, "behind")) == 1
    parts = {secret[n : n + 3].lower() for n in range(len(secret) - 2)}
    gone = parts - _terms(base)
    assert parts <= before
    assert len(gone) > len(parts) / 2


def test_settings_that_cannot_be_read_change_nothing(base: Path, client: TelemetryClient) -> None:
    """The index stays, and status says what is wrong with the file."""
    _on(base)
    client.log_event("run", "e", "a needle")
    index_once(Base.at(base, {}))
    _set(base, "[search\n")
    index_once(Base.at(base, {}))
    assert _is_indexed(base)


def test_a_setting_that_is_none_is_reported(
    base: Path, client: TelemetryClient, capsys: Any
) -> None:
    """With what to write."""
    _set(base, "[search]\nindex = 'yes'\n")
    with client.track_run("agent", "job"):
        pass
    assert "write [search] with nothing but" in Cli(base, capsys)("status").out
