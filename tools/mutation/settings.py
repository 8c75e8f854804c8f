"""The settings: what is broken, with which tests, where results are kept, and what may survive.

Read by every other file of this folder; `modules.toml` and `survivors.toml` are written by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomllib

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".mutation"
"""What was learned: the map, and the outcomes of each module."""
COVERAGE_DATA = STATE / ".coverage"
DURATIONS = STATE / "durations.json"


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / name).read_text())


_MODULES = _read("modules.toml")
PYTEST = ["-q", "-oaddopts=", "-pno:cacheprovider", "-pno:xdist"]
"""Arguments for every session: one process, so that contexts and forks are its own."""
TESTS: dict[str, list[str]] = _MODULES["tests"]
"""The test files of each module."""
OPERATORS: list[str] = _MODULES["operators"]
SECONDS: float = _MODULES["seconds"]
"""The most that the tests of one mutant may take together."""
REASONS: dict[tuple[str, str], str] = {
    (group["module"], key): group["reason"]
    for group in _read("survivors.toml")["survivor"]
    for key in group["keys"]
}
"""Why a mutant may survive, by its module and its key."""
