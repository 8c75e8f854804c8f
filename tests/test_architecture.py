"""Dependencies run one way: who may import whom."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = sorted((ROOT / "telemetry_core").glob("**/*.py"))
INDEXER = sorted((ROOT / "indexer").glob("**/*.py"))

# From left to right: the flow of an event, then what is built on it.
ROOMS = (
    "errors",
    "log",
    "system",
    "store",
    "semantics",
    "ingest",
    "outbox",
    "database",
    "retention",
    "export",
    "forward",
    "fleet",
    "alerts",
    "receivers",
    "importers",
    "daemon",
    "terminal",
    "health",
    "report",
    "ui",
    "mcp",
    "service",
    "demo",
    "doctor",
    "cli",
)
# One file a command, a check, or a noun of the writer: these folders may be long.
_LONG_FOLDERS = {"telemetry_core", "indexer/cli/commands", "indexer/doctor"}
_MOST_FILES = 12
_PURE = {
    "run_fields",
    "genai",
    "event",
    "plain",
    "redaction",
    "secret_names",
    "secret_prefilter",
    "secret_screen",
    "secret_shapes",
    "spelling",
    "status",
    "timestamp",
}
# What runs the host's own code: it watches the time, and whose exception it is that passes.
_BOUNDED = {"degrade", "guard", "line", "simplify"}
_ALLOWED_FOREIGN = {"orjson", "portalocker"}
# The doors to pytest and to the old name, which no agent imports by itself.
_OWN_DOORS = {"pytest_plugin.py"}
# Other libraries' adapters, and the package `telemetry` of existing users' code.
_OWN_FOLDERS = {"_telemetry", "integrations"}


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
    "path",
    [path for path in CORE if path.name not in _OWN_DOORS and path.parent.name not in _OWN_FOLDERS],
    ids=lambda path: path.name,
)
def test_the_writer_needs_orjson_and_portalocker_alone(path: Path) -> None:
    """An agent gets no dependency from us beyond these, and never the indexer."""
    standard = {"telemetry_core", *_ALLOWED_FOREIGN}
    if sys.version_info >= (3, 10):
        assert _tops(path) <= standard | sys.stdlib_module_names
    assert not _tops(path) & {"indexer", "httpx", "watchdog", "click", "rich"}


@pytest.mark.parametrize("name", sorted(_PURE | _BOUNDED))
def test_what_is_pure_knows_no_clock_and_no_file(name: str) -> None:
    """The event and its bytes depend on nothing but what they are given."""
    used = _tops(ROOT / "telemetry_core" / f"{name}.py")
    assert not used & {"io", "socket", "threading", "tempfile", "random", "sqlite3"}
    assert name in _BOUNDED or not used & {"time", "os"}
    if name == "guard":
        return
    inside = {n for n in _imports(ROOT / "telemetry_core" / f"{name}.py") if "telemetry_core." in n}
    allowed = _PURE | _BOUNDED if name in _BOUNDED else _PURE
    assert {n.split(".")[1] for n in inside} <= allowed


def _room(path: Path) -> str:
    return path.relative_to(ROOT / "indexer").parts[0]


@pytest.mark.parametrize(
    "path",
    [path for path in INDEXER if path.parent != ROOT / "indexer"],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_no_room_imports_one_to_its_right(path: Path) -> None:
    """Each room uses only what stands to its left."""
    imported = {name.split(".")[1] for name in _imports(path) if name.startswith("indexer.")}
    allowed = ROOMS[: ROOMS.index(_room(path)) + 1]
    assert imported <= set(allowed)


def test_every_room_has_its_place_in_the_order() -> None:
    """A new folder states where it stands; nothing but the entry points lies flat."""
    folders = {path.parent.name for path in INDEXER if path.parent.parent == ROOT / "indexer"}
    assert folders <= set(ROOMS)
    flat = {path.name for path in INDEXER if path.parent == ROOT / "indexer"}
    assert flat == {"__init__.py", "__main__.py", "errors.py"}


def test_no_folder_is_a_corridor() -> None:
    """Twelve files at most, but for folders that hold one file a command, a check or a noun."""
    sizes: dict[str, int] = {}
    for path in [*CORE, *INDEXER]:
        folder = path.parent.relative_to(ROOT).as_posix()
        if path.name != "__init__.py":
            sizes[folder] = sizes.get(folder, 0) + 1
    long = {name for name, number in sizes.items() if number > _MOST_FILES}
    assert long <= _LONG_FOLDERS


def test_fold_is_pure_and_does_not_know_the_store() -> None:
    """No I/O, no clock, no table."""
    used = _imports(ROOT / "indexer" / "ingest" / "fold.py")
    assert not {n.split(".")[0] for n in used} & {"os", "io", "time", "sqlite3", "pathlib"}
    modules = {n for n in used if n.startswith("indexer")}
    assert {n for n in modules if n.startswith("indexer.store")} <= {
        "indexer.store.schema.columns",
        "indexer.store.schema.columns.RUN_COLUMNS",
    }
    assert {n.split(".")[1] for n in modules} <= {"store", "ingest"}


@pytest.mark.parametrize(
    "path", [*CORE, *INDEXER], ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_every_file_says_what_it_is_for(path: Path) -> None:
    """Its docstring is there."""
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", [*CORE, *INDEXER], ids=lambda path: path.as_posix()[-60:])
def test_functions_are_short_and_formatted_like_all_else(path: Path) -> None:
    """Nobody reads forty lines at once, and no line is exempt from the formatter."""
    text = path.read_text(encoding="utf-8")
    functions = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    assert [one.name for one in functions if (one.end_lineno or 0) - one.lineno >= 40] == []
    assert "fmt: " + "skip" not in text
