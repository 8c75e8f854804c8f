"""Check inotify: whether the daemon can have the instance that it needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from indexer.doctor.finding import Finding, ok, warning
from indexer.doctor.subject import Subject

_LIMITS = Path("/proc/sys/fs/inotify")
_PROCESSES = Path("/proc")
_ROOM = 2
"""The daemon needs one instance and one watch; leave one for another program."""


def check(_subject: Subject) -> Iterator[Finding]:
    """Compare what this user's processes use with the limits per user."""
    if sys.platform != "linux":
        return
    instances, watches = _limit("max_user_instances"), _limit("max_user_watches")
    if instances is None or watches is None:
        # A kernel without inotify.
        return
    used_instances, used_watches = _used(os.getuid())
    what = f"{used_instances} of {instances} instances and {used_watches} of {watches} watches used"
    if instances - used_instances < _ROOM or watches - used_watches < _ROOM:
        yield warning(
            f"{what}: a daemon would have to poll",
            "raise fs.inotify.max_user_instances and fs.inotify.max_user_watches with sysctl",
        )
    else:
        yield ok(what)


def _limit(name: str) -> Optional[int]:
    try:
        return int((_LIMITS / name).read_text())
    except (OSError, ValueError):
        return None


def _used(user: int) -> tuple[int, int]:
    """Return the instances and watches of a user's processes, as far as they can be seen."""
    instances = watches = 0
    for process in _PROCESSES.glob("[0-9]*"):
        for descriptor in _descriptors(process, user):
            instances += 1
            watches += _watches(process / "fdinfo" / descriptor)
    return instances, watches


def _descriptors(process: Path, user: int) -> list[str]:
    try:
        if process.stat().st_uid != user:
            return []
        names = os.listdir(process / "fd")
    except OSError:
        # Ended meanwhile, or not accessible.
        return []
    return [name for name in names if _is_inotify(process / "fd" / name)]


def _is_inotify(link: Path) -> bool:
    try:
        return os.readlink(link) == "anon_inode:inotify"
    except OSError:
        return False


def _watches(information: Path) -> int:
    try:
        return information.read_text().count("\ninotify wd:")
    except OSError:
        return 0
