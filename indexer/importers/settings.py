"""Read what `[import]` in config/telemetry.toml asks the daemon to import.

Called by the daemon and by doctor. What makes no sense is returned in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from indexer.importers.importer import FULL, NONE, Wanted
from indexer.outbox.settings_file import read_document
from indexer.semantics.sessions.tools import all_tools

ALL = "all"
_KNOWN = ("tools", "content", "paths")


class ImportSettings(NamedTuple):
    """What is to be imported, and what is wrong with the settings."""

    wanted: Optional[Wanted]
    """None for nothing."""
    problems: list[str]


def load_settings(path: Path) -> ImportSettings:
    """Read the table `import` of a settings file; none means that nothing is imported."""
    document, _ = read_document(path)
    table = document.get("import")
    if table is None:
        return ImportSettings(None, [])
    if not isinstance(table, Mapping):
        return ImportSettings(None, [f"{path}: make `import` a table, as in [import]"])
    return _read(path, table)


def _read(path: Path, table: Mapping[str, Any]) -> ImportSettings:
    problems = [
        f"{path}: [import] has {name!r}, which is no setting: known are {', '.join(_KNOWN)}"
        for name in table
        if name not in _KNOWN
    ]
    names, paths = table.get("tools", [ALL]), table.get("paths", [])
    content = table.get("content", FULL)
    if not _are_texts(names) or not _are_texts(paths):
        return ImportSettings(
            None, [*problems, f"{path}: tools and paths of [import] have to be lists of texts"]
        )
    if content not in (FULL, NONE):
        return ImportSettings(
            None, [*problems, f"{path}: content of [import] has to be {FULL} or {NONE}"]
        )
    tools = all_tools()
    problems += [
        f"{path}: [import] names the tool {name!r}: known are {', '.join(tools)} and {ALL}"
        for name in names
        if name not in tools and name != ALL
    ]
    chosen = list(tools.values()) if ALL in names else [tools[n] for n in names if n in tools]
    wanted = Wanted(chosen, [Path(one).expanduser() for one in paths], content)
    return ImportSettings(wanted if chosen else None, problems)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
