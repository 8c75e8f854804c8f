"""Forwarding's decisions: what an answer means, how long to wait, how much may go. All pure."""

from __future__ import annotations

import random

import pytest

from indexer.forward.circuit_breaker import DOWN, FAILURES_TO_SHUT, OPEN, PAUSED, Gate, GateState
from indexer.outbox.backoff import LONGEST_ASKED_SECONDS, asked_patience, backoff, is_time
from indexer.outbox.verdict import DELIVERED, FAILED, PARKED, REFUSED, Verdict, verdict_of

NOW = 1_800_000_000.0
GOOD, BAD = Verdict(DELIVERED, "HTTP 200 OK"), Verdict(FAILED, "HTTP 500")


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        (DELIVERED, (200, 201, 202, 204, 299)),
        (REFUSED, (401, 403)),
        (PARKED, (400, 402, 404, 405, 409, 410, 413, 418, 422, 451, 499)),
        (FAILED, (100, 301, 302, 307, 308, 408, 425, 429, 500, 502, 503, 504, 599, 600, 999)),
    ],
)
def test_an_answer_is_judged_by_its_status(outcome: str, statuses: tuple[int, ...]) -> None:
    """2xx is there; 401 and 403 shut the target out; other 4xx are one run's; the rest passes."""
    assert {verdict_of(status).outcome for status in statuses} == {outcome}


def test_backoff_doubles_up_to_a_cap_and_jitters_over_all_of_it() -> None:
    """The longest wait doubles with each failure; dice choose anything below it."""
    assert [backoff(n, 1.0) for n in (1, 2, 3, 4)] == [2, 4, 8, 16]
    assert backoff(50, 1.0) == backoff(5_000_000, 1.0) == 900
    assert backoff(3, 0.0) == 0
    assert backoff(3, 0.5) == 4


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0661", None),
        ("0", 0),
        (" 120 ", 120),
        ("99999", LONGEST_ASKED_SECONDS),
        ("9" * 5000, 3600),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("Fri, 15 Jan 2027 08:01:00", 60),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("Fri, 99 Jan 2027 08:01:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_within_reason(
    header: str | None, seconds: float | None
) -> None:
    """Seconds or a date, an hour at most; nonsense says nothing."""
    assert asked_patience(header, NOW) == seconds


def test_a_moment_too_far_ahead_was_set_by_a_wrong_clock() -> None:
    """Nothing waits for years because a clock was ahead once."""
    assert is_time(NOW - 1, NOW)
    assert not is_time(NOW + 10, NOW)
    assert is_time(NOW + 2 * LONGEST_ASKED_SECONDS, NOW)


def test_a_gate_bounds_what_is_under_way_and_how_fast_it_goes() -> None:
    """Never more than its number at once; over time no more than its rate and one burst."""
    gate, now, sent = Gate(rate=10, in_flight=4), NOW, 0
    for _ in range(1000):
        room = gate.room(now)
        assert room <= 4
        for _ in range(room):
            gate.sent()
            sent += 1
        assert gate.room(now) == 0
        for _ in range(room):
            gate.learned(GOOD, now, 0.5)
        now += 0.01
    assert 100 <= sent <= 10 * 10 + 4


def test_a_gate_that_has_no_room_says_when_to_ask_again() -> None:
    """Asked again after that time there is room, and not before."""
    gate = Gate(rate=0.5, in_flight=1)
    gate.room(NOW)
    gate.sent()
    gate.learned(GOOD, NOW, 0.5)
    wait = gate.wait(NOW)
    assert gate.room(NOW + wait / 2) == 0
    assert gate.room(NOW + wait + 0.001) == 1


def test_a_gate_shuts_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    """A target that is down costs a probe now and then; one that answers has all again."""
    gate = Gate(rate=100, in_flight=4)
    for _ in range(FAILURES_TO_SHUT):
        assert gate.condition == OPEN
        gate.sent()
        gate.learned(BAD, NOW, 1.0)
    assert gate.condition == DOWN
    assert gate.room(NOW) == 0
    now = NOW + gate.wait(NOW)
    assert gate.room(now) == 1
    gate.sent()
    assert gate.room(now) == 0, "one probe at a time"
    gate.learned(BAD, now, 1.0)
    assert gate.wait(now) > now - NOW, "longer each time"
    now += gate.wait(now)
    gate.room(now)
    gate.sent()
    gate.learned(GOOD, now, 1.0)
    assert (gate.condition, gate.room(now + 1)) == (OPEN, 4)


def test_a_success_in_between_keeps_a_gate_open() -> None:
    """One bad parcel among good ones is no outage."""
    gate = Gate(rate=100, in_flight=4)
    for verdict in [BAD, BAD, BAD, BAD, GOOD] * 5:
        gate.sent()
        gate.learned(verdict, NOW, 1.0)
        assert gate.condition == OPEN


def test_a_parked_parcel_is_no_failure_of_the_target() -> None:
    """A target that answers 400 answers."""
    gate = Gate(rate=100, in_flight=4)
    for verdict in [BAD, BAD, BAD, BAD, Verdict(PARKED, "HTTP 400")] * 3:
        gate.sent()
        gate.learned(verdict, NOW, 1.0)
    assert gate.state == GateState()


def test_who_is_not_let_in_stays_away_until_somebody_says_so() -> None:
    """401 pauses the target; it is tried once an hour, or at once when lifted by hand."""
    gate = Gate(rate=100, in_flight=4)
    gate.sent()
    gate.learned(Verdict(REFUSED, "HTTP 401"), NOW, 0.0)
    assert gate.condition == PAUSED
    assert gate.room(NOW + 3599) == 0
    assert gate.room(NOW + 3600) == 1
    gate.lift()
    assert gate.room(NOW) == 1
    gate.sent()
    gate.learned(GOOD, NOW, 0.0)
    assert gate.condition == OPEN


def test_a_target_that_asks_for_patience_gets_it() -> None:
    """Retry-After holds all that goes there, and not only what was answered so."""
    gate = Gate(rate=100, in_flight=4)
    gate.sent()
    gate.learned(Verdict(FAILED, "HTTP 429", retry_after=120), NOW, 0.0)
    assert gate.room(NOW + 119) == 0
    assert gate.room(NOW + 121) == 4


def test_a_gate_survives_a_clock_that_steps() -> None:
    """Set back by a year or ahead by one, it lets parcels pass within the hour."""
    dice = random.Random(1)
    for step in (-365 * 86400, 365 * 86400):
        gate = Gate(rate=5, in_flight=2, state=GateState(9, NOW + 300))
        now = NOW + step
        waits = [gate.wait(now + n) for n in range(2 * 3600)]
        assert any(gate.room(now + n) for n in range(2 * 3600)), (step, min(waits), dice.random())


def test_a_gate_begins_where_it_stood_before_a_restart() -> None:
    """A daemon that is restarted in an outage does not hurry at the target."""
    gate = Gate(rate=5, in_flight=2, state=GateState(9, NOW + 100))
    assert (gate.condition, gate.room(NOW), gate.wait(NOW)) == (DOWN, 0, 100)
