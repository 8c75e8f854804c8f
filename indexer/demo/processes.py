"""Start the processes of the demo and, whatever happens, end them.

Every process is a child of this one and is waited for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Optional

import indexer
from indexer.demo.source_files import SourceFile
from indexer.system.base import Base
from telemetry_core.storage import make_directory

_PACKAGE = Path(indexer.__file__).parent
_AGENT = _PACKAGE / "demo" / "agent.py"
_RESEARCHER = _PACKAGE / "demo" / "researcher.py"
_INDEXER = _PACKAGE / "__main__.py"
_RESTART_SECONDS = 2.0
_GRACE_SECONDS = 5.0
_ENDING_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_PATH_VARIABLES = ("TELEMETRY_DB_PATH", "TELEMETRY_NDJSON_DIR")


class Processes:
    """Agents and the daemon; `close` leaves none of them running."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._log_directory = base.directory / "logs"
        make_directory(self._log_directory)
        self._daemon: Optional[subprocess.Popen[bytes]] = None
        self._restart_at = 0.0
        self.agents: dict[str, subprocess.Popen[bytes]] = {}
        self.killed: set[str] = set()

    def close(self) -> None:
        """End everything that still runs."""
        for agent in self.agents.values():
            # Like Ctrl-C: its runs end as cancelled.
            _signal(agent, signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        for agent in self.agents.values():
            _wait(agent)
        self.stop_daemon()

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which a process finds this package and records here."""
        child = {name: inherited[name] for name in inherited if name not in _PATH_VARIABLES}
        child["TELEMETRY_BASE_DIR"] = str(self._base.directory)
        root = str(_PACKAGE.parent)
        if os.path.basename(root) not in ("site-packages", "dist-packages"):
            # A checkout that was not installed is on the path of this process only.
            known = child.get("PYTHONPATH")
            child["PYTHONPATH"] = f"{known}{os.pathsep}{root}" if known else root
        return child

    def start_agent(
        self,
        name: str,
        root: Path,
        files: Sequence[SourceFile],
        environ: Mapping[str, str],
        pause: float = 0.0,
    ) -> None:
        """Start an agent on some files."""
        # By its path, not by `-m`: the working directory may hold an `ast.py` of its own.
        command = [sys.executable, str(_AGENT), name, str(root), str(pause)]
        with tempfile.TemporaryFile() as listing, self._log("agents.log") as log:
            listing.write(b"\0".join(os.fsencode(file.path) for file in files))
            listing.seek(0)
            with _signals_held_back():
                self.agents[name] = _start(command, self.environment(environ), log, listing)

    def start_researcher(self, name: str, environ: Mapping[str, str], *arguments: str) -> None:
        """Start an agent with a model and tools."""
        command = [sys.executable, str(_RESEARCHER), name, *arguments]
        with self._log("agents.log") as log, _signals_held_back():
            self.agents[name] = _start(command, self.environment(environ), log, None)

    def kill_agent(self, name: str) -> None:
        """Kill an agent as the kernel does when memory runs out: without notice."""
        self.agents[name].kill()
        self.agents[name].wait()
        self.killed.add(name)

    def ensure_daemon(self) -> None:
        """Start the daemon if it is not running."""
        # It ends at once if another daemon runs here; if that one ends, the next one takes over.
        running = self._daemon is not None and self._daemon.poll() is None
        if running or time.monotonic() < self._restart_at:
            return
        self._restart_at = time.monotonic() + _RESTART_SECONDS
        command = [sys.executable, str(_INDEXER), "--base", str(self._base.directory)]
        with self._log("daemon.log") as log, _signals_held_back():
            self._daemon = _start(
                [*command, "index", "--watch"], self.environment(os.environ), log, None
            )

    def stop_daemon(self) -> None:
        """Let the daemon finish its pass and end."""
        if self._daemon is not None:
            _signal(self._daemon, signal.SIGTERM)
            _wait(self._daemon)

    def are_agents_running(self) -> bool:
        """Return whether any agent is still running."""
        return any(agent.poll() is None for agent in self.agents.values())

    def failures(self) -> list[str]:
        """Return which agents ended unexpectedly."""
        return [
            f"{name} ended with exit code {agent.returncode}; see {self._log_directory}"
            for name, agent in self.agents.items()
            if agent.returncode and name not in self.killed
        ]

    def _log(self, name: str) -> BinaryIO:
        return open(self._log_directory / name, "ab")


def _start(
    command: list[str], environ: dict[str, str], log: IO[bytes], stdin: Optional[IO[bytes]]
) -> subprocess.Popen[bytes]:
    # A separate session: Ctrl-C at the terminal reaches the demo, which ends the others.
    return subprocess.Popen(
        command,
        env=environ,
        stdin=stdin or subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let signals wait for the length of a block, so that a process that starts is on record."""
    came: list[int] = []
    before: dict[int, Any] = {}
    try:
        for name in _ENDING_SIGNALS:
            number = getattr(signal, name, None)
            if number is not None:
                before[number] = signal.signal(number, lambda got, _frame: came.append(got))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
