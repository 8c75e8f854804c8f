"""`telemetry` as its user starts it, and the daemon for the length of a block.

Called by the sections that measure commands or the daemon.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telemetry_core import TelemetryConfig

_COMMAND = "from indexer.cli.main import main; main()"
_PATIENCE = 30.0


def command(*arguments: str) -> list[str]:
    """Return the command line of `telemetry`, as its script is."""
    return [sys.executable, "-c", _COMMAND, *arguments]


def environment(directory: Path) -> dict[str, str]:
    """Return the variables of an installation: what was compiled once is not compiled again."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TELEMETRY_", "METRICS_API_", "PYTHONDONTWRITE"))
    }
    return {**kept, "PYTHONPYCACHEPREFIX": str(directory / "compiled")}


@contextmanager
def daemon(base: Path) -> Iterator[int]:
    """A daemon on `base`, which has caught up; gives its process's number."""
    process = subprocess.Popen(
        command("--base", str(base), "index", "--watch"),
        stderr=subprocess.DEVNULL,
        env=environment(base.parent),
    )
    try:
        _await(TelemetryConfig.for_base(base).database_path, process)
        subprocess.run(
            command("--base", str(base), "status"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(base.parent),
            check=False,
        )
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _await(path: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the daemon made no {path}")
        time.sleep(0.01)
