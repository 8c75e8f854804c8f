"""What one is given, what it hands back, and how it is asked to hurry.

Called by all experiments; pytest and the torture differ in nothing but the numbers.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Callable, NamedTuple, Optional

_MEMORY = "/dev/shm"
_ROOM_BYTES = 2 * 1024**3


class Bench(NamedTuple):
    """What an experiment works with."""

    directory: Path
    """Scratch space of its own; what is left in it is the evidence when a promise is broken."""
    seed: int
    on_progress: Callable[[int], None] = lambda _: None
    """Called with how many more of its trials are over."""

    def chance(self) -> random.Random:
        """Return the source of all random choices of the experiment."""
        return random.Random(self.seed)


def scratch_root() -> Optional[str]:
    """Return where scratch directories are best made; None for where the system likes.

    In memory, if there is room: the disk's patience is not what is tried, and only there a kill
    tears a large write.
    """
    try:
        return _MEMORY if shutil.disk_usage(_MEMORY).free > _ROOM_BYTES else None
    except OSError:
        return None


def spread(count: int, total: int, chance: random.Random) -> list[int]:
    """Return `count` numbers from 1 to `total`, one at random from each of as many equal parts."""
    return [1 + int((part + chance.random()) * total / count) for part in range(count)]
