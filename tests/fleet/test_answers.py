"""A question has the same answer on SQLite and on the fleet's ClickHouse."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from indexer.database.freshness import index_once
from indexer.fleet.schema.layout import Layout
from indexer.fleet.schema.summaries import summary_views
from indexer.fleet.schema.views import base_views
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.event import Event
from tests.support.clickhouse import Centre, Server
from tests.support.database import event, lines_of
from tests.support.fleet_copy import copy_database
from tests.support.history import two_weeks
from tests.support.process import ROOT
from tests.support.working_agents import more_work, working_agents

pytestmark = pytest.mark.needs("clickhouse")

_PAGE = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
_SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_SQL = re.compile(r"^```sql(?: clickhouse)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_QUESTIONS = {title: _SQL.findall(text) for title, text in _SECTION.findall(_PAGE)}
_LAYOUT = Layout("any")
_VIEWS = (*base_views(_LAYOUT), *summary_views(_LAYOUT))
_BASES = ("history", "work", "odd")


class Answer(NamedTuple):
    """What a query gave."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


class Both:
    """The same rows in both databases."""

    def __init__(self, path: Path, centre: Centre) -> None:
        self._path = path
        self._centre = centre

    def here(self, sql: str) -> Answer:
        with closing(sqlite3.connect(self._path)) as database:
            cursor = database.execute(sql)
            return _answer([one[0] for one in cursor.description], cursor.fetchall())

    def there(self, sql: str) -> Answer:
        return _answer(*self._centre.client.select(sql))


def _answer(columns: list[str], rows: list[Any]) -> Answer:
    return Answer(columns, sorted((tuple(map(_rounded, row)) for row in rows), key=repr))


def _rounded(value: Any) -> Any:
    """Sums of fractions depend on the order of adding; whole ones have no point in JSON."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else round(value, 6)
    return value


@pytest.fixture(scope="module")
def bases(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Both]]:
    """Two weeks of four agents, what agents did in spans, and rows that are hard on views."""
    directory = tmp_path_factory.mktemp("answers")
    centres = {name: Centre(server, f"answers_{name}") for name in _BASES}
    found: dict[str, Both] = {}
    for name, centre in centres.items():
        base = Base(TelemetryConfig.for_base(directory / name))
        _WRITERS[name](directory / name)
        index_once(base)
        copy_database(base.database_path, centre)
        found[name] = Both(base.database_path, centre)
    yield found
    for centre in centres.values():
        centre.client.close()


def _work(base: Path) -> None:
    _write(base, [*working_agents(), *more_work()])
    (base / "config").mkdir()
    (base / "config" / "prices.toml").write_text('[models."claude*"]\ninput = 3\noutput = 15\n')


def _odd(base: Path) -> None:
    """Circles of parents, a chain, a run that two hosts wrote, numbers at their limits."""
    chain = [_of(f"n{n:03d}", 100 + n, parent_run_id=f"n{n - 1:03d}") for n in range(1, 4)]
    circles = [
        _of("a", 1, parent_run_id="b", agent_name="x"),
        _of("b", 2, parent_run_id="c"),
        _of("c", 3, parent_run_id="b", status="failed"),
        _of("own", 4, parent_run_id="own"),
        _of("orphan", 5, parent_run_id="not here", status="timeout", items_failed=2**63 - 1),
        _of("large", 6, agent_name="x", status="odd", items_failed=2**63 - 1),
        _of("n000", 7, agent_name="x", items_succeeded=0),
    ]
    shared = [
        _of("shared", 8, agent_name="x")._replace(source="web1/1"),
        _of("shared", 9, "run.ended", status="success", duration_ms=31)._replace(source="web2/1"),
    ]
    rates = [_of(f"r{n}", 20 + n, agent_name="y", status="success") for n in range(1)]
    rates += [_of(f"f{n}", 30 + n, agent_name="y", status="failed") for n in range(31)]
    _write(base, [*chain, *circles, *shared, *rates])


def _of(run_id: str, number: int, what: str = "run.started", **data: Any) -> Event:
    return event(number, what, run_id)._replace(data=data)


def _write(base: Path, events: list[Event]) -> None:
    (base / "raw").mkdir(parents=True)
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(events))


_WRITERS = {"history": two_weeks, "work": _work, "odd": _odd}


@pytest.mark.parametrize("name", _BASES)
@pytest.mark.parametrize("view", _VIEWS)
def test_a_view_has_the_columns_and_rows_of_sqlites(view: str, name: str, bases) -> None:
    """Under its name; events have beyond that the node they came from."""
    columns = ", ".join(bases[name].here(f"SELECT * FROM {view}").columns)
    if view != "run_events":
        assert bases[name].there(f"DESCRIBE TABLE {view}").rows
        everything = bases[name].there(f"SELECT * FROM {view} LIMIT 1")
        assert ", ".join(everything.columns) in (columns, "")
    sql = f"SELECT {columns} FROM {view}"
    assert bases[name].there(sql).rows == bases[name].here(sql).rows


@pytest.mark.parametrize("name", _BASES)
@pytest.mark.parametrize("question", _QUESTIONS)
def test_a_question_has_one_answer(question: str, name: str, bases) -> None:
    """By the one query, or by the fleet's own spelling of it."""
    queries = _QUESTIONS[question]
    here, there = bases[name].here(queries[0]), bases[name].there(queries[-1])
    assert there.rows == here.rows
    assert not there.rows or there.columns == here.columns


def test_every_view_of_sqlite_is_in_the_centre() -> None:
    """One that is added here is missed there."""
    from indexer.store.schema.script import VIEWS

    assert set(VIEWS) <= set(_VIEWS)


def test_every_question_is_asked() -> None:
    """With one spelling or two."""
    assert len(_QUESTIONS) == 40
    assert {len(queries) for queries in _QUESTIONS.values()} == {1, 2}
