"""Ten thousand runs queued while a receiver is away for three days."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import pytest

from tests.support.forward import a_run, a_target
from tests.support.story import FakeReceiver, Story

_RUNS = 10_000
_OUTAGE_SECONDS = 3 * 86400
_RATE, _IN_FLIGHT = 50.0, 16


class Away(FakeReceiver):
    """A receiver that is away until a moment, and then takes all that comes, with its time."""

    def __init__(self, story_time: list[float]) -> None:
        super().__init__(random.Random(5), bad=0)
        self._time = story_time
        self.came: list[tuple[float, str]] = []
        self.tried_in_vain = 0

    def outcomes(self):
        coming, self._coming = self._coming, []
        return coming

    def send(self, target, parcel) -> None:
        before = len(self.order)
        super().send(target, parcel)
        if len(self.order) > before:
            self.came.append((self._time[0], parcel.run_id))
        else:
            self.tried_in_vain += 1


@pytest.mark.laboratory
def test_runs_of_an_outage_of_three_days_drain_in_order_at_a_bounded_rate(tmp_path: Path) -> None:
    """A probe now and then, then all in order; memory is flat; nothing is sent again afterwards."""
    time = [0.0]
    receiver = Away(time)
    target = a_target(rate=_RATE, in_flight=_IN_FLIGHT)
    story = Story(tmp_path, receiver.for_another_process, target, random.Random(4))
    story.shortest_wait, story.longest_attempt = 0.2, 0.0
    began = story.now
    receiver.is_down = lambda: story.now < began + _OUTAGE_SECONDS
    events = [event for n in range(_RUNS) for event in a_run(f"run-{n:05d}", 10 * n)]
    story.record(*events)
    while story.now < began + _OUTAGE_SECONDS:
        time[0] = story.now
        story.tick()
    assert not receiver.came
    # Less than one probe in a minute, in three days.
    assert 800 < receiver.tried_in_vain < 3 * 24 * 60
    tracemalloc.start()
    while not story.is_over():
        time[0] = story.now
        story.tick()
        if tracemalloc.is_tracing() and len(receiver.came) > 500:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    _judge_drain(receiver.came)
    assert peak < 2_000_000, "what waits is not held in memory"
    story.lose_database()
    story.finish()
    assert len(receiver.order) == _RUNS, "a rebuild sends nothing again"
    story.close()


def _judge_drain(came: list[tuple[float, str]]) -> None:
    runs = [run for _, run in came]
    assert len(runs) == len(set(runs)) == _RUNS
    # The probe that found the receiver back is the one that was tried least; what is under way
    # at once may change places.
    places = {run: place for place, run in enumerate(sorted(runs))}
    late = [abs(place - places[run]) for place, run in enumerate(runs[1:])]
    assert max(late) <= _IN_FLIGHT
    window: list[float] = []
    for moment, _ in came:
        window = [one for one in window if one > moment - 1] + [moment]
        assert len(window) <= _RATE + _IN_FLIGHT
    assert came[-1][0] - came[0][0] < 1.2 * _RUNS / _RATE, "and no slower than it may"
