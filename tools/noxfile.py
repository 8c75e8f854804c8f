"""The tests on every supported Python, with the oldest and the newest dependencies.

Run it with `nox -f tools/noxfile.py`. Interpreters are found on PATH or among pyenv's versions;
one that is missing is an error.
"""

from __future__ import annotations

import re
from pathlib import Path

import nox

nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]


def _interpreter(version: str) -> str:
    """A pyenv version of that number if there is one; else the name, to be found on PATH."""
    found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    return str(found[-1]) if found else version


def _oldest() -> list[str]:
    """The lower bound of every runtime dependency, as exact requirements."""
    pyproject = nox.project.load_toml(ROOT / "pyproject.toml")
    bounds = pyproject["project"]["dependencies"]
    return [re.sub(r"\s*>=\s*", "==", bound) for bound in bounds]


@nox.session(python=[_interpreter(version) for version in PYTHONS])
@nox.parametrize("dependencies", ["newest", "oldest"])
def tests(session: nox.Session, dependencies: str) -> None:
    """Run the test suite; arguments after `--` go to pytest."""
    session.chdir(ROOT)
    session.install("-e", ".[dev]")
    if dependencies == "oldest":
        session.install(*_oldest())
    session.run("python", "-m", "pytest", *session.posargs)
