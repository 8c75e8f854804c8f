"""Find the running runs whose process has surely ended.

A host name is not an identity: another machine, or a container, may have the same. So a process
of another boot counts as gone only if nothing was heard of it since this machine started, and an
event that arrives later shows that the run lives (the view `stale_runs` compares).
"""

from __future__ import annotations

import os
import re
import sqlite3
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Optional

from indexer.store.status import (
    RunningProcess,
    gone_processes,
    replace_gone_processes,
    running_processes,
)
from telemetry_core.clock import CLOCK
from telemetry_core.process import host_name, own_start, process_is_gone
from telemetry_core.timestamp import format_time

_PID = re.compile(r"[0-9]{1,10}", re.ASCII)
_BOOT_TIME = re.compile(r"^btime (\d+)$", re.MULTILINE)


def refresh_gone_processes(connection: sqlite3.Connection) -> None:
    """Find out which running runs of this host have lost their process, and note when."""
    known, gone = gone_processes(connection), _gone_now(connection)
    if gone != known.keys():
        now = CLOCK.tick().time
        replace_gone_processes(connection, {one: known.get(one, now) for one in gone})


def are_gone_processes_known(connection: sqlite3.Connection) -> bool:
    """Whether all running runs that have lost their process are noted, and no others."""
    return _gone_now(connection) == gone_processes(connection).keys()


def _gone_now(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return the processes of running runs that have ended, by source and start."""
    return {(one.source, one.start) for one in running_processes(connection) if _is_gone(one)}


def _is_gone(process: RunningProcess) -> bool:
    host, _, pid = process.source.rpartition("/")
    # `isdigit` would do for neither: it takes superscripts, and numbers too long for `int`.
    if host != host_name() or _PID.fullmatch(pid) is None:
        return False
    if _is_of_another_machine(process):
        return False
    return process_is_gone(int(pid), process.start or None)


def _is_of_another_machine(process: RunningProcess) -> bool:
    """Whether a process of another boot was heard of after this machine started."""
    booted_at, own = _boot_time(), own_start(os.getpid())
    if booted_at is None or own is None or not process.start:
        return False
    return _boot_of(process.start) != _boot_of(own) and process.last_event_time > booted_at


def _boot_of(start: str) -> str:
    return start.partition(":")[0].partition("/")[0]


@lru_cache(maxsize=1)
def _boot_time() -> Optional[str]:
    """Return when this machine started; None where the system does not say."""
    try:
        found = _BOOT_TIME.search(Path("/proc/stat").read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError):
        return None
    if found is None:
        return None
    return format_time(datetime.fromtimestamp(int(found[1]), timezone.utc))
