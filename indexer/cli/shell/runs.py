"""`telemetry start`, `log`, `set` and `end`: a run recorded by a shell script, line by line.

Called by the entry point. Exit code 1 means that an event could not be written now: a script that
must not stop for it says `|| true`.
"""

from __future__ import annotations

import contextlib
import re
import sys
from typing import Any, Callable, Optional

import orjson

from indexer.cli.shell.arguments import Arguments, fields_of, json_or_text
from indexer.cli.shell.message import answer, say
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.clock import CLOCK
from telemetry_core.event import RUN_STARTED
from telemetry_core.git import git_fields
from telemetry_core.line import line_of
from telemetry_core.lineage import parent_of_new_run
from telemetry_core.process import host_name
from telemetry_core.run_id import new_run_id, run_id_of
from telemetry_core.writers import writer_for

_FAILED, _USAGE = 1, 2
_SHORT_ID = re.compile(r"[0-9a-f]{8}")
"""As commands show run ids at a terminal."""
_MOST_INPUT_BYTES = 64 * 1024 * 1024


def start(arguments: Arguments) -> int:
    """Start a run and print its id."""
    agent, job = arguments.words[:2]
    fields = _fields(arguments.words[2:])
    if fields is None:
        return _USAGE
    trigger = arguments.option("trigger") or str(fields.pop("trigger_type", "cli"))
    tick, client = CLOCK.tick(), TelemetryClient()
    run_id = str(fields.pop("run_id", "")) or new_run_id(agent, tick.time)
    data = {
        **_surroundings(client.config),
        "agent_name": agent,
        "job_type": job,
        "trigger_type": trigger,
        **fields,
    }
    # Not by this process, which ends at once: the run would seem to have lost its own.
    line = line_of(tick.id, f"{host_name()}/shell", RUN_STARTED, run_id_of(run_id), tick.time, data)
    writer = writer_for(client.config.ndjson_dir, host_name())
    is_written = writer.write(line, tick.day, 1, client.config.durability == "fsync", 1.0)
    return _result(client, answer(run_id) and is_written)


def log(arguments: Arguments) -> int:
    """Record one event of a run, or one for each line of JSON on stdin."""
    given, kind = arguments.words[:2]
    payload = arguments.words[2] if len(arguments.words) > 2 else None
    client = TelemetryClient()
    run_id = _full_run_id(client, given)
    if payload == "-":
        events = [(kind, value) for value in _read_payloads()]
        return _result(client, client.log_events(run_id, events))
    value = None if payload is None else json_or_text(payload)
    return _result(client, client.log_event(run_id, kind, value))


def set_fields(arguments: Arguments) -> int:
    """Set fields of a run."""
    fields = _fields(arguments.words[1:])
    if fields is None:
        return _USAGE
    client = TelemetryClient()
    return _result(client, client.set_metrics(_full_run_id(client, arguments.words[0]), **fields))


def end(arguments: Arguments) -> int:
    """End a run, of this script or one that was left behind."""
    fields = _fields(arguments.words[1:])
    if fields is None:
        return _USAGE
    status = arguments.option("status") or str(fields.pop("status", "success"))
    note = arguments.option("note")
    client = TelemetryClient()
    run_id = _full_run_id(client, arguments.words[0])
    if note:
        client.log_event(run_id, "note", {"text": note, "by": _who()})
        fields.setdefault("ended_by", _who())
        if status != "success":
            fields.setdefault("error_summary", note)
    return _result(client, client.end_run(run_id, status, **fields))


COMMANDS: dict[str, Callable[[Arguments], int]] = {
    "start": start,
    "log": log,
    "set": set_fields,
    "end": end,
}


def _full_run_id(client: TelemetryClient, given: str) -> str:
    """Return the run id that a terminal's short id stands for; any other unchanged.

    A script's own id may look the same; then no other run ends in it.
    """
    if not _SHORT_ID.fullmatch(given) or not client.config.database_path.is_file():
        return given
    # Imported here: a script has the whole id, and SQLite takes time to load.
    import sqlite3

    from indexer.errors import DatabaseUnusable
    from indexer.store.connection import reading
    from indexer.store.run_queries import run_id_ending_in

    try:
        with reading(client.config.database_path) as connection:
            return run_id_ending_in(connection, given) or given
    except (sqlite3.Error, OSError, DatabaseUnusable):
        return given


def _surroundings(config: TelemetryConfig) -> dict[str, Any]:
    """Return the fields of a new run that nobody gives."""
    known = {
        "host": host_name(),
        "agent_owner": config.agent_owner,
        "parent_run_id": parent_of_new_run(),
        **(git_fields() if config.git else {}),
    }
    return {name: value for name, value in known.items() if value is not None}


def _fields(pairs: list[str]) -> Optional[dict[str, Any]]:
    try:
        return fields_of(pairs)
    except ValueError as error:
        say(str(error))
        return None


def _read_payloads() -> list[Any]:
    """Read stdin: one JSON value, or one on each line, or a text."""
    raw = sys.stdin.buffer.read(_MOST_INPUT_BYTES)
    try:
        return [orjson.loads(raw)]
    except orjson.JSONDecodeError:
        pass
    lines = [line for line in raw.split(b"\n") if line.strip()]
    try:
        return [orjson.loads(line) for line in lines]
    except orjson.JSONDecodeError:
        return [raw.decode("utf-8", "replace")]


def _who() -> str:
    """Return who says it: user and host."""
    user = ""
    with contextlib.suppress(Exception):
        # Imported here: only a note needs it.
        import getpass

        user = getpass.getuser()
    return f"{user or 'unknown'}@{host_name()}"


def _result(client: TelemetryClient, written: Any) -> int:
    if written:
        return 0
    stats = client.get_stats()
    why = stats["last_write_error"] or stats["last_client_error"] or "see `telemetry doctor`"
    say(f"not recorded: {why}")
    return _FAILED
