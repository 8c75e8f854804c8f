"""Several sides measured by turns, so that what the machine does meets all of them.

Called by the sections. These machines change their clock between two speeds for seconds at a
time; two figures are only comparable if they were measured within the same moment.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Callable


def by_turns(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Ask each side for its measurement, `rounds` times, each round in the opposite order."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            found[name].append(sides[name]())
    return found


def block(action: Callable[[], object], calls: int = 1) -> Callable[[], float]:
    """Return a side that makes `calls` calls of `action` and measures seconds a call."""

    def measure() -> float:
        numbers = range(calls)
        begun = time.perf_counter()
        for _ in numbers:
            action()
        return (time.perf_counter() - begun) / calls

    return measure


def each(action: Callable[[], object], calls: int) -> list[float]:
    """Return how long each of `calls` calls of `action` took, in seconds."""
    clock, taken = time.perf_counter, []
    for _ in range(calls):
        begun = clock()
        action()
        taken.append(clock() - begun)
    return taken
