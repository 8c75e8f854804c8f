"""The daemon as a process of its own, and the wait for what it does."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Optional

from tests.support.process import environment

_CODE = """
import logging, os, sys
from pathlib import Path
from indexer.system.base import Base
from indexer.daemon import loop as daemon
from indexer.daemon import heartbeat as beat
from indexer.daemon import watcher as watch
logging.basicConfig(level=logging.INFO)
base, poll_interval, heartbeat, user = sys.argv[1:]
base = Base.at(Path(base), os.environ)
base.config.poll_interval = float(poll_interval)
beat.HEARTBEAT_SECONDS = watch.RETRY_SECONDS = daemon.RETRY_SECONDS = float(heartbeat)
if user:
    # Imported first: nobody else may be able to read a Python that lies in root's directory.
    import urllib.parse
    os.setuid(int(user))
if os.name == "nt":
    # Ctrl-Break needs a console, which tests have not: it comes when the test closes our input.
    import signal, threading
    def end():
        sys.stdin.read()
        signal.raise_signal(signal.SIGBREAK)
    threading.Thread(target=end, daemon=True).start()
exec(os.environ.get("BEFORE_DAEMON", ""))
daemon.Daemon(base).run()
"""


def start_daemon(
    base: Path,
    poll_interval: float = 0.2,
    heartbeat: float = 10.0,
    *,
    within: Sequence[str] = (),
    user: Optional[int] = None,
    **variables: str,
) -> subprocess.Popen[str]:
    """Start a daemon on `base`; its log comes on its stderr.

    `heartbeat` is also after how many seconds it tries again to watch; `within` is what its
    command line begins with; `user` is the id that it gives itself.
    """
    settings = [str(base), str(poll_interval), str(heartbeat), "" if user is None else str(user)]
    return subprocess.Popen(
        [*within, sys.executable, "-c", _CODE, *settings],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
        stdin=subprocess.PIPE if sys.platform == "win32" else None,
    )


def stop(process: subprocess.Popen[str]) -> None:
    """Ask a daemon to end, as a service manager or Ctrl-Break does."""
    if process.stdin is None:
        process.send_signal(signal.SIGTERM)
    else:
        process.stdin.close()
        process.stdin = None


@contextmanager
def ending_daemon(
    base: Path, poll_interval: float = 0.2, heartbeat: float = 10.0, **how: Any
) -> Iterator[subprocess.Popen[str]]:
    """A daemon that is to end by itself, and is killed behind a block in which it did not."""
    process = start_daemon(base, poll_interval, heartbeat, **how)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextmanager
def running_daemon(
    base: Path, poll_interval: float = 0.2, heartbeat: float = 10.0, **how: Any
) -> Iterator[subprocess.Popen[str]]:
    """A daemon for the length of a block, which has to end well when asked to."""
    with ending_daemon(base, poll_interval, heartbeat, **how) as process:
        yield process
        stop(process)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
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
