"""A server as a process of its own, with what it and its children hold in memory.

Called by the sections on the page and on dashboards.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tools.performance.own_process import command, environment

_PATIENCE = 90.0
_ENDING = 10.0


class PageServer(NamedTuple):
    """`telemetry ui` with its indexer."""

    pid: int
    url: str
    link: str
    """Signs one browser in, once."""


@contextmanager
def page_server(base: Path) -> Iterator[PageServer]:
    """The page of a base for the length of a block."""
    process = subprocess.Popen(
        command("--base", str(base), "ui", "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(base.parent),
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        link = process.stdout.readline().strip()
        yield PageServer(process.pid, link.partition("/?")[0], link)
    finally:
        end(process)


@contextmanager
def server(
    arguments: Sequence[str], url: str, directory: Path, variables: Mapping[str, str]
) -> Iterator[int]:
    """Any server for the length of a block, once it answers; gives its process's number.

    Raises RuntimeError.
    """
    process = subprocess.Popen(
        arguments,
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **variables},
        text=True,
        start_new_session=True,
    )
    try:
        _await(url, process)
        yield process.pid
    finally:
        end(process)


def _await(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310  # on loopback
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"nothing answers at {url}")


def end(process: subprocess.Popen[str]) -> None:
    """End a process and all that is in its session."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        # Killed with its session below.
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        # There was no other process.
        pass
    process.wait()


def memory_mb(pid: int, *, alone: bool = False) -> float:
    """Return the memory of a process and of its children, what is shared counted once."""
    pids = [pid] if alone else _family(pid)
    return sum(_proportional(one) for one in pids) / 1e3


def processes(pid: int) -> int:
    """Return how many processes there are: a process and its children."""
    return len(_family(pid))


def _family(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    family = [pid]
    for one in family:
        family += parents.get(one, [])
    return family


def _proportional(pid: int) -> int:
    """Return the share of memory that is a process's own, in kB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
