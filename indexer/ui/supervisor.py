"""Run the indexer, and anything else that is asked for, as child processes.

Called by `telemetry ui` and `telemetry up`. Indexing in this process would hold the interpreter
lock while pages are drawn. Children are started again when they die, and ended with the page.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import indexer
from indexer.system.base import Base
from telemetry_core.storage import make_directory

_LOOK_SECONDS = 2.0
_LONGEST_PAUSE = 60.0
_GRACE_SECONDS = 10.0
_PACKAGE = Path(indexer.__file__).parent


class Supervisor:
    """Keeps `telemetry` commands running with the page, from `start` to `close`."""

    def __init__(self, base: Base, commands: Sequence[Sequence[str]]) -> None:
        """Run each of `commands`, as in `[("index", "--watch")]`, on `base`."""
        self._base = base
        self._commands = [tuple(command) for command in commands]
        self._children: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}
        self._next_start: dict[tuple[str, ...], float] = {}
        self._pauses: dict[tuple[str, ...], float] = {}
        self._closing = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Start what is not running yet, and look after it from then on."""
        self._look_after()
        self._thread = threading.Thread(target=self._run, name="telemetry-up", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the children, each after what it is in the middle of."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        for child in self._children.values():
            _wait(child)

    def _run(self) -> None:
        while not self._closing.wait(_LOOK_SECONDS):
            self._look_after()

    def _look_after(self) -> None:
        for command in self._commands:
            child = self._children.get(command)
            if child is not None and child.poll() is None:
                continue
            if time.monotonic() < self._next_start.get(command, 0.0):
                continue
            # Another daemon may have the base; if it ends, ours takes over.
            if command[0] != "index" or not self._base.daemon():
                self._children[command] = self._start(command)

    def _start(self, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        # What ends again and again, for a port that is taken, say, is started ever more rarely.
        self._pauses[command] = min(_LONGEST_PAUSE, 2 * self._pauses.get(command, 1.0))
        self._next_start[command] = time.monotonic() + self._pauses[command]
        logs = self._base.directory / "logs"
        make_directory(logs)
        with open(logs / f"{command[0]}.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, str(_PACKAGE / "__main__.py"), *command],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C at the terminal is for the page, which then ends the others.
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        """Return an environment in which a child means the same files as this process."""
        base, root = self._base, str(_PACKAGE.parent)
        child = {
            **os.environ,
            "TELEMETRY_BASE_DIR": str(base.directory),
            "TELEMETRY_DB_PATH": str(base.database_path),
            "TELEMETRY_NDJSON_DIR": str(base.log_directory),
        }
        if os.path.basename(root) not in ("site-packages", "dist-packages"):
            # A checkout that was not installed is on this process's path only.
            known = child.get("PYTHONPATH")
            child["PYTHONPATH"] = f"{known}{os.pathsep}{root}" if known else root
        return child


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
