"""The results: how each mutant of a module ended, in a file for each module.

Written while mutants are tried, so that an interrupted run goes on where it was; read by the
report.
"""

from __future__ import annotations

import json
from pathlib import Path

from settings import STATE

UNTRIED, KILLED, TIMEOUT, SURVIVED = "untried", "killed", "timeout", "survived"


def read(module: str) -> dict[str, str]:
    """Return the outcome of each mutant by its key; nothing for a module never tried."""
    path = _path(module)
    return json.loads(path.read_text()) if path.exists() else {}


def write(module: str, outcomes: dict[str, str]) -> None:
    """Keep the outcomes of a module."""
    _path(module).write_text(json.dumps(outcomes, indent=1))


def _path(module: str) -> Path:
    return STATE / f"{module.replace('/', '.')}.json"
