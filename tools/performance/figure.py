"""One thing measured, with the least it could cost and what we want it to be.

Made by the sections; shown by table, record and page. Pure: it measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional


class Spread(NamedTuple):
    """The middle of many measurements, with what nine of ten were above and below."""

    median: float
    low: float
    """The 10th percentile."""
    high: float
    """The 90th percentile."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of `values`, of which there is one at least."""
        return cls(percentile(values, 50), percentile(values, 10), percentile(values, 90))

    @classmethod
    def of_ratios(cls, ours: Sequence[float], floor: Sequence[float]) -> Spread:
        """Return the spread of each of our figures to the floor measured with it."""
        return cls.of([one / other for one, other in zip(ours, floor)])


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of the values are not above: one of them, none between."""
    ordered = sorted(values)
    place = round(percent / 100 * (len(ordered) - 1))
    return ordered[place]


class Goal(NamedTuple):
    """A limit on a figure: on its ratio to the floor, on the figure itself, or on either."""

    limit: float
    of: str = "ratio"
    """`ratio`, or `ours`."""
    at_least: bool = False
    """Whether more is better; else less is."""
    or_ratio: Optional[float] = None
    """With `ours`: a ratio to the floor that will do as well, where the machine is slower."""

    def is_met(self, ours: float, ratio: Optional[float]) -> bool:
        """Whether what was measured keeps to the limit, or to the other one."""
        if self.or_ratio is not None and ratio is not None and ratio <= self.or_ratio:
            return True
        value = ratio if self.of == "ratio" and ratio is not None else ours
        return value >= self.limit if self.at_least else value <= self.limit


class Figure(NamedTuple):
    """One thing measured."""

    name: str
    """What was measured, as in `one event of 200 bytes`."""
    unit: str
    """Of `ours`, `floor` and `peers`, as in `us`, `ms`, `MB`, `events/s`."""
    ours: float
    floor: Optional[float] = None
    floor_name: str = ""
    ratio: Optional[Spread] = None
    """Ours to the floor, in blocks that took turns."""
    goal: Optional[Goal] = None
    peers: Mapping[str, float] = {}
    """What others take for the same."""
    note: str = ""

    def is_met(self) -> Optional[bool]:
        """Whether the goal is met; None if there is none."""
        if self.goal is None:
            return None
        return self.goal.is_met(self.ours, self.ratio.median if self.ratio else None)

    def record(self) -> dict[str, Any]:
        """Return the figure for a machine; the keys are stable."""
        return {
            **self._asdict(),
            "ratio": self.ratio._asdict() if self.ratio else None,
            "goal": self.goal._asdict() if self.goal else None,
            "peers": dict(self.peers),
            "met": self.is_met(),
        }

    @classmethod
    def read(cls, record: dict[str, Any]) -> Figure:
        """Return the figure that `record` gave."""
        values = {name: record[name] for name in cls._fields}
        values["ratio"] = Spread(**record["ratio"]) if record["ratio"] else None
        values["goal"] = Goal(**record["goal"]) if record["goal"] else None
        return cls(**values)


def compared(
    name: str,
    sides: Mapping[str, Sequence[float]],
    unit: str,
    goal: Optional[Goal] = None,
    scale: float = 1.0,
) -> Figure:
    """Return the figure of two sides that took turns: ours, and then the floor by its name.

    `scale` brings what was measured to the unit.
    """
    (_, ours), (floor_name, floor) = sides.items()
    return Figure(
        name,
        unit,
        percentile(ours, 50) * scale,
        percentile(floor, 50) * scale,
        floor_name,
        Spread.of_ratios(ours, floor),
        goal,
    )
