"""Lay out steps as a tree, in the order of its lines, with equal siblings folded.

Called by the page of a run. Pure: it is given steps and returns lines. Cycles and steps without
a parent end up under the root, and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Optional

from indexer.terminal.format import duration
from indexer.ui.queries.run.steps import KILLED, OPEN, Step

GROUP = 6
"""So many equal siblings in a row, and more, are folded into one line."""
WHOLE = 500
"""Up to so many lines all are unfolded."""
DEPTH = 3
"""... and above that, so many levels."""
FIRST = 100
"""How many lines are in the page itself."""
ORPHAN = "no parent found"


@dataclass
class Line:
    """One line of the waterfall."""

    step: Step
    depth: int
    parent: int
    """The number of the line that it is inside of; -1 for the first."""
    inside: int = 0
    """How many lines are inside it, all levels."""
    is_folded: bool = False
    count: int = 1
    """How many steps it stands for."""
    note: str = ""

    @property
    def duration(self) -> Optional[float]:
        """How long it took, None while open."""
        return None if self.step.end is None else self.step.end - self.step.start


@dataclass(frozen=True)
class Waterfall:
    """All lines, and where they are on the axis."""

    lines: list[Line]
    end: float
    """The length of the axis in milliseconds."""
    focus: int
    """The line to look at first: the first error, else the first open step, else the first."""

    def visible(self) -> list[int]:
        """Return the numbers of the lines that are not inside a folded one."""
        found, number = [], 0
        while number < len(self.lines):
            found.append(number)
            line = self.lines[number]
            number += 1 + (line.inside if line.is_folded else 0)
        return found

    def share(self, milliseconds: float) -> float:
        """Return a place on the axis in percent."""
        return max(0.0, min(100.0, 100 * milliseconds / self.end)) if self.end else 0.0


def waterfall(steps: Sequence[Step], now: float) -> Waterfall:
    """Return the waterfall of steps, of which the first is the root; `now` as the steps' times."""
    if not steps:
        return Waterfall([], 0.0, -1)
    lines = _Walk(steps).lines
    end = max([1.0, *(now if line.step.end is None else line.step.end for line in lines)])
    focus = _focus(lines)
    _fold(lines, focus)
    return Waterfall(lines, end, focus)


class _Walk:
    """The lines, depth first, without recursion: steps may be ten thousand levels deep."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.lines: list[Line] = []
        self._placed: set[str] = set()
        self._children: dict[str, list[Step]] = {}
        for step in sorted(steps[1:], key=lambda step: (step.start, step.key)):
            self._children.setdefault(step.parent, []).append(step)
        self._add(steps[0], 0, -1, steps[0].note)
        keys = {step.key for step in steps}
        orphans = [step for step in steps[1:] if step.parent not in keys]
        # What is left then goes round in a circle, which can be entered anywhere.
        for step in (*orphans, *steps[1:]):
            if step.key not in self._placed:
                self._add(step, 1, 0, ORPHAN)
        _count_inside(self.lines)

    def _add(self, top: Step, depth: int, parent: int, note: str) -> None:
        """Add a step with all that is inside it."""
        waiting = [(Line(top, depth, parent, note=note))]
        while waiting:
            line = waiting.pop()
            if line.step.key in self._placed:
                continue
            self._placed.add(line.step.key)
            number = len(self.lines)
            self.lines.append(line)
            waiting += [
                Line(child, line.depth + 1, number, count=count, note=child.note)
                for child, count in reversed(self._inside(line))
            ]

    def _inside(self, line: Line) -> list[tuple[Step, int]]:
        """Return what is directly inside a line, each with how many steps it stands for."""
        children = self._children.get(line.step.key, [])
        if line.count > 1:
            return [(child, 1) for child in children]
        found: list[tuple[Step, int]] = []
        for equals in _pieces(children):
            if len(equals) < GROUP:
                found += [(step, 1) for step in equals]
            else:
                group = _group(equals)
                self._children[group.key] = equals
                found.append((group, len(equals)))
        return found


def _pieces(siblings: Sequence[Step]) -> list[list[Step]]:
    """Return siblings in pieces: neighbours of one name and kind that went well are together."""
    pieces: list[list[Step]] = []
    for step in siblings:
        last = pieces[-1][-1] if pieces else None
        if last is not None and _is_equal(last, step):
            pieces[-1].append(step)
        else:
            pieces.append([step])
    return pieces


def _is_equal(one: Step, other: Step) -> bool:
    is_same = (one.kind, one.name, one.state) == (other.kind, other.name, other.state)
    if one.kind == "run" and one.note != other.note:
        # Runs of several items are no equals: each item has a name.
        return False
    return is_same and not one.has_failed and not one.is_open and one.state != KILLED


def _group(equals: Sequence[Step]) -> Step:
    first = equals[0]
    lengths = [(step.end or step.start) - step.start for step in equals]
    note = f"total {duration(sum(lengths))}, slowest {duration(max(lengths))}"
    end = max(step.end or step.start for step in equals)
    return replace(first, key=f"group:{first.key}", span_id="", end=end, note=note)


def _count_inside(lines: Sequence[Line]) -> None:
    for line in reversed(lines):
        if line.parent >= 0:
            lines[line.parent].inside += 1 + line.inside


def _focus(lines: Sequence[Line]) -> int:
    """Return the first error that is not just its child's, else the first open step, else 0.

    Of a run that was killed, what it was doing then comes first: errors before it were survived.
    """
    failed = [number for number, line in enumerate(lines) if line.step.has_failed]
    causes = {lines[number].parent for number in failed}
    innermost = [number for number in failed if number not in causes]
    stuck = [n for n, line in enumerate(lines) if line.step.state in (OPEN, KILLED)]
    above = {lines[number].parent for number in stuck}
    stuck = [number for number in stuck if number not in above]
    is_killed = lines[0].step.state == KILLED
    return next(iter(stuck + innermost if is_killed else innermost + stuck), 0)


def _fold(lines: Sequence[Line], focus: int) -> None:
    """Fold what is too much to begin with; the way to the focus stays open."""
    open_lines = set()
    number = focus
    while number >= 0:
        number = lines[number].parent
        open_lines.add(number)
    is_long = len(lines) > WHOLE
    for number, line in enumerate(lines):
        is_deep = is_long and line.depth >= DEPTH
        line.is_folded = (
            bool(line.inside) and number not in open_lines and (is_deep or line.count > 1)
        )
