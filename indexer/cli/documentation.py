"""The documentation pages that ship with the package, by topic.

Used by `telemetry docs`. A wheel has the pages inside the package; a checkout has them in docs/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import indexer

_PACKAGE = Path(indexer.__file__).parent
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_INDEX = "index"


@dataclass(frozen=True)
class Topic:
    """One page."""

    name: str
    title: str
    path: Path

    def read(self) -> str:
        """Return the page as Markdown. Raises OSError."""
        return self.path.read_text(encoding="utf-8")


def topics() -> dict[str, Topic]:
    """Return every page by its name: the file's, in lower case and with dashes."""
    found = {}
    for path in sorted(_directory().glob("*.md"), key=lambda path: path.name.lower()):
        name = path.stem.lower().replace("_", "-")
        if name != _INDEX:
            title = _TITLE.search(path.read_text(encoding="utf-8"))
            found[name] = Topic(name, title[1] if title else name, path)
    return found


def _directory() -> Path:
    installed = _PACKAGE / "docs"
    return installed if installed.is_dir() else _PACKAGE.parent / "docs"
