"""A file open for appending that knows whether it is still its own.

Called by the shared log, the spill file and the lock. It never truncates, never rewrites, and
reads back no more than one byte.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import weakref
from pathlib import Path
from typing import Optional

from telemetry_core.descriptor import Descriptor
from telemetry_core.errors import AppendFailed
from telemetry_core.storage import creates_for_others, give_to_owner_of, make_directory

# O_NONBLOCK: a FIFO that bears the day's name must fail to open, not hang the agent.
_FLAGS = (
    os.O_RDWR
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)


class AppendFile:
    """One file open for appending, made with mode 0600 in a directory made with 0700."""

    def __init__(self, path: Path, owners: Optional[list[Descriptor]] = None) -> None:
        """Open `path`, creating it and its directory. Raises AppendFailed or OSError.

        `owners` gets what keeps the file open, once it is open: without it, the file is closed.
        Without `owners`, the object itself keeps the file open.
        """
        descriptor = Descriptor()
        try:
            self.fd = _open(descriptor, path)
        except FileNotFoundError:
            make_directory(path.parent)
            self.fd = _open(descriptor, path)
        status = _prepared(self.fd, path)
        self.path = path
        self._device, self._inode = status.st_dev, status.st_ino
        self.name_is_synced = False
        """Whether the disk has the directory's entry, once it was asked for."""
        self._owners: list[Descriptor] = [] if owners is None else owners
        self._descriptor = weakref.ref(descriptor)
        self._owners.append(descriptor)

    def size(self) -> Optional[int]:
        """Return the size in bytes, or None when appending here would lose what is appended.

        That is so when the file was deleted, and when the descriptor is no longer ours: a host
        that turns itself into a daemon closes all descriptors and opens others in their place.
        """
        try:
            status = os.fstat(self.fd)
        except OSError:
            return None
        if status.st_ino != self._inode or status.st_dev != self._device or status.st_nlink == 0:
            return None
        return status.st_size

    @property
    def identity(self) -> tuple[int, int, int]:
        """The descriptor, and the device and inode of the file that was opened."""
        return self.fd, self._device, self._inode

    def is_at_its_path(self) -> bool:
        """Whether the path still leads to this file."""
        try:
            status = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            # Nobody can say now, and what could not be looked at could not be opened again either:
            # a directory that lost its permissions takes events through what is open already.
            return True
        return self._is(status)

    def ends_line(self, size: int) -> bool:
        """Whether the byte before `size` is a newline; so it is for an empty file."""
        if size == 0:
            return True
        os.lseek(self.fd, size - 1, os.SEEK_SET)
        return os.read(self.fd, 1) == b"\n"

    def sync(self) -> None:
        """Have the disk hold what the kernel holds, the directory entry included."""
        getattr(os, "fdatasync", os.fsync)(self.fd)
        if not self.name_is_synced:
            # The directory may be as new as the file, so its own name is synced as well.
            sync_path(self.path.parent)
            sync_path(self.path.parent.parent)
            self.name_is_synced = True

    def _is(self, status: os.stat_result) -> bool:
        """Whether this is the status of the file that was opened."""
        return status.st_ino == self._inode and status.st_dev == self._device

    def close(self) -> None:
        """Close the descriptor, unless somebody else closed it and the number is theirs now."""
        # First: code that still holds this object must not write to the number's next owner.
        fd, self.fd = self.fd, -1
        descriptor = self._descriptor()
        if descriptor is None:
            return
        try:
            is_ours = self._is(os.fstat(fd))
        except OSError:
            is_ours = False
        if not is_ours:
            descriptor.disown()
        self._owners[:] = [owner for owner in self._owners if owner is not descriptor]


def _open(descriptor: Descriptor, path: Path) -> int:
    """Open for appending; what root creates belongs to the owner of its directory."""
    if creates_for_others():
        try:
            # Only what is surely new is given away: a link may lead anywhere.
            fd = descriptor.open(path, _FLAGS | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            give_to_owner_of(path.parent, fd)
            return fd
    return descriptor.open(path, _FLAGS, 0o600)


def _prepared(fd: int, path: Path) -> os.stat_result:
    """See to it that `fd` can be appended to, now and by others of its owner."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise AppendFailed(f"{path} is not a regular file")
    if sys.platform != "win32" and status.st_size == 0 and status.st_mode & 0o600 != 0o600:
        # Just made, under a umask that keeps even its owner from opening it again. Where it is
        # somebody else's, it is open all the same.
        with contextlib.suppress(OSError):
            os.fchmod(fd, 0o600)
    return status


def sync_path(path: Path) -> None:
    """Have the disk hold a file's bytes or a directory's names, where the platform can."""
    if sys.platform != "win32":
        fd = os.open(path, os.O_RDONLY)
    elif path.is_dir():
        return
    else:
        # Windows flushes only what is open for writing.
        fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_whole(fd: int, data: bytes) -> bool:
    """Write every byte of `data`, going on after a short write; return whether one write did it.

    Raises OSError or AppendFailed.
    Only for a file that nobody else appends to meanwhile: the rest would not follow its start.
    """
    written = os.write(fd, data)
    if written == len(data):
        return True
    while written < len(data):
        more = os.write(fd, memoryview(data)[written:])
        if more == 0:
            raise AppendFailed(f"only {written} of {len(data)} bytes were written")
        written += more
    return False
