"""When each job is due next, as the page of agents says it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.alerts.rule import FAILED, MISSED, Rule
from indexer.database.freshness import index_once
from indexer.system.base import Base
from indexer.ui.queries.agents import Agent
from indexer.ui.queries.schedules import next_of
from telemetry_core.timestamp import format_time
from tests.support.history import DAY, HOUR, two_weeks
from tests.support.page import visiting

_NOW = datetime(2026, 6, 10, 12, 0, tzinfo=timezone.utc)


def _agent(**starts: Sequence[datetime]) -> Agent:
    """An agent whose jobs began at these times."""
    texts = {job: [format_time(time) for time in times] for job, times in starts.items()}
    return Agent("a", starts=texts)


def _rule(kind: str = MISSED, **settings: object) -> Rule:
    return Rule("r", kind, **settings)  # type: ignore[arg-type]


def test_a_rule_says_when_a_job_is_due() -> None:
    """So long after it last began; late when the grace is over too."""
    agent = _agent(nightly=[_NOW - 3 * HOUR])
    found = next_of(agent, [_rule(every=2 * HOUR, grace=HOUR / 2)], _NOW)
    assert found is not None
    assert (found.words, found.due) == ("every 2 h", _NOW - HOUR)
    assert found.is_late(_NOW)
    assert not found.is_late(_NOW - HOUR / 2)


def test_a_cron_expression_is_due_after_the_last_start() -> None:
    """What was missed since then stays due."""
    pytest.importorskip("cronsim", reason="needs the extra alerts")
    agent = _agent(nightly=[_NOW - 30 * HOUR])
    found = next_of(agent, [_rule(cron="0 3 * * *", timezone="UTC")], _NOW)
    assert found is not None
    assert (found.words, found.due) == ("0 3 * * *", _NOW.replace(hour=3))
    assert found.is_late(_NOW)


def test_rules_of_other_kinds_and_other_agents_say_nothing() -> None:
    """One run has no rhythm of its own either."""
    agent = _agent(nightly=[_NOW - HOUR])
    rules = [_rule(FAILED, every=HOUR), _rule(agents=("b",), every=HOUR)]
    assert next_of(agent, rules, _NOW) is None


def test_without_a_rule_a_job_goes_on_as_it_usually_does() -> None:
    """It is never late by that: nobody said that it has to."""
    starts = [_NOW - n * HOUR for n in range(1, 10)]
    found = next_of(_agent(hourly=starts), [], _NOW + HOUR)
    assert found is not None
    assert (found.words, found.due) == ("usually every 1 h", _NOW)
    assert not found.is_late(_NOW + 10 * HOUR)
    assert next_of(_agent(hourly=starts), [], _NOW + DAY) is None


def test_the_job_that_is_due_first_is_shown() -> None:
    """Of an agent with several; those without any rhythm do not count."""
    agent = _agent(
        hourly=[_NOW - n * HOUR for n in range(1, 10)],
        daily=[_NOW - n * DAY for n in range(1, 10)],
        odd=[_NOW - timedelta(minutes=1)],
    )
    found = next_of(agent, [], _NOW - timedelta(minutes=30))
    assert found is not None
    assert found.job == "hourly"


def test_the_page_has_what_is_due(base: Path) -> None:
    """By the rules of the settings file where there are any."""
    two_weeks(base)
    (base / "config").mkdir()
    (base / "config" / "telemetry.toml").write_text(
        '[channels.here]\nurl = "http://127.0.0.1:9/hook"\n'
        '[[alerts]]\nname = "mail"\nkind = "missed"\nagent = "mailer"\nevery = "1d"\n'
        'channels = ["here"]\n'
    )
    index_once(Base.at(base, {}))
    with visiting(base) as visitor:
        page = visitor.get("/agents").text
    assert page.count("usually at ") == 2
    assert page.count("late since") == 1
    assert "every 1 d" in page
