"""The daemon as a process of its own, and the wait for what it does."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

from tests.support.process import environment

_CODE = """
import logging, sys
from pathlib import Path
from telemetry_core import TelemetryConfig
from indexer.daemon import Daemon
logging.basicConfig(level=logging.INFO)
config = TelemetryConfig.for_base(Path(sys.argv[1]))
config.poll_interval = float(sys.argv[2])
Daemon(config).run()
"""


def start_daemon(base: Path, poll_interval: float = 0.2) -> subprocess.Popen[str]:
    """Start a daemon on `base`; its log comes on its stderr."""
    return subprocess.Popen(
        [sys.executable, "-c", _CODE, str(base), str(poll_interval)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


@contextmanager
def running_daemon(base: Path, poll_interval: float = 0.2) -> Iterator[subprocess.Popen[str]]:
    """A daemon for the length of a block, which has to end well when asked to."""
    process = start_daemon(base, poll_interval)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def eventually(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Wait until `condition` holds; fail if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come to hold in time"
        time.sleep(0.01)


def delete(directory: Path) -> None:
    """Delete a directory as `rm -r` does, again where a daemon puts a file in meanwhile."""

    def is_deleted() -> bool:
        try:
            shutil.rmtree(directory)
        except OSError:
            return False
        return True

    eventually(is_deleted)
