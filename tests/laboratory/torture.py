"""All experiments again and again, larger each round, until one breaks a promise.

Called by `tools/torture.py`. It knows no clock but to measure how long an experiment took, and
shows nothing by itself.
"""

from __future__ import annotations

import random
import shutil
import time
import traceback
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Callable, NamedTuple, Optional

from tests.laboratory.experiment import Bench
from tests.laboratory.experiments import Experiment


class Outcome(NamedTuple):
    """What came of one experiment."""

    round: int
    experiment: str
    seconds: float
    figures: dict[str, int]
    """What was done, in the experiment's own words; empty when it was not made."""
    skipped: str = ""
    """Why it can't be made here."""
    violation: str = ""
    """Which promise was broken, and where."""


def torture(
    experiments: list[Experiment],
    seed: int,
    directory: Path,
    first_round: int = 1,
    on_start: Callable[[int, Experiment], Callable[[int], None]] = lambda *_: lambda _: None,
) -> Iterator[Outcome]:
    """Make the experiments round by round, while outcomes are asked for.

    The last outcome is the first with a violation; what that experiment worked with is then
    left in `directory`. `on_start` gives the function that is called with how many trials are over.
    """
    for number in count(first_round):
        for experiment in experiments:
            on_progress = on_start(number, experiment)
            bench = Bench(
                directory / experiment.name, seed_of(seed, number, experiment), on_progress
            )
            outcome = _conduct(experiment, number, bench)
            yield outcome
            if outcome.violation:
                return
            shutil.rmtree(bench.directory, ignore_errors=True)


def seed_of(seed: int, number: int, experiment: Experiment) -> int:
    """Return the seed of one experiment of one round, so that it can be repeated alone."""
    return random.Random(f"{seed} {number} {experiment.name}").getrandbits(32)


def _conduct(experiment: Experiment, number: int, bench: Bench) -> Outcome:
    reason = experiment.why_not()
    if reason:
        return Outcome(number, experiment.name, 0.0, {}, skipped=reason)
    begun = time.monotonic()
    bench.directory.mkdir(parents=True)
    figures: dict[str, int] = {}
    violation: Optional[str] = None
    try:
        figures = experiment.conduct(bench, scale=number)
    except Exception:
        # Not only what the oracle demands: an experiment that falls over has met something.
        violation = traceback.format_exc()
    seconds = time.monotonic() - begun
    return Outcome(number, experiment.name, seconds, figures, violation=violation or "")
