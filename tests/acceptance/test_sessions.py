"""Sessions of coding agents: the same rows, whatever was read first, twice, or from a copy."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard

from indexer.database.freshness import index_once
from indexer.database.rebuild import rebuild
from indexer.importers.importer import Importer, Wanted
from indexer.semantics.sessions.tools import all_tools
from indexer.system.base import Base
from tests.support.oracle import judge
from tests.support.sessions import SESSION, trap_tree

_QUERIES = (
    "SELECT * FROM agent_runs ORDER BY run_id",
    "SELECT * FROM run_spans ORDER BY run_id, span_id",
    "SELECT * FROM run_usage ORDER BY run_id",
    (
        "SELECT run_id, event_id, type, timestamp, source, payload_json FROM run_events"
        " WHERE type LIKE 'session.%' ORDER BY run_id, event_id"
    ),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory whose sessions try to be counted twice."""
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home


def _import(base: Base, *paths: Path) -> None:
    for tool in all_tools().values():
        Importer(base, Wanted([tool], [p for p in paths if tool.is_session(_plain(p))])).run()


def _plain(path: Path) -> Path:
    return path.with_suffix("") if path.suffix == ".zst" else path


def _rows(base: Base) -> list[list[tuple[Any, ...]]]:
    index_once(base)
    with closing(sqlite3.connect(base.database_path)) as connection:
        return [connection.execute(query).fetchall() for query in _QUERIES]


def _files(home: Path) -> list[Path]:
    return sorted(path for path in home.rglob("*.json*") if path.is_file())


def test_totals_are_exact_per_session(home: Path, base: Path) -> None:
    """Streams, resumed, forked and moved sessions, asides, rewinds, repeated totals."""
    expected = trap_tree(home)
    made = Base.at(base)
    Importer(made, Wanted(list(all_tools().values()))).run()
    index_once(made)
    with closing(sqlite3.connect(made.database_path)) as connection:
        found = {
            row[0]: tuple(value or 0 for value in row[1:])
            for row in connection.execute(
                "SELECT run_id, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens"
                " FROM run_usage"
            )
        }
        parents = dict(connection.execute("SELECT run_id, parent_run_id FROM agent_runs"))
    assert found == expected
    outer = f"claude-code-{SESSION}-agent-outer"
    assert parents[f"claude-code-{SESSION}-agent-inner"] == outer, "which made the call"
    assert parents[outer] == f"claude-code-{SESSION}"
    judge(made.config)


def _twice(base: Base, home: Path) -> None:
    _import(base, *_files(home))
    base.import_cursors_path.unlink()
    _import(base, *_files(home))


def _shuffled(base: Base, home: Path) -> None:
    files = _files(home)
    random.Random(7).shuffle(files)
    for path in files:
        _import(base, path)
        index_once(base)


def _from_copies(base: Base, home: Path) -> None:
    copy = home.with_name("copy")
    shutil.copytree(home, copy)
    _import(base, *_files(copy))
    _import(base, *_files(home))


def _packed(base: Base, home: Path) -> None:
    for path in _files(home):
        if path.suffix == ".jsonl":
            packed = path.with_name(path.name + ".zst")
            packed.write_bytes(zstandard.ZstdCompressor().compress(path.read_bytes()))
            path.unlink()
    _import(base, *(path for path in home.rglob("*") if path.suffix in (".json", ".zst")))


def _line_by_line(base: Base, home: Path) -> None:
    """As a watch sees them: every file grows, and is imported at each step."""
    whole = {
        path: path.read_bytes().splitlines(keepends=True)
        for path in _files(home)
        if path.suffix == ".jsonl"
    }
    for path in whole:
        path.write_bytes(b"")
    for number in range(max(map(len, whole.values()))):
        for path, lines in whole.items():
            with open(path, "ab") as file:
                file.write(b"".join(lines[number : number + 1]))
        _import(base, *_files(home))


@pytest.mark.parametrize(
    "how", [_twice, _shuffled, _from_copies, _packed, _line_by_line], ids=lambda one: one.__name__
)
def test_however_it_is_imported_the_rows_are_the_same(
    home: Path, base: Path, how: Callable[[Base, Path], None]
) -> None:
    """And they are the same after the sources and the database are gone."""
    trap_tree(home)
    plain = Base.at(base.with_name("plain"))
    _import(plain, *_files(home))
    expected = _rows(plain)
    other = Base.at(base)
    how(other, home)
    assert _rows(other) == expected
    shutil.rmtree(home)
    shutil.rmtree(other.database_path.parent)
    assert _rows(other) == expected
    rebuild(other)
    assert _rows(other) == expected
