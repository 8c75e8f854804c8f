"""All of them by name, with the numbers of a small round."""

from __future__ import annotations

import os
from typing import Callable, NamedTuple

from tests.laboratory import (
    disasters,
    fleet,
    folds,
    held_lock,
    mutations,
    shim,
    store_faults,
    truncation,
    write_faults,
)
from tests.laboratory.experiment import Bench


class Experiment(NamedTuple):
    """One way to break things."""

    name: str
    title: str
    """What it does, for people."""
    run: Callable[..., dict[str, int]]
    """Takes a bench and `numbers`; returns what was done. Raises when a promise is broken."""
    numbers: dict[str, int]
    """How much of it `pytest` does; a large round does a multiple."""
    needs_shim: bool = False

    def why_not(self) -> str:
        """Return why it can't be made on this machine, or nothing."""
        if os.name != "posix" and self.run in _OF_PROCESSES:
            return "children are forked, and this system can't"
        return shim.why_not() if self.needs_shim else ""

    def conduct(self, bench: Bench, scale: int = 1) -> dict[str, int]:
        """Make the experiment, `scale` times as large as `pytest` does."""
        return self.run(bench, **{name: scale * count for name, count in self.numbers.items()})


_OF_PROCESSES = (held_lock.run, fleet.run, write_faults.run, store_faults.run)

EXPERIMENTS = (
    Experiment("truncation", "files cut at every byte", truncation.run, {}),
    Experiment(
        "mutations",
        "broken files through the decoder",
        mutations.run,
        {"files": 100_000, "flips": 1},
    ),
    Experiment("folds", "sets of events in any pieces", folds.run, {"examples": 20_000}),
    Experiment("disasters", "stories of log and view", disasters.run, {"runs": 300, "steps": 40}),
    Experiment(
        "write-faults",
        "each call of the writer fails or is its last",
        write_faults.run,
        {"rounds": 1},
        needs_shim=True,
    ),
    Experiment(
        "store-faults",
        "calls of the indexer fail or are its last",
        store_faults.run,
        {"kills": 150, "errors": 120},
        needs_shim=True,
    ),
    Experiment("held-lock", "a lock whose holder is stopped", held_lock.run, {"seconds": 2}),
    Experiment(
        "fleet",
        "agents and daemon killed at random",
        fleet.run,
        {"writer_kills": 150, "indexer_kills": 75},
    ),
)
