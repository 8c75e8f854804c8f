"""Check the dependencies: whether each is installed and new enough."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Optional

from indexer.doctor.finding import Finding, failure, note, ok
from indexer.doctor.subject import Subject

_DISTRIBUTION = "local-telemetry"
_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
_REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)\s*>=\s*([0-9][0-9.]*)[^;]*(?:;(.*))?$")
_MARKER = re.compile(r"""\s*python_version\s*(<|>=)\s*['"]([0-9.]+)['"]\s*$""")
_INSTALL = "pip install --upgrade '{}>={}', with the Python named above"


def check(_subject: Subject) -> Iterator[Finding]:
    """Compare what is installed with what the project requires."""
    for name, oldest in requirements().items():
        yield _look_at(name, oldest)


def requirements(python: tuple[int, ...] = sys.version_info[:2]) -> dict[str, str]:
    """Return the oldest version of each dependency that will do on a version of Python."""
    matches = (_REQUIREMENT.match(line) for line in _requirement_lines())
    return {match[1]: match[2] for match in matches if match and _applies(match[3], python)}


def _applies(marker: Optional[str], python: tuple[int, ...]) -> bool:
    """Return whether a requirement with this marker is needed; one of an extra never is."""
    if not marker:
        return True
    found = _MARKER.match(marker)
    if found is None:
        return False
    return (python < _numbers(found[2])) == (found[1] == "<")


def _look_at(name: str, oldest: str) -> Finding:
    todo = _INSTALL.format(name, oldest)
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        if find_spec(name) is None:
            return failure(f"{name} is not installed", todo)
        return note(f"{name} is installed, its version unknown; {oldest} or newer is needed")
    if _numbers(version) < _numbers(oldest):
        return failure(f"{name} {version} is older than {oldest}", todo)
    return ok(f"{name} {version}")


def _requirement_lines() -> list[str]:
    try:
        return metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        # A checkout that was not installed.
        _, _, after = _PROJECT.read_text(encoding="utf-8").partition("\ndependencies = [")
        return re.findall(r'"([^"]+)"', after.partition("\n]")[0])


def _numbers(version: str) -> tuple[int, ...]:
    """Return the release of a version as numbers, without suffixes like rc1."""
    release = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(int(part) for part in release[0].split(".")) if release else ()
