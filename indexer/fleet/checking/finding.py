"""Say what a comparison with the centre found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

NOT_SHIPPED = "not shipped"
"""It is here and not in the centre yet: the next round of shipping sends it."""
DIFFERS = "differs"
"""What the centre has is not what is here, though it was shipped."""

_SHOWN = 100


class Finding(NamedTuple):
    """One thing that is not equal. The fields are the keys of `--json`."""

    kind: str
    what: str
    """`segment NAME` or `run ID`."""
    detail: str


@dataclass
class Findings:
    """What was compared, and what is not equal."""

    segments: int = 0
    lines: int = 0
    runs: int = 0
    events: int = 0
    not_compared: int = 0
    """Segments and runs that the centre no longer keeps, or that this host no longer has whole."""
    only_there: int = 0
    """Lines that the centre has of this host's segments and this host has lost, as by a restore."""
    shown: list[Finding] = field(default_factory=list)
    """The first of them."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many there are of each kind."""

    @property
    def is_equal(self) -> bool:
        """Whether nothing was found."""
        return not self.counts

    @property
    def total(self) -> int:
        """How many findings there are, shown or not."""
        return sum(self.counts.values())

    def add(self, kind: str, what: str, detail: str) -> None:
        """Add one."""
        self.counts[kind] += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(Finding(kind, what, detail))
