"""The check of dependencies: each is there, and new enough."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from indexer.doctor.finding import Finding, failure, note, ok
from indexer.doctor.subject import Subject

_DISTRIBUTION = "local-telemetry"
_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
_REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)\s*>=\s*([0-9][0-9.]*)$")
_INSTALL = "pip install --upgrade '{}>={}', with the Python named above"


def check(_subject: Subject) -> Iterator[Finding]:
    """Hold what is installed against what the project asks for."""
    for name, oldest in requirements().items():
        yield _look_at(name, oldest)


def requirements() -> dict[str, str]:
    """Return the oldest version of each dependency that will do, by name."""
    matches = (_REQUIREMENT.match(line) for line in _requirement_lines())
    return {match[1]: match[2] for match in matches if match}


def _look_at(name: str, oldest: str) -> Finding:
    todo = _INSTALL.format(name, oldest)
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        if find_spec(name) is None:
            return failure(f"{name} is not installed", todo)
        return note(f"{name} is there, its version unknown; {oldest} or newer is needed")
    if _numbers(version) < _numbers(oldest):
        return failure(f"{name} {version} is older than {oldest}", todo)
    return ok(f"{name} {version}")


def _requirement_lines() -> list[str]:
    try:
        return metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        # A checkout in which nothing was installed.
        _, _, after = _PROJECT.read_text(encoding="utf-8").partition("\ndependencies = [")
        return re.findall(r'"([^"]+)"', after.partition("]")[0])


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version's release as numbers; what comes after them decides nothing here."""
    release = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in release[0].split(".")) if release else ()
