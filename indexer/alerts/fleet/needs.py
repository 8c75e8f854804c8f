"""Say what each kind of rule looks at, by copying that from the centre."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from indexer.alerts import rule as rules
from indexer.alerts.evaluation import LOOK_BACK, Evaluation, began_since, missed_back
from indexer.alerts.kinds.absence import DONE
from indexer.alerts.kinds.runs import FAILURES
from indexer.alerts.rule import Rule
from indexer.fleet.reading import watched
from indexer.fleet.reading.copy import Copy
from indexer.fleet.reading.sums import add_usage
from indexer.store.alerts.facts import finished_runs
from telemetry_core.timestamp import format_time

Fill = Callable[[Copy, Rule, Evaluation, datetime], None]


def copy_for(rule: Rule, copy: Copy, on: Evaluation, start: datetime) -> None:
    """Copy what a rule looks at that started at a time. Raises FleetError."""
    fill = _FILLS.get(rule.kind)
    if fill is not None:
        fill(copy, rule, on, start)


def _failed(copy: Copy, rule: Rule, on: Evaluation, start: datetime) -> None:
    began = began_since(on.now, LOOK_BACK)
    if rule.in_a_row:
        watched.add_ended(copy, began, format_time(start))
    elif rule.rate:
        ended = max(format_time(start), format_time(on.now - rule.window))
        watched.add_ended(copy, began_since(on.now, rule.window), ended)
    else:
        statuses = rule.statuses or FAILURES
        watched.add_ended(copy, began, on.since(start), statuses)
        failed = finished_runs(on.connection, began, statuses)
        watched.add_failed_spans(copy, [one.run_id for one in failed])


def _missed(copy: Copy, rule: Rule, on: Evaluation, _: datetime) -> None:
    watched.add_last_done(copy, began_since(on.now, missed_back(rule)), rule.statuses or DONE)


def _stale(copy: Copy, _rule: Rule, _on: Evaluation, _: datetime) -> None:
    watched.add_running(copy)


def _slow(copy: Copy, rule: Rule, on: Evaluation, start: datetime) -> None:
    # Without a limit of its own it needs the history of each job.
    ended = on.since(start) if rule.limit is not None else ""
    watched.add_ended(copy, began_since(on.now, LOOK_BACK), ended)
    watched.add_running(copy)


def _spend(copy: Copy, _rule: Rule, on: Evaluation, start: datetime) -> None:
    add_usage(copy, on.since(start)[:10])


def _silent(copy: Copy, _rule: Rule, _on: Evaluation, _: datetime) -> None:
    watched.add_last_heard(copy)


def _raised(copy: Copy, _rule: Rule, on: Evaluation, start: datetime) -> None:
    watched.add_raised(copy, on.since(start))


_FILLS: dict[str, Fill] = {
    rules.FAILED: _failed,
    rules.MISSED: _missed,
    rules.STALE: _stale,
    rules.SLOW: _slow,
    rules.SPEND: _spend,
    rules.SILENT: _silent,
    rules.RAISED: _raised,
}
