"""Hold style sheet and scripts in memory, under names that change with their bytes.

Called by the pages, which name them, and by the application, which serves them. No path of a
request reaches the file system.
"""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from typing import NamedTuple

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_SCRIPT = (
    "core.js",
    "live.js",
    "list.js",
    "keys.js",
    "waterfall.js",
    "curves.js",
    "sql.js",
    "start.js",
)
_NAMES = {"style": ("style.css",), "script": _SCRIPT}


class Asset(NamedTuple):
    """One file as a browser gets it."""

    path: str
    """As `/assets/style-0123456789abcdef.css`."""
    media_type: str
    data: bytes
    compressed: bytes
    """The same by gzip."""


def load_assets() -> dict[str, Asset]:
    """Return the assets by what they are: `style` and `script`."""
    return {kind: _load(kind, names) for kind, names in _NAMES.items()}


def _load(kind: str, names: tuple[str, ...]) -> Asset:
    folder = files("indexer.ui") / "assets"
    data = b"".join((folder / name).read_bytes() for name in names)
    suffix = names[0].rpartition(".")[2]
    digest = hashlib.sha256(data).hexdigest()[:16]
    return Asset(
        f"/assets/{kind}-{digest}.{suffix}", _TYPES[suffix], data, gzip.compress(data, mtime=0)
    )
