"""Every run gets through that its target accepts at some attempt, whatever the others do."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from indexer.forward.circuit_breaker import BreakerState, CircuitBreaker
from indexer.forward.sender import Outcome
from indexer.outbox.attempt import result_of_status
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target
from tests.support.forward import a_target
from tests.support.story import Story

_NEVER = 10**9
_MOST_TICKS = 800


class Choosy:
    """A receiver that accepts each run at an attempt of its own, the n-th or never."""

    def __init__(self) -> None:
        self.accepts_at: dict[str, int] = {}
        self.otherwise = 1
        self.tries: Counter[str] = Counter()
        self.held: set[str] = set()
        self._outcomes: list[Outcome] = []

    def send(self, _: Target, parcel: Parcel) -> None:
        self.tries[parcel.run_id] += 1
        is_accepted = self.tries[parcel.run_id] >= self.accepts_at.get(
            parcel.run_id, self.otherwise
        )
        if is_accepted:
            self.held.add(parcel.run_id)
        self._outcomes.append((parcel, result_of_status(200 if is_accepted else 500)))

    def outcomes(self) -> list[Outcome]:
        found, self._outcomes = self._outcomes, []
        return found


def _story(directory: Path, receiver: Choosy, seed: int, in_flight: int = 4) -> Story:
    target = a_target(in_flight=in_flight, rate=50.0)
    story = Story(directory, lambda: receiver, target, random.Random(seed))
    # Long enough for the backoff of a run that fails among others that are delivered.
    story.longest_attempt = 5.0
    return story


# Without shrinking: a story that fails takes long, and says enough as it is.
@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])
@example(accepts_at=[2], otherwise=2, every=1, seed=0)
@example(accepts_at=[_NEVER, _NEVER, 3], otherwise=4, every=2, seed=0)
@given(
    accepts_at=st.lists(st.sampled_from([1, 2, 3, 4, 6, _NEVER]), min_size=1, max_size=6),
    otherwise=st.sampled_from([1, 2, 3, _NEVER]),
    every=st.integers(1, 6),
    seed=st.integers(0, 2**32),
)
def test_a_run_that_is_accepted_at_its_nth_attempt_gets_there(
    tmp_path_factory: pytest.TempPathFactory,
    accepts_at: list[int],
    otherwise: int,
    every: int,
    seed: int,
) -> None:
    """With runs that never are, and while new ones arrive all the time."""
    receiver = Choosy()
    receiver.otherwise = otherwise
    story = _story(tmp_path_factory.mktemp("story"), receiver, seed)
    runs = [story.add_run() for _ in accepts_at]
    receiver.accepts_at = dict(zip(runs, accepts_at))
    wanted = {run for run, number in receiver.accepts_at.items() if number != _NEVER}
    for tick in range(_MOST_TICKS):
        if wanted <= receiver.held:
            break
        if tick % every == 0:
            story.add_run()
        story.tick()
    assert wanted <= receiver.held, receiver.tries
    story.close()


def test_a_receiver_that_loses_its_first_answer_to_each_key_gets_all(tmp_path: Path) -> None:
    """Two hundred runs that keep coming while none is delivered at its first attempt."""
    receiver = Choosy()
    receiver.otherwise = 2
    story = _story(tmp_path, receiver, 3)
    began = story.now
    for _ in range(200):
        story.add_run()
        for _ in range(5):
            story.tick()
    story.finish()
    assert receiver.held == set(story.revisions)
    assert max(receiver.tries.values()) <= 10
    assert story.now - began < 3 * 3600
    story.close()


@pytest.mark.parametrize("waiting", [1, 3, 20])
def test_probes_try_every_waiting_run_again_and_again(waiting: int) -> None:
    """Its rank sweeps over all that waits; the n-th attempt comes after a bounded number."""
    tries: Counter[int] = Counter()
    attempts = 5
    for probe in range((waiting + attempts) * (waiting + attempts + 1) // 2):
        breaker = CircuitBreaker(1.0, 1, BreakerState(failures=5 + probe))
        tries[breaker.probe_rank % waiting] += 1
    assert len(tries) == waiting
    assert min(tries.values()) >= attempts
