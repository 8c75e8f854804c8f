"""The walls of the house: who may import whom."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "telemetry_core").glob("**/*.py"))
INDEXER = sorted((ROOT / "indexer").glob("**/*.py"))

# fold and the store meet in ingest and, to be held against each other, in verify.
_STORE = {
    "indexer.store.events",
    "indexer.store.runs",
    "indexer.store.cursors",
    "indexer.store.connection",
}
_PURE = {"fields", "status", "event", "line", "degrade", "timestamp"}
_ALLOWED_FOREIGN = {"orjson", "portalocker"}
# The doors to pytest and to the old name, which no agent imports by itself.
_OWN_DOORS = {"pytest_plugin.py", "_telemetry_name.py"}


def _imports(path: Path) -> set[str]:
    """Every module that a file imports, by its full name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in _imports(path)}


@pytest.mark.parametrize(
    "path", [path for path in CORE if path.name not in _OWN_DOORS], ids=lambda path: path.name
)
def test_the_writer_needs_orjson_and_portalocker_alone(path: Path) -> None:
    """An agent gets no dependency from us beyond these, and never the indexer."""
    standard = {"telemetry_core", *_ALLOWED_FOREIGN}
    if sys.version_info >= (3, 10):
        assert _tops(path) <= standard | sys.stdlib_module_names
    assert not _tops(path) & {"indexer", "httpx", "watchdog", "click", "rich"}


@pytest.mark.parametrize("name", sorted(_PURE))
def test_what_is_pure_knows_no_clock_and_no_file(name: str) -> None:
    """The event and its bytes depend on nothing but what they are given."""
    used = _tops(ROOT / "telemetry_core" / f"{name}.py")
    assert not used & {"time", "io", "socket", "threading", "tempfile", "random", "sqlite3"}
    inside = {n for n in _imports(ROOT / "telemetry_core" / f"{name}.py") if "telemetry_core." in n}
    assert {n.split(".")[1] for n in inside} <= _PURE


def test_fold_is_pure_and_does_not_know_the_store() -> None:
    """No I/O, no clock, no table."""
    used = _imports(ROOT / "indexer" / "fold.py")
    assert not {n.split(".")[0] for n in used} & {"os", "io", "time", "sqlite3", "pathlib"}
    assert {n for n in used if n.startswith("indexer")} <= {
        "indexer.store.columns",
        "indexer.store.columns.RUN_COLUMNS",
    }


def test_the_store_does_not_know_the_fold() -> None:
    """It takes rows as they come; only the names of their columns are shared."""
    for name in ("events", "runs", "cursors", "database", "schema"):
        assert "indexer.ingest.fold" not in _imports(ROOT / "indexer" / f"{name}.py")


def test_fold_and_store_meet_in_one_pass() -> None:
    """The news of an ingest pass; all else goes through them."""
    meeting = {
        path.name
        for path in INDEXER
        if "indexer.ingest.fold.fold" in _imports(path) and _imports(path) & _STORE
    }
    assert meeting == {"news.py"}


@pytest.mark.parametrize(
    "path", [*CORE, *INDEXER], ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_every_file_says_which_room_it_is(path: Path) -> None:
    """The first docstring is there."""
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
