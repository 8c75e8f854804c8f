"""Find out what file system is under a path, and what can be relied on there.

Called before the database is opened for writing, and by the watch. It reads the kernel's list
of mounts, or asks Windows for the volume; where neither is there it assumes a local disk.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Optional, Union

from indexer.system.windows.volume import NETWORK, volume_kind

# Shared with another kernel: memory-mapped coordination, which WAL needs, corrupts there, and
# changes made on the other side give no events. `fakeowner` is Docker Desktop's.
SHARED_KINDS = frozenset(
    (
        "9p",
        "afs",
        "ceph",
        "cifs",
        "fakeowner",
        "fuse.sshfs",
        "fuse.vmhgfs-fuse",
        "glusterfs",
        "lustre",
        NETWORK,
        "nfs",
        "nfs4",
        "prl_fs",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
    )
)


def filesystem_kind(path: Path) -> str:
    """Return the kind of file system that holds `path`, as the kernel names it; else `unknown`."""
    real = os.path.realpath(path)
    if sys.platform == "win32":
        return volume_kind(os.path.splitdrive(real)[0])
    best, kind = "", "unknown"
    for mount_point, mounted in _mounts():
        inside = real == mount_point or real.startswith(mount_point.rstrip("/") + "/")
        if inside and len(mount_point) >= len(best):
            best, kind = mount_point, mounted
    return kind


def is_shared(path: Path) -> bool:
    """Whether another kernel may write there too: no WAL, and no events to rely on."""
    kind = filesystem_kind(path)
    return kind in SHARED_KINDS or (kind.startswith("fuse.") and kind != "fuse.overlayfs")


def journal_mode_for(path: Path) -> str:
    """Return the journal mode that is safe for a database at `path`."""
    return "DELETE" if is_shared(path.parent) else "WAL"


def free_bytes(directory: Path) -> Optional[int]:
    """Return how much may still be written to the file system of `directory`; None if unknown.

    Of one that is not there yet, to the file system that it will be on.
    """
    while not os.path.isdir(directory) and directory != directory.parent:
        directory = directory.parent
    try:
        if sys.platform != "win32":
            room = os.statvfs(directory)
            return room.f_bavail * room.f_frsize
        # Imported here: it brings three ways to compress along.
        import shutil

        return shutil.disk_usage(directory).free
    except OSError:
        return None


def identity(path: Union[str, Path]) -> tuple[int, int]:
    """Return device and inode of what `path` leads to now; zeros if it leads nowhere."""
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_dev, status.st_ino)


@lru_cache(maxsize=1)
def _mounts() -> tuple[tuple[str, str], ...]:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return ()
    mounts = []
    for line in lines:
        before, _, after = line.partition(" - ")
        if after:
            mounts.append((_unescape(before.split(" ")[4]), after.split(" ")[0]))
    return tuple(mounts)


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
