"""A group of figures that are measured together, found by its name.

Called by the command. A section is a file in `sections/` with a `SECTION`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Callable, NamedTuple

from tools.performance.figure import Figure

NAMES = (
    "append",
    "processes",
    "imports",
    "indexing",
    "searching",
    "replay",
    "growth",
    "sessions",
    "latency",
    "idle",
    "reading",
    "forwarding",
    "page",
    "many_runs",
    "fleet",
    "dashboards",
    "peers",
)
"""All sections, in the order in which they are shown."""
NEED_NETWORK = ("peers", "dashboards")
"""These install what others have; they are measured only where that is asked for."""
NEED_ASKING = (*NEED_NETWORK, "fleet")
"""These are not among all: a fleet needs an engine of 700 MB, `local-telemetry[fleet-test]`."""


class Bench(NamedTuple):
    """What a section is given."""

    directory: Path
    """Empty, on the disk that is to be measured, and deleted afterwards."""
    quick: bool
    """Whether a glance is enough: a tenth of the repetitions."""
    say: Callable[[str], None]
    """Shows what is being done, at a terminal."""
    sessions: int = 0
    """How many session files to import; 0 for the usual number."""
    hosts: int = 0
    """How many hosts a simulated fleet has; 0 for the usual number."""
    events: int = 0
    """How many events they record; 0 for the usual number."""

    def rounds(self, usual: int) -> int:
        """Return how often to repeat what is usually repeated `usual` times."""
        return max(3, usual // 10) if self.quick else usual


class Section(NamedTuple):
    """A group of figures."""

    name: str
    title: str
    run: Callable[[Bench], Iterator[Figure]]
    """Yields each figure as soon as it is known."""


def section(name: str) -> Section:
    """Return the section of that name."""
    found: Section = import_module(f"tools.performance.sections.{name}").SECTION
    return found


def present() -> list[str]:
    """Return the names of the sections that there are, in order."""
    files = {path.stem for path in (Path(__file__).parent / "sections").glob("*.py")}
    return [name for name in NAMES if name in files]
