"""The experiment: what one is given, what it hands back, and how it is asked to hurry.

Called by all experiments; pytest and the torture differ in nothing but the numbers.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Callable, NamedTuple


class Bench(NamedTuple):
    """What an experiment works with."""

    directory: Path
    """Scratch space of its own; what is left in it is the evidence when a promise is broken."""
    seed: int
    on_progress: Callable[[int], None] = lambda _: None
    """Told how many more of its trials are over."""

    def chance(self) -> random.Random:
        """Return the dice that all choices of the experiment are thrown with."""
        return random.Random(self.seed)


def spread(count: int, total: int, chance: random.Random) -> list[int]:
    """Return `count` numbers from 1 to `total`, one at random from each of as many equal parts."""
    return [1 + int((part + chance.random()) * total / count) for part in range(count)]
