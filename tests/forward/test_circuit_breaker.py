"""Forwarding's decisions: what an answer means, how long to wait, how much may go. All pure."""

from __future__ import annotations

import random

import pytest

from indexer.forward.circuit_breaker import (
    DOWN,
    FAILURES_TO_TRIP,
    OPEN,
    PAUSED,
    BreakerState,
    CircuitBreaker,
)
from indexer.outbox.attempt import (
    DELIVERED,
    FAILED,
    REJECTED,
    UNAUTHORIZED,
    AttemptResult,
    result_of_status,
)
from indexer.outbox.backoff import MAX_RETRY_AFTER_SECONDS, backoff, has_come, parse_retry_after

NOW = 1_800_000_000.0
GOOD, BAD = AttemptResult(DELIVERED, "HTTP 200 OK"), AttemptResult(FAILED, "HTTP 500")


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        (DELIVERED, (200, 201, 202, 204, 299)),
        (UNAUTHORIZED, (401, 403)),
        (REJECTED, (400, 402, 404, 405, 409, 410, 413, 418, 422, 451, 499)),
        (FAILED, (100, 301, 302, 307, 308, 408, 425, 429, 500, 502, 503, 504, 599, 600, 999)),
    ],
)
def test_an_answer_is_judged_by_its_status(outcome: str, statuses: tuple[int, ...]) -> None:
    """2xx is there; 401 and 403 shut the target out; other 4xx are one run's; the rest passes."""
    assert {result_of_status(status).outcome for status in statuses} == {outcome}


def test_backoff_doubles_up_to_a_cap_and_jitters_over_all_of_it() -> None:
    """The longest wait doubles with each failure; jitter chooses anything below it."""
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
        ("99999", MAX_RETRY_AFTER_SECONDS),
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
    assert parse_retry_after(header, NOW) == seconds


def test_a_moment_too_far_ahead_was_set_by_a_wrong_clock() -> None:
    """Nothing waits for years because a clock was ahead once."""
    assert has_come(NOW - 1, NOW)
    assert not has_come(NOW + 10, NOW)
    assert has_come(NOW + 2 * MAX_RETRY_AFTER_SECONDS, NOW)


def test_a_breaker_bounds_what_is_under_way_and_how_fast_it_goes() -> None:
    """Never more than its number at once; over time no more than its rate and one burst."""
    breaker, now, sent = CircuitBreaker(rate=10, in_flight=4), NOW, 0
    for _ in range(1000):
        room = breaker.capacity(now)
        assert room <= 4
        for _ in range(room):
            breaker.record_sent()
            sent += 1
        assert breaker.capacity(now) == 0
        for _ in range(room):
            breaker.record_result(GOOD, now, 0.5)
        now += 0.01
    assert 100 <= sent <= 10 * 10 + 4


def test_a_breaker_that_has_no_room_says_when_to_ask_again() -> None:
    """Asked again after that time there is room, and not before."""
    breaker = CircuitBreaker(rate=0.5, in_flight=1)
    breaker.capacity(NOW)
    breaker.record_sent()
    breaker.record_result(GOOD, NOW, 0.5)
    wait = breaker.wait(NOW)
    assert breaker.capacity(NOW + wait / 2) == 0
    assert breaker.capacity(NOW + wait + 0.001) == 1


def test_a_breaker_shuts_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    """A target that is down costs a probe now and then; one that answers has all again."""
    breaker = CircuitBreaker(rate=100, in_flight=4)
    for _ in range(FAILURES_TO_TRIP):
        assert breaker.condition == OPEN
        breaker.record_sent()
        breaker.record_result(BAD, NOW, 1.0)
    assert breaker.condition == DOWN
    assert breaker.capacity(NOW) == 0
    now = NOW + breaker.wait(NOW)
    assert breaker.capacity(now) == 1
    breaker.record_sent()
    assert breaker.capacity(now) == 0, "one probe at a time"
    breaker.record_result(BAD, now, 1.0)
    assert breaker.wait(now) > now - NOW, "longer each time"
    now += breaker.wait(now)
    breaker.capacity(now)
    breaker.record_sent()
    breaker.record_result(GOOD, now, 1.0)
    assert (breaker.condition, breaker.capacity(now + 1)) == (OPEN, 4)


def test_a_success_in_between_keeps_a_gate_open() -> None:
    """One bad parcel among good ones is no outage."""
    breaker = CircuitBreaker(rate=100, in_flight=4)
    for result in [BAD, BAD, BAD, BAD, GOOD] * 5:
        breaker.record_sent()
        breaker.record_result(result, NOW, 1.0)
        assert breaker.condition == OPEN


def test_a_parked_parcel_is_no_failure_of_the_target() -> None:
    """A target that answers 400 answers."""
    breaker = CircuitBreaker(rate=100, in_flight=4)
    for result in [BAD, BAD, BAD, BAD, AttemptResult(REJECTED, "HTTP 400")] * 3:
        breaker.record_sent()
        breaker.record_result(result, NOW, 1.0)
    assert breaker.state == BreakerState()


def test_who_is_not_let_in_stays_away_until_somebody_says_so() -> None:
    """401 pauses the target; it is tried once an hour, or at once when lifted by hand."""
    breaker = CircuitBreaker(rate=100, in_flight=4)
    breaker.record_sent()
    breaker.record_result(AttemptResult(UNAUTHORIZED, "HTTP 401"), NOW, 0.0)
    assert breaker.condition == PAUSED
    assert breaker.capacity(NOW + 3599) == 0
    assert breaker.capacity(NOW + 3600) == 1
    breaker.allow_probe()
    assert breaker.capacity(NOW) == 1
    breaker.record_sent()
    breaker.record_result(GOOD, NOW, 0.0)
    assert breaker.condition == OPEN


def test_a_target_that_asks_for_patience_gets_it() -> None:
    """Retry-After holds all that goes there, and not only what was answered so."""
    breaker = CircuitBreaker(rate=100, in_flight=4)
    breaker.record_sent()
    breaker.record_result(AttemptResult(FAILED, "HTTP 429", retry_after=120), NOW, 0.0)
    assert breaker.capacity(NOW + 119) == 0
    assert breaker.capacity(NOW + 121) == 4


def test_a_breaker_survives_a_clock_that_steps() -> None:
    """Set back by a year or ahead by one, it lets parcels pass within the hour."""
    rng = random.Random(1)
    for step in (-365 * 86400, 365 * 86400):
        breaker = CircuitBreaker(rate=5, in_flight=2, state=BreakerState(9, NOW + 300))
        now = NOW + step
        waits = [breaker.wait(now + n) for n in range(2 * 3600)]
        assert any(breaker.capacity(now + n) for n in range(2 * 3600)), (
            step,
            min(waits),
            rng.random(),
        )


def test_a_breaker_begins_where_it_stood_before_a_restart() -> None:
    """A daemon that is restarted in an outage does not hurry at the target."""
    breaker = CircuitBreaker(rate=5, in_flight=2, state=BreakerState(9, NOW + 100))
    assert (breaker.condition, breaker.capacity(NOW), breaker.wait(NOW)) == (DOWN, 0, 100)
