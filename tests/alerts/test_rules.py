"""Rules: each kind finds what it is for and nothing else, and one that makes no sense says why."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from indexer.alerts.changes import is_held_back
from indexer.alerts.kinds.runs import percentile
from indexer.alerts.rule import KINDS
from indexer.alerts.settings.rules import InvalidRule, rule_of
from indexer.alerts.state import RuleState
from indexer.alerts.suggest.rhythm import suggest
from indexer.alerts.times.quiet_hours import parse_quiet_hours
from indexer.alerts.times.schedule import previous_time
from indexer.alerts.times.zones import zone_named
from telemetry_core.timestamp import format_time, moment_of
from tests.support.alerts import AlertBase, rule

_UTC = timezone.utc


def _found(base: AlertBase, *more: str) -> list[tuple[str, str]]:
    base.settle()
    found = [(one["rule"], one["change"]) for one in base.messages()]
    base.close()
    return found


def test_three_in_a_row_fire_and_a_success_resolves(tmp_path: Path) -> None:
    """Two are not enough, and another job's failures do not count."""
    base = AlertBase(tmp_path / "base", rule("streak", "failed", in_a_row=3))
    base.settle()
    for job in ("a", "b", "a"):
        base.run("failed", job=job)
        base.now += 1
    base.settle()
    assert base.messages() == []
    base.run("timeout", job="a")
    base.settle()
    assert base.subjects() == ["cron / a"]
    base.run(job="a")
    assert _found(base)[-1] == ("streak", "resolved")


def test_a_rate_needs_a_minimum_of_runs(tmp_path: Path) -> None:
    """One of one is no rate; two of five are forty percent; out of the window they are none."""
    base = AlertBase(tmp_path / "base", rule("rate", "failed", rate=0.4, window="1h", minimum=5))
    base.settle()
    for status in ("failed", "success", "success", "failed"):
        base.run(status)
        base.now += 1
    base.settle()
    assert base.messages() == []
    base.run()
    base.settle()
    assert base.messages()[0]["alerts"][0]["measured"].startswith("2 of 5 runs failed")
    base.now += 7200
    assert _found(base) == [("rate", "fired"), ("rate", "resolved")]


def test_a_run_is_slow_by_its_own_jobs_history(tmp_path: Path) -> None:
    """Also while it is still running; a first run is never slow."""
    base = AlertBase(tmp_path / "base", rule("slow", "slow", factor=2))
    base.settle()
    for seconds in (1000, 60, 60, 60, 60, 60, 60):
        base.run(seconds=seconds)
        base.now += 1
    slow = base.run(seconds=3000)
    base.write("run.started", "run-open", agent_name="cron", job_type="nightly")
    base.settle()
    assert base.subjects() == [slow]
    base.now += 3500
    base.write("run.event", "run-open", event_type="note")
    base.settle(4000)
    assert base.subjects() == [slow, "run-open"]
    base.close()


def test_stale_silent_and_health_fire_and_are_resolved(tmp_path: Path) -> None:
    """By a run that never ends; numbers in a finding are not another finding."""
    problems = ["the disk has 3 GB left"]
    base = AlertBase(
        tmp_path / "base",
        rule("stale", "stale", after="2h"),
        rule("silent", "silent", after="3h"),
        rule("health", "health"),
        problems=lambda _: problems,
    )
    base.write("run.started", "open", agent_name="cron", job_type="nightly")
    base.settle()
    assert base.subjects() == ["the disk has # GB left"]
    problems[:] = ["the disk has 2 GB left"]
    base.settle(8000)
    base.settle(4000)
    assert base.subjects() == ["the disk has # GB left", "open", "all agents"]
    problems.clear()
    base.write("run.ended", "open", status="success")
    base.settle()
    assert sorted(base.subjects("resolved")) == ["all agents", "open", "the disk has # GB left"]
    base.close()


def test_spending_is_summed_by_day_or_agent(tmp_path: Path) -> None:
    """Once a day, however much more is spent."""
    base = AlertBase(tmp_path / "base", rule("budget", "spend", tokens=1000, per="agent"))
    base.settle()
    for number in range(3):
        base.write("run.started", f"r{number}", agent_name="a", job_type="j")
        for kind, extra in (("span.started", {"kind": "llm", "name": "chat"}), ("span.ended", {})):
            attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "m",
                "gen_ai.usage.input_tokens": 600,
            }
            base.write(kind, f"r{number}", span_id=f"{number:016x}", attributes=attributes, **extra)
        base.settle(60)
    (message,) = base.messages()
    assert message["alerts"][0]["subject"].startswith("a on 2026-")
    assert message["alerts"][0]["measured"] == "1,200 tokens"
    base.close()


def test_what_an_agent_raises_is_sent_from_a_level_on(tmp_path: Path) -> None:
    """With its own title, text and level."""
    base = AlertBase(tmp_path / "base", rule("raised", "raised", level="error"))
    base.settle()
    base.run()
    for level in ("info", "warning", "error", "critical"):
        base.write("run.alert", "run-00000", title=f"title {level}", text="details", level=level)
    base.settle()
    (message,) = base.messages()
    assert [item["measured"] for item in message["alerts"]] == ["title error", "title critical"]
    assert (message["level"], message["alerts"][0]["error"]) == ("critical", "details")
    base.close()


