"""Find session files below a directory, listing again only where something changed.

Called by the importer, every half minute while it watches: of ten thousand old sessions each round
may cost no more than one look at each.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from indexer.semantics.sessions.tool import PACKED, Tool, plain_name

_SETTLED_NANOSECONDS = 5_000_000_000
"""A folder that was changed more recently may change again without its time changing."""


class Found(NamedTuple):
    """A session file as the directory shows it now."""

    tool: Tool
    path: str
    changed: float
    """When it was last written to, in seconds since 1970."""
    state: str
    """What changes whenever the file does."""


class _Listing(NamedTuple):
    changed: int
    sessions: list[str]
    folders: list[str]


class Folders:
    """The folders that were listed, each with the sessions in it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Listing] = {}

    def sessions(self, tool: Tool, top: str) -> Iterator[str]:
        """Yield the session files of a tool below a directory; of two that are one, the plain."""
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                listing = self._listing(tool, folder)
            except OSError:
                # Gone meanwhile, or not for us to read.
                self._known.pop((tool.name, folder), None)
                continue
            yield from listing.sessions
            waiting += reversed(listing.folders)

    def _listing(self, tool: Tool, folder: str) -> _Listing:
        changed = os.stat(folder).st_mtime_ns
        known = self._known.get((tool.name, folder))
        if known is not None and known.changed == changed:
            return known
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        names = {name for name, is_folder in found if not is_folder}
        listing = _Listing(
            changed,
            [
                os.path.join(folder, name)
                for name in sorted(names)
                if _is_one(tool, folder, name, names)
            ],
            [os.path.join(folder, name) for name, is_folder in found if is_folder],
        )
        if time.time_ns() - changed > _SETTLED_NANOSECONDS:
            self._known[tool.name, folder] = listing
        return listing


def look_at(tool: Tool, path: str) -> Found:
    """Return a session file as it is now, with its sidecar. Raises OSError."""
    status = os.stat(path)
    path_of_sidecar, sidecar = tool.sidecar(path), ""
    if path_of_sidecar is not None:
        try:
            sidecar = f" {os.stat(path_of_sidecar).st_mtime_ns}"
        except OSError:
            # Most files have none.
            pass
    state = f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns}{sidecar}"
    return Found(tool, path, status.st_mtime, state)


def _is_one(tool: Tool, folder: str, name: str, names: set[str]) -> bool:
    if name.endswith(PACKED) and name[: -len(PACKED)] in names:
        return False
    return tool.is_session(plain_name(Path(folder, name)))
