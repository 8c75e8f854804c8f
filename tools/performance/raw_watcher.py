"""The least that has to happen between an append and a row that others see.

Run as a process of its own, the floor of the latency. Raw inotify by ctypes wakes it; it reads
what is new in one file, decodes it, and commits rows under their key with the offset behind
them. It recognises no file, folds no run, bears no error and shares with nobody.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import sys
from pathlib import Path

import orjson

_MODIFY_OR_CREATE = 0x102
_ROOM = 65_536


def main(directory: Path, database: Path) -> None:
    """Watcher until killed; say `ready` first."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(
        "CREATE TABLE run_events (run_id TEXT, event_id TEXT, type TEXT, timestamp TEXT,"
        " payload_json TEXT, PRIMARY KEY (run_id, event_id)) WITHOUT ROWID"
    )
    connection.execute("CREATE TABLE log_files (name TEXT PRIMARY KEY, offset INTEGER)")
    wake_ups = _watch(directory)
    print("ready", flush=True)
    log = None
    while os.read(wake_ups, _ROOM):
        log = log or _open(directory)
        if log is not None:
            _index(connection, log)


def _watch(directory: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.inotify_init1(0)
    if libc.inotify_add_watch(descriptor, os.fsencode(directory), _MODIFY_OR_CREATE) < 0:
        raise OSError(ctypes.get_errno(), "no inotify watch")
    return descriptor


def _open(directory: Path) -> int | None:
    path = next(directory.glob("*.ndjson"), None)
    return None if path is None else os.open(path, os.O_RDONLY)


def _index(connection: sqlite3.Connection, log: int) -> None:
    lines = os.read(log, 8 * 1024 * 1024).splitlines()
    if not lines:
        return
    events = [orjson.loads(line) for line in lines]
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT OR IGNORE INTO run_events VALUES (?, ?, ?, ?, ?)",
        [
            (e["subject"], e["id"], e["type"], e["time"], orjson.dumps(e.get("data")).decode())
            for e in events
        ],
    )
    connection.execute(
        "INSERT OR REPLACE INTO log_files VALUES ('log', ?)", (os.lseek(log, 0, os.SEEK_CUR),)
    )
    connection.execute("COMMIT")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
