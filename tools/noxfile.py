"""The tests on every supported Python, with the oldest and the newest dependencies.

Run it with `nox -f tools/noxfile.py`. Interpreters are found on PATH or among pyenv's versions;
one that is missing is an error.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]

nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True

_PYENV = sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin"))
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, _PYENV)])


def _oldest() -> list[str]:
    """Return the lower bound of every runtime dependency, as exact requirements."""
    bounds = nox.project.load_toml(ROOT / "pyproject.toml")["project"]["dependencies"]
    return [re.sub(r"\s*>=\s*", "==", bound) for bound in bounds]


@nox.session(python=PYTHONS)
@nox.parametrize("dependencies", ["newest", "oldest"])
def tests(session: nox.Session, dependencies: str) -> None:
    """Run the test suite; arguments after `--` go to pytest."""
    session.chdir(ROOT)
    session.install("-e", ".[dev]")
    if dependencies == "oldest":
        session.install(*_oldest())
    session.run("python", "-m", "pytest", *session.posargs)
