"""Rules on what does not happen: `missed`, `stale` and `silent`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Optional

from indexer.alerts.condition import Condition, subject_of
from indexer.alerts.rule import Rule
from indexer.alerts.times.durations import in_words, moment
from indexer.alerts.times.schedule import previous_time
from indexer.store.alerts.facts import RunFact
from telemetry_core.timestamp import format_time

DONE = ("success", "partial")
_Key = tuple[Optional[str], Optional[str]]


def missed_jobs(
    rule: Rule, runs: Iterable[RunFact], start: datetime, now: datetime
) -> Iterator[Condition]:
    """Yield the jobs that were due, with their grace, and have not ended well since."""
    # As texts, for there are many: canonical times sort as texts do.
    last: dict[_Key, str] = dict.fromkeys(rule.fixed_subjects, "")
    done = rule.statuses or DONE
    for run in runs:
        key = run.agent_name, run.job_type
        if key not in last:
            if not rule.selects(*key):
                continue
            last[key] = ""
        if run.status in done and run.end_time and run.end_time > last[key]:
            last[key] = run.end_time
    for key, time in last.items():
        ended = moment(time)
        due = _due(rule, ended, start, now)
        if due is not None:
            yield Condition(
                subject_of(*key),
                f"due at {format_time(due)[:16]}Z, {_since(ended, now)}",
                f"{_schedule(rule)}, at most {in_words(rule.grace)} late",
                occurrence=format_time(due),
            )


def stale_runs(rule: Rule, running: Iterable[RunFact], now: datetime) -> Iterator[Condition]:
    """Yield the runs that never ended, and whose process is gone or has been silent."""
    for run in running:
        if not rule.selects(run.agent_name, run.job_type):
            continue
        last = moment(run.last_event_time)
        silence = now - last if last is not None else timedelta(0)
        if run.is_gone or silence > rule.after:
            words = in_words(silence)
            reason = "its process is gone" if run.is_gone else f"silent for {words}"
            yield Condition(
                run.run_id,
                f"{subject_of(run.agent_name, run.job_type)} never ended: {reason}",
                f"an event every {in_words(rule.after)}",
                occurrence=run.last_event_time,
                run_id=run.run_id,
                error=run.error,
                span=run.last_span,
            )


def silent_agents(
    rule: Rule, last_events: Iterable[tuple[str, str, str]], start: datetime, now: datetime
) -> Iterator[Condition]:
    """Yield one condition if nothing that the rule selects has written an event for too long."""
    times = (moment(time) for agent, job, time in last_events if rule.selects(agent, job))
    last = max((time for time in times if time is not None), default=None)
    since = max(last or start, start)
    if now - since > rule.after:
        yield Condition(
            ", ".join((*rule.agents, *rule.jobs)) or "all agents",
            f"no events for {in_words(now - since)}",
            f"an event every {in_words(rule.after)}",
            occurrence=format_time(since),
        )


def _due(
    rule: Rule, ended: Optional[datetime], start: datetime, now: datetime
) -> Optional[datetime]:
    """Return when a job was due that has not ended since, if its grace is over."""
    if rule.every is not None:
        due = max(ended or start, start) + rule.every
        return due if now > due + rule.grace else None
    scheduled = previous_time(rule.cron, rule.timezone, now - rule.grace)
    if scheduled is None or scheduled < start or (ended is not None and ended >= scheduled):
        return None
    return scheduled


def _since(ended: Optional[datetime], now: datetime) -> str:
    return "never done" if ended is None else f"last done {in_words(now - ended)} ago"


def _schedule(rule: Rule) -> str:
    return f"every {in_words(rule.every)}" if rule.every is not None else f"at {rule.cron}"
