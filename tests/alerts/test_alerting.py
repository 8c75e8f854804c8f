"""What fires is delivered once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from telemetry_core.timestamp import format_time, moment_of
from tests.support.alerts import AlertBase, rule


@contextmanager
def _base(directory: Path, *rules: str, **settings: Any) -> Iterator[AlertBase]:
    base = AlertBase(directory, *rules, **settings)
    base.settle()
    try:
        yield base
    finally:
        base.close()


def test_each_failed_run_is_one_message_and_history_is_none(tmp_path: Path) -> None:
    """A run that failed before the rule was there, and one that ended well, are no news."""
    base = AlertBase(tmp_path / "base", rule("failures", "failed"))
    base.run("failed")
    base.settle(60)
    base.run("success")
    failed = base.run("failed", error_summary="ValueError: no such table")
    base.settle()
    (message,) = base.messages()
    (item,) = message["alerts"]
    assert (item["subject"], item["error"]) == (failed, "ValueError: no such table")
    assert message["title"] == "FIRING: failures: cron / nightly ended as failed"
    base.close()


def test_nothing_is_sent_twice_by_a_restart_a_rebuild_or_a_repeated_answer(tmp_path: Path) -> None:
    """State is in the log: a new daemon and a new database know what was sent."""
    with _base(
        tmp_path / "base",
        rule("failures", "failed"),
        rule("late", "missed", every="1h", agent="cron", job="nightly"),
    ) as base:
        base.run("failed")
        base.settle(7200)
        assert len(base.messages()) == 2
        bodies = dict(base.inbox.bodies)
        base.restart()
        base.settle(60)
        base.lose_database()
        base.settle(60)
        assert base.inbox.bodies == bodies


def test_a_death_between_sending_and_the_receipt_repeats_the_key(tmp_path: Path) -> None:
    """The receiver had it, nobody heard: the same key comes again, with the same bytes."""
    with _base(tmp_path / "base", rule("failures", "failed")) as base:
        base.run("failed")
        for _ in range(20):
            base.step(1.0)
            if base.inbox.by_key:
                break
        base.restart()
        base.settle(60)
        base.settle(600)
        assert len(base.messages()) == 1
        assert base.session is not None
        (count,) = base.session.connection.execute(
            "SELECT count(*) FROM run_events WHERE type = 'alert.delivered'"
        ).fetchone()
        assert count == 1


def test_an_outage_of_the_receiver_costs_time_and_nothing_else(tmp_path: Path) -> None:
    """What fired and was resolved while it was down arrives in that order."""
    with _base(
        tmp_path / "base", rule("late", "missed", every="3h", agent="cron", job="nightly")
    ) as base:
        base.inbox.is_down = True
        base.settle(11_000)
        base.run()
        base.settle(600)
        base.inbox.is_down = False
        for _ in range(5):
            base.settle(900)
        assert [one["change"] for one in base.messages()] == ["fired", "resolved"]


def test_a_daemon_that_was_down_over_a_missed_schedule_fires_once(tmp_path: Path) -> None:
    """Three nights are one alert, as it is one state."""
    with _base(
        tmp_path / "base",
        rule(
            "night",
            "missed",
            cron="0 3 * * *",
            timezone="UTC",
            grace="1h",
            agent="cron",
            job="nightly",
        ),
    ) as base:
        base.run()
        base.now += 3 * 86_400
        base.restart()
        base.settle()
        base.settle(60)
        assert base.subjects() == ["cron / nightly"]
        base.run()
        base.settle(60)
        assert base.subjects("resolved") == ["cron / nightly"]


def test_a_storm_is_one_message(tmp_path: Path) -> None:
    """A thousand subjects: twenty described, all counted, and none fires again."""
    with _base(tmp_path / "base", rule("failures", "failed")) as base:
        for number in range(1_000):
            base.run("failed", agent=f"agent-{number}")
        base.settle()
        base.settle(600)
        (message,) = base.messages()
        assert (message["count"], len(message["alerts"])) == (1_000, 20)
        assert message["text"].endswith("and 980 more")
        assert len(base.inbox.bodies[message["id"]]) < 20_000


def test_what_comes_within_the_pause_of_a_rule_is_one_message(tmp_path: Path) -> None:
    """The first at once, the others together when the minute is over."""
    with _base(tmp_path / "base", rule("failures", "failed", group="1m")) as base:
        for _ in range(5):
            base.run("failed")
            base.step(4.0)
        base.settle(120)
        assert [one["count"] for one in base.messages()] == [1, 4]


def test_quiet_hours_delay_and_lose_nothing(tmp_path: Path) -> None:
    """What failed at night is one message in the morning."""
    with _base(
        tmp_path / "base", rule("failures", "failed", quiet="00:00-23:59", timezone="UTC")
    ) as base:
        base.run("failed")
        base.run("failed")
        base.settle(60)
        assert base.messages() == []
        base.now += 86_399 - base.now % 86_400
        base.step()
        base.now -= 20
        for _ in range(30):
            base.step(1.0)
        assert [one["count"] for one in base.messages()] == [2]


def test_a_silence_swallows_what_happens_in_it(tmp_path: Path) -> None:
    """Failures within it are never sent; a state that outlasts it is."""
    with _base(
        tmp_path / "base",
        rule("failures", "failed"),
        rule("late", "missed", every="1h", agent="other", job="hourly"),
    ) as base:
        until = format_time(moment_of(base.now + 7200))
        since = format_time(moment_of(base.now))
        base.write("alert.silenced", "telemetry.alert", rule="*", since=since, until=until)
        base.now += 3500
        base.run("failed")
        base.now += 2000
        base.run("failed")
        base.settle(60)
        assert base.messages() == []
        base.settle(7200)
        assert base.subjects() == ["other / hourly"]
        failed = base.run("failed")
        base.settle(60)
        assert base.subjects() == ["other / hourly", failed]


def test_reminders_come_as_often_as_asked(tmp_path: Path) -> None:
    """And end with the alert."""
    with _base(
        tmp_path / "base",
        rule("late", "missed", every="1h", remind="1d", agent="cron", job="nightly"),
    ) as base:
        for _ in range(3):
            base.settle(86_400)
        assert len(base.messages("fired")) == 1
        assert len(base.messages("reminded")) == 2
        base.run()
        base.settle()
        assert len(base.messages("resolved")) == 1


def test_a_clock_that_is_set_back_neither_repeats_nor_stops_anything(tmp_path: Path) -> None:
    """The messages of a rule are numbered, and that is their order."""
    with _base(tmp_path / "base", rule("failures", "failed")) as base:
        base.settle(86_400)
        base.run("failed")
        base.settle()
        base.now -= 7200
        second = base.run("failed")
        base.settle()
        base.settle(60)
        assert len(base.messages()) == 2
        assert base.subjects()[-1] == second


def test_a_rule_that_cannot_be_evaluated_costs_the_others_nothing(tmp_path: Path) -> None:
    """It is named with its fault, and the daemon lives."""
    with _base(
        tmp_path / "base",
        rule("wrong", "sql", query="SELECT * FROM nowhere"),
        rule("failures", "failed"),
    ) as base:
        base.run("failed")
        base.settle()
        assert "nowhere" in base.alerting.faults["wrong"]
        assert len(base.messages()) == 1