def test_rows_of_a_query_are_alerts(tmp_path: Path) -> None:
    """Resolved once the row is gone; a query that writes is refused."""
    query = "SELECT agent_name, count(*) AS n FROM agent_runs GROUP BY 1 HAVING n = 2"
    base = AlertBase(
        tmp_path / "base",
        rule("pairs", "sql", query=query),
        rule("evil", "sql", query="DELETE FROM agent_runs"),
    )
    base.settle()
    base.run()
    base.run()
    base.settle()
    assert base.messages()[0]["alerts"][0]["measured"] == "agent_name cron, n 2"
    assert "read-only" in base.alerting.faults["evil"]
    base.run()
    assert _found(base) == [("pairs", "fired"), ("pairs", "resolved")]


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        # On 2026-03-29 the hour from 2 to 3 is skipped in Berlin: due when the clock has moved on.
        ("2026-03-29T00:59:59", "2026-03-28T01:30:00"),
        ("2026-03-29T01:00:00", "2026-03-29T01:00:00"),
        # On 2026-10-25 that hour comes twice: due the first time only.
        ("2026-10-25T00:29:59", "2026-10-24T00:30:00"),
        ("2026-10-25T00:30:00", "2026-10-25T00:30:00"),
        ("2026-10-25T01:29:00", "2026-10-25T00:30:00"),
        ("2026-10-26T01:30:00", "2026-10-26T01:30:00"),
    ],
)
def test_a_schedule_is_right_when_summer_time_begins_and_ends(moment: str, due: str) -> None:
    """Each night once."""
    pytest.importorskip("cronsim", reason="needs the extra alerts")
    now = datetime.fromisoformat(moment).replace(tzinfo=_UTC)
    found = previous_time("30 2 * * *", "Europe/Berlin", now)
    assert found == datetime.fromisoformat(due).replace(tzinfo=_UTC)


def test_quiet_hours_are_by_the_clock_on_the_wall() -> None:
    """Over midnight, and in summer as in winter."""
    hours = parse_quiet_hours("22:00-07:00", zone_named("Europe/Berlin"))
    for month, offset in ((1, 1), (7, 2)):
        for hour, is_quiet in ((21, False), (22, True), (3, True), (7, False)):
            moment = datetime(2026, month, 1, hour, tzinfo=_UTC) + timedelta(days=1, hours=-offset)
            assert hours.cover(moment) is is_quiet


def test_a_message_of_the_future_holds_nothing_back() -> None:
    """It was sent before the clock was set back."""
    wanted = rule_of({"name": "r", "kind": "failed", "channels": ["c"], "group": "1h"})
    now = moment_of(1_790_000_000.0)
    for seconds, is_held in ((-60, True), (-3601, False), (60, False)):
        at = format_time(now + timedelta(seconds=seconds))
        assert is_held_back(wanted, RuleState(last_message_at=at), now) is is_held


_GOOD = {"name": "r", "channels": ["c"]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "faild"}, "kind is 'faild'"),
        ({"kind": "failed", "in_row": 3}, "did you mean in_a_row"),
        ({"kind": "failed", "in_a_row": 3, "rate": 0.5}, "a rule for each"),
        ({"kind": "failed", "rate": 20}, "at most 1"),
        ({"kind": "failed", "channels": []}, "notifies nobody"),
        ({"kind": "failed", "level": "bad"}, "level is 'bad'"),
        ({"kind": "failed", "agents": "x"}, "a list of strings"),
        ({"kind": "failed", "group": "soon"}, "group"),
        ({"kind": "failed", "quiet": "night"}, "22:00-07:00"),
        ({"kind": "missed"}, "either every"),
        ({"kind": "missed", "every": "1d", "cron": "0 3 * * *"}, "either every"),
        ({"kind": "missed", "cron": "0 3 * *"}, "five fields"),
        ({"kind": "missed", "cron": "61 3 * * *"}, "cron is"),
        ({"kind": "missed", "cron": "0 3 * * *", "timezone": "Mars"}, "not a time zone"),
        ({"kind": "spend"}, "cost_usd"),
        ({"kind": "spend", "tokens": 5, "per": "moon"}, "per is 'moon'"),
        ({"kind": "sql"}, "give query"),
        ({"kind": "health", "agent": "x"}, "not about agents"),
    ],
)
def test_a_rule_that_makes_no_sense_says_why(settings: dict[str, Any], message: str) -> None:
    """And what to do instead."""
    with pytest.raises(InvalidRule, match=message):
        rule_of({**_GOOD, **settings})


def test_a_rule_of_any_kind_can_be_written() -> None:
    """With the least settings that each needs."""
    needed = {"missed": {"every": "1d"}, "spend": {"tokens": 1}, "sql": {"query": "SELECT 1"}}
    for kind in KINDS:
        assert rule_of({**_GOOD, "kind": kind, **needed.get(kind, {})}).kind == kind


def test_schedules_are_suggested_from_the_rhythm_of_a_job() -> None:
    """Every night, every quarter of an hour, or no rhythm at all."""
    begin = datetime(2026, 1, 1, 3, 2, tzinfo=_UTC)
    nightly = suggest([begin + timedelta(days=day, minutes=day % 3) for day in range(20)])
    assert nightly is not None
    assert (nightly.cron, nightly.every) == ("0 3 * * *", None)
    quarterly = suggest([begin + timedelta(minutes=15 * n) for n in range(20)])
    assert quarterly is not None
    assert quarterly.every == "15m"
    assert suggest([begin + timedelta(hours=n * n * n) for n in range(20)]) is None
    assert suggest([begin, begin + timedelta(days=1)]) is None


def test_a_percentile_is_one_of_the_values() -> None:
    """The smallest that so many do not exceed."""
    assert percentile(range(1, 101), 0.95) == 95
    assert percentile([7.0], 0.95) == 7.0
