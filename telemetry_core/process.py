"""Distinguish one incarnation of a pid on a host from the next.

Called by the client for `run.started`, and by code that asks whether a run's process is
still alive. It reads `/proc`, or asks Windows, and never signals anybody.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from typing import Optional

_STATE_FIELD, _START_FIELD = 0, 19
_FIRST_NAMESPACE = 0xEFFFFFFC
"""The inode that Linux gives the pid namespace of the machine itself, outside all containers."""
_WINDOWS = "windows"
_UNSAFE_IN_NAME = re.compile(r"[^A-Za-z0-9.-]+")


@lru_cache(maxsize=1)
def host_name() -> str:
    """Return this machine's name, fit for a file name and for an event's source."""
    name = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return _UNSAFE_IN_NAME.sub("_", name) or "localhost"


@lru_cache(maxsize=1)
def source_of(pid: int) -> str:
    """Return `<host>/<pid>`, the source of all that this process writes."""
    return f"{host_name()}/{pid}"


@lru_cache(maxsize=1)
def own_source() -> str:
    """Return the source of this very process, without asking for its pid; a fork has it asked."""
    return source_of(os.getpid())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=own_source.cache_clear)


@lru_cache(maxsize=1)
def own_start(pid: int) -> Optional[str]:
    """Return `process_start` of this process, `pid`, read once per process."""
    return process_start(pid)


def process_start(pid: int) -> Optional[str]:
    """Return `<boot id>:<start in clock ticks>` of a living process, None where unknown.

    Together with the pid it identifies one process: pids and ticks are used again, but
    not within one boot. In a container, which counts pids of its own, it is
    `<boot id>/<pid namespace>:<start>`; on Windows, whose clock is in the number,
    `windows:<100 ns since 1601>`.
    """
    if sys.platform == "win32":
        return _windows_start(pid)
    fields = _stat_fields(pid)
    room = _room()
    if fields is None or room is None or fields[_STATE_FIELD] in ("Z", "X"):
        return None
    return f"{room}:{fields[_START_FIELD]}"


def process_is_gone(pid: int, start: Optional[str]) -> bool:
    """Whether the process `pid` of this host, begun at `start`, has surely ended.

    Without `start` a process that happens to have its pid now passes for it. One of another
    container can't be seen from here, whether or not it bears our host's name.
    """
    if sys.platform == "win32":
        return _is_gone_from_windows(pid, start)
    room = _room() if sys.platform.startswith("linux") else None
    if room is None or (start is not None and _is_next_door(start, room)):
        return False
    now = process_start(pid)
    return now is None or (start is not None and now != start)


def _is_next_door(start: str, room: str) -> bool:
    """Whether a process of this very boot counts its pid in another namespace.

    So does one of Windows on a machine of the same name: the host of a Linux within it.
    """
    theirs = start.rpartition(":")[0]
    if theirs == _WINDOWS:
        return True
    return theirs != room and theirs.partition("/")[0] == room.partition("/")[0]


def _room() -> Optional[str]:
    """Return what the pids that we see are unique in: boot and, in a container, namespace."""
    boot, namespace = _boot_id(), _pid_namespace(os.getpid())
    return f"{boot}/{namespace}" if boot and namespace else boot


@lru_cache(maxsize=1)
def _pid_namespace(pid: int) -> Optional[int]:
    """Return the namespace that `pid`, which is our own, was counted in; None for the machine's."""
    try:
        namespace = os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return None
    return None if namespace == _FIRST_NAMESPACE else namespace


def _stat_fields(pid: int) -> Optional[list[str]]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The command name may hold anything, parentheses and spaces included.
            return file.read().rpartition(b")")[2].decode("ascii").split()
    except OSError:
        return None


@lru_cache(maxsize=1)
def _boot_id() -> Optional[str]:
    try:
        # Bytes: opening as ASCII makes Python import a codec, which some versions can't do once
        # the working directory is gone.
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().decode().strip()
    except OSError:
        return None


if sys.platform == "win32":

    def _windows_start(pid: int) -> Optional[str]:
        from telemetry_core.windows import process_created

        try:
            created = process_created(pid)
        except OSError:
            return None
        return None if created is None else f"{_WINDOWS}:{created}"

    def _is_gone_from_windows(pid: int, start: Optional[str]) -> bool:
        from telemetry_core.windows import process_created

        if start is not None and not start.startswith(f"{_WINDOWS}:"):
            # Begun in a Linux on this machine, whose pids are not seen from here.
            return False
        try:
            created = process_created(pid)
        except OSError:
            # It may not be looked at, so there is one.
            return False
        return created is None or (start is not None and start != f"{_WINDOWS}:{created}")
