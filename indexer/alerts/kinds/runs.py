"""Rules on finished runs: `failed` (each, n in a row, rate) and `slow`. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Optional, Union

from indexer.alerts.condition import Condition, subject_of
from indexer.alerts.rule import Rule
from indexer.alerts.times.durations import in_words, moment
from indexer.store.alerts.facts import RunFact
from telemetry_core.timestamp import format_time

FAILURES = ("failed", "timeout")
_LEAST_RUNS = 5
"""With fewer earlier runs a 95th percentile says nothing."""
_REMEMBERED = 1_000
"""Of how many earlier runs of a job the 95th percentile is taken."""

_Key = tuple[Optional[str], Optional[str]]


def failed_runs(rule: Rule, runs: Iterable[RunFact], since: str) -> Iterator[Condition]:
    """Yield a condition for each run that failed since a time."""
    failures = rule.statuses or FAILURES
    for run in runs:
        has_failed = run.status in failures and (run.end_time or "") >= since
        if has_failed and rule.selects(run.agent_name, run.job_type):
            yield _of_run(run, f"{subject_of(*_key(run))} ended as {run.status}", "no failure")


def failing_in_a_row(rule: Rule, runs: Iterable[RunFact], since: str) -> Iterator[Condition]:
    """Yield the jobs whose last runs since a time, at least n of them, all failed."""
    failures = rule.statuses or FAILURES
    streaks: dict[_Key, int] = {}
    last: dict[_Key, RunFact] = {}
    for run in runs:
        if (run.end_time or "") < since or not rule.selects(run.agent_name, run.job_type):
            continue
        streaks[_key(run)] = streaks.get(_key(run), 0) + 1 if run.status in failures else 0
        last[_key(run)] = run
    for key, streak in streaks.items():
        if streak >= rule.in_a_row:
            yield Condition(
                subject_of(*key),
                f"{streak} runs in a row failed",
                f"fewer than {rule.in_a_row}",
                run_id=last[key].run_id,
                error=last[key].error,
            )


def failing_rate(
    rule: Rule, runs: Iterable[RunFact], since: str, now: datetime
) -> Iterator[Condition]:
    """Yield the jobs of whose runs too many failed, of those that ended within the window."""
    failures = rule.statuses or FAILURES
    begin = max(since, format_time(now - rule.window))
    ended: dict[_Key, int] = {}
    failed: dict[_Key, list[RunFact]] = {}
    for run in runs:
        if (run.end_time or "") >= begin and rule.selects(run.agent_name, run.job_type):
            ended[_key(run)] = ended.get(_key(run), 0) + 1
            if run.status in failures:
                failed.setdefault(_key(run), []).append(run)
    for key, some in failed.items():
        share = len(some) / ended[key]
        if ended[key] >= rule.minimum and share >= rule.rate:
            yield Condition(
                subject_of(*key),
                f"{len(some)} of {ended[key]} runs failed within {in_words(rule.window)}",
                f"less than {rule.rate:.0%}",
                run_id=some[-1].run_id,
                error=some[-1].error,
            )


def slow_runs(
    rule: Rule,
    finished: Iterable[RunFact],
    running: Iterable[RunFact],
    since: str,
    now: datetime,
) -> Iterator[Condition]:
    """Yield the runs that took, or have been taking, much longer than usual for their job."""
    history: dict[_Key, deque[float]] = {}
    for run in finished:
        taken = run.duration_ms
        if not rule.selects(run.agent_name, run.job_type) or not isinstance(taken, (int, float)):
            continue
        earlier = history.setdefault(_key(run), deque(maxlen=_REMEMBERED))
        # Of earlier runs nobody asks whether they were slow: a percentile takes its time.
        limit = _limit(rule, earlier) if (run.end_time or "") >= since else None
        if limit is not None and taken > limit:
            yield _slow(run, taken, limit)
        earlier.append(float(taken))
    for run in running:
        begun = moment(run.start_time)
        if begun is None or not rule.selects(run.agent_name, run.job_type):
            continue
        taken = (now - begun).total_seconds() * 1000
        limit = _limit(rule, history.get(_key(run), ()))
        is_at_work = not run.is_gone and run.last_event_time >= since
        if limit is not None and taken > limit and is_at_work:
            yield _slow(run, taken, limit)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]


def _limit(rule: Rule, earlier: Union[deque[float], tuple[()]]) -> Optional[float]:
    if rule.limit is not None:
        return rule.limit.total_seconds() * 1000
    if len(earlier) < _LEAST_RUNS:
        return None
    return percentile(earlier, 0.95) * rule.factor


def _slow(run: RunFact, taken: float, limit: float) -> Condition:
    verb = "took" if run.end_time else "has been running for"
    measured = f"{subject_of(*_key(run))} {verb} {in_words(timedelta(milliseconds=taken))}"
    return _of_run(run, measured, f"at most {in_words(timedelta(milliseconds=limit))}")


def _of_run(run: RunFact, measured: str, limit: str) -> Condition:
    return Condition(
        run.run_id,
        measured,
        limit,
        is_once=True,
        time=run.end_time or run.last_event_time,
        run_id=run.run_id,
        error=run.error,
        span=run.last_span,
    )


def _key(run: RunFact) -> _Key:
    return run.agent_name, run.job_type
