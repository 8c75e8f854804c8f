"""Evaluate one rule on a database: gather the facts of its kind, and find its conditions.

It only reads. The clock is an argument.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from indexer.alerts import rule as rules
from indexer.alerts.condition import Condition
from indexer.alerts.kinds import absence, reported, runs
from indexer.alerts.rule import Rule
from indexer.alerts.times.durations import NEVER, moment
from indexer.store.alerts import facts
from indexer.store.connection import open_reader
from indexer.store.query import Query
from indexer.system.base import Base
from telemetry_core.timestamp import format_time

Problems = Callable[[sqlite3.Connection], Sequence[str]]
"""What makes `telemetry status` degraded; given by the caller."""

LOOK_BACK = timedelta(days=8)
"""What happened longer ago fires no alert."""
_LONGEST_RUN = timedelta(days=30)
_MOST = 50_000
"""The most conditions of one rule."""
SQL_SECONDS = 5.0
SQL_ROWS = 1_000


class Selected(NamedTuple):
    """What the query of a rule gave."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Evaluation:
    """What rules are evaluated on: this host's database, or a copy of what a fleet has."""

    base: Base
    connection: sqlite3.Connection
    now: datetime
    problems: Problems = lambda _: ()
    selected: Mapping[str, Selected] = field(default_factory=dict)
    """By rule, what its query gave elsewhere; the others are asked of this host's database."""

    def conditions_of(self, rule: Rule, started_at: str) -> list[Condition]:
        """Return what a rule finds. Raises QueryFailed, ValueError or sqlite3.Error."""
        start = moment(started_at) or NEVER
        return list(islice(_FINDERS[rule.kind](self, rule, start), _MOST))

    def since(self, start: datetime) -> str:
        """Return from when on events count for a rule that started then."""
        return format_time(max(start, self.now - LOOK_BACK))

    def finished(
        self, back: timedelta = LOOK_BACK, statuses: Sequence[str] = ()
    ) -> Iterator[facts.RunFact]:
        """Yield the runs that may have ended so long ago or later, with one of some statuses."""
        return facts.finished_runs(self.connection, began_since(self.now, back), statuses)


def began_since(now: datetime, back: timedelta) -> str:
    """Return since when runs may have begun that ended so long ago or later."""
    return format_time(now - max(back, LOOK_BACK) - _LONGEST_RUN)


def missed_back(rule: Rule) -> timedelta:
    """Return how long ago the last end may be that a rule on missed jobs asks for."""
    return 2 * ((rule.every or timedelta(days=62)) + rule.grace)


def _failed(on: Evaluation, rule: Rule, start: datetime) -> Iterable[Condition]:
    since = on.since(start)
    if rule.in_a_row:
        return runs.failing_in_a_row(rule, on.finished(), format_time(start))
    if rule.rate:
        return runs.failing_rate(rule, on.finished(rule.window), format_time(start), on.now)
    failed = on.finished(statuses=rule.statuses or runs.FAILURES)
    return _with_spans(on, runs.failed_runs(rule, failed, since))


def _with_spans(on: Evaluation, found: Iterable[Condition]) -> Iterator[Condition]:
    for one in found:
        span = facts.last_failed_span(on.connection, one.run_id or "")
        yield one._replace(span=span)


def _missed(on: Evaluation, rule: Rule, start: datetime) -> Iterable[Condition]:
    return absence.missed_jobs(rule, on.finished(missed_back(rule)), start, on.now)


def _stale(on: Evaluation, rule: Rule, _: datetime) -> Iterable[Condition]:
    return absence.stale_runs(rule, facts.running_runs(on.connection), on.now)


def _slow(on: Evaluation, rule: Rule, start: datetime) -> Iterable[Condition]:
    running = facts.running_runs(on.connection)
    return runs.slow_runs(rule, on.finished(), running, on.since(start), on.now)


def _spend(on: Evaluation, rule: Rule, start: datetime) -> Iterable[Condition]:
    since = on.since(start)
    return reported.overspending(rule, facts.spending(on.connection, since[:10]), since)


def _silent(on: Evaluation, rule: Rule, start: datetime) -> Iterable[Condition]:
    return absence.silent_agents(rule, facts.last_events(on.connection), start, on.now)


def _raised(on: Evaluation, rule: Rule, start: datetime) -> Iterable[Condition]:
    since = on.since(start)
    return reported.raised(rule, facts.raised_alerts(on.connection, since), since)


def _health(on: Evaluation, _rule: Rule, _: datetime) -> Iterable[Condition]:
    return reported.unhealthy(on.problems(on.connection))


def _sql(on: Evaluation, rule: Rule, _: datetime) -> Iterable[Condition]:
    found = on.selected.get(rule.name)
    if found is not None:
        yield from reported.selected_rows(found.columns, found.rows)
        return
    # A connection of its own: the query's authorizer stays on it.
    connection = open_reader(on.base.database_path)
    try:
        query = Query(connection, rule.query, SQL_SECONDS)
        yield from reported.selected_rows(query.columns, islice(query.rows(), SQL_ROWS))
    finally:
        connection.close()


_FINDERS: dict[str, Callable[[Evaluation, Rule, datetime], Iterable[Condition]]] = {
    rules.FAILED: _failed,
    rules.MISSED: _missed,
    rules.STALE: _stale,
    rules.SLOW: _slow,
    rules.SPEND: _spend,
    rules.SILENT: _silent,
    rules.RAISED: _raised,
    rules.HEALTH: _health,
    rules.SQL: _sql,
}
