"""Check the ways in: settings of importing and receiving, session lines of unknown kinds."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import orjson

from indexer.doctor.finding import Finding, note, ok, warning
from indexer.doctor.open_database import reading_without_trace
from indexer.doctor.subject import Subject
from indexer.importers.settings import load_settings
from indexer.outbox.settings_file import read_document
from indexer.semantics.sessions.tool import Tool
from indexer.semantics.sessions.tools import all_tools
from telemetry_core.errors import TelemetryError

_LOOKED_AT = 20_000
"""Lines of each tool that are looked at, the latest."""
_MANY = 0.05
"""A share of unknown lines beyond which the tool's format has probably changed."""
_MOST_NAMED = 5


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the settings file, and at what was imported."""
    findings = [*_settings(subject), *_imported(subject)]
    yield from findings or [ok("no session of a coding agent was imported")]


def _settings(subject: Subject) -> Iterator[Finding]:
    path = subject.base.settings_path
    settings = load_settings(path)
    for problem in settings.problems:
        yield warning(problem, "fix [import] in config/telemetry.toml; see docs/sessions.md")
    if "receive" in read_document(path)[0] and find_spec("opentelemetry") is None:
        yield warning(
            "[receive] is set, and what it needs is not installed",
            "pip install 'local-telemetry[receive]' (Python 3.10 or newer)",
        )


def _imported(subject: Subject) -> Iterator[Finding]:
    try:
        with reading_without_trace(subject.base.database_path) as connection:
            for tool in all_tools().values():
                yield from _unknown_lines(connection, tool)
    except TelemetryError:
        # There is no database, or it can't be read: reported by its own check.
        return


def _unknown_lines(connection: sqlite3.Connection, tool: Tool) -> Iterator[Finding]:
    rows = connection.execute(
        "SELECT payload_json FROM run_events WHERE type = ? ORDER BY timestamp DESC LIMIT ?",
        (tool.event_type, _LOOKED_AT),
    )
    unknown: Counter[str] = Counter()
    lines = 0
    for (payload,) in rows:
        data: Mapping[str, Any] = orjson.loads(payload or "{}")
        if "line" not in data:
            continue
        lines += 1
        line = data["line"]
        if not isinstance(line, Mapping):
            unknown["no JSON object"] += 1
        elif not tool.knows(line):
            unknown[tool.kind_of(line)] += 1
    if not unknown:
        if lines:
            yield ok(f"every line of {tool.name} that was looked at is understood")
        return
    total = sum(unknown.values())
    kinds = ", ".join(f"{kind} ({number:,})" for kind, number in unknown.most_common(_MOST_NAMED))
    what = f"{total:,} of {lines:,} lines of {tool.name} were not understood: {kinds}"
    todo = "they are kept: update local-telemetry, then `telemetry rebuild` reads them again"
    yield warning(what, todo) if total > _MANY * lines else note(what, todo)
