"""List which files the log consists of, and identify each of them.

A segment is known by its name; device, inode, and fingerprints of its first and last bytes read
say whether it is still the same file. No file is ever opened for writing here.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from errno import ENOTDIR
from pathlib import Path
from typing import NamedTuple, Optional

from indexer.log.names import COMPRESSED, is_segment_name

HEAD_BYTES = 1024
"""A segment is recognised by this many bytes of its beginning, or by all that were read of it."""
GUARD_BYTES = 256
"""... and by up to this many bytes of the last line before the cursor."""


_LARGEST = 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
"""How Python shows the bytes of a name that are not UTF-8."""


class Segment(NamedTuple):
    """One segment as the directory shows it now."""

    name: str
    location: str
    """Its path; as text, for most segments of a listing are never opened."""
    device: int
    inode: int
    size: int
    """Bytes on disk, compressed if the segment is."""
    changed: int
    """When the system says that it was last changed, in nanoseconds; 0 if out of reach."""

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.location)

    @property
    def is_compressed(self) -> bool:
        """Whether what is read from it differs from its bytes on disk."""
        return self.name.endswith(COMPRESSED)


class UnreadFile(NamedTuple):
    """Something in the log's directory that is not part of the log."""

    name: str
    reason: str


class Listing(NamedTuple):
    """The log's directory, looked at once."""

    segments: list[Segment]
    """In order of name."""
    unread: list[UnreadFile]
    """What is neither a segment nor one of our own files: it may have events that are not read."""


def list_segments(directory: Path) -> list[Segment]:
    """Return the segments in order of name; none if the directory does not exist.

    Raises OSError where the directory exists but cannot be read, or a file is in its place.
    """
    return list_log(directory).segments


def list_log(directory: Path) -> Listing:
    """Return the segments of a directory, and what else is in it. Raises OSError."""
    segments: list[Segment] = []
    unread: list[UnreadFile] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if is_segment_name(entry.name):
                    found = _segment_or_unread(entry.name, entry.path)
                    if isinstance(found, Segment):
                        segments.append(found)
                    elif found is not None:
                        unread.append(found)
                # Our own locks, notes and temporary files begin with a dot.
                elif not entry.name.startswith("."):
                    unread.append(UnreadFile(_storable(entry.name), "its name is not a segment's"))
    except FileNotFoundError as error:
        if directory.parent.is_file():
            # Windows says only that there is no such path.
            path = os.fspath(directory)
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), path) from error
        return Listing([], [])
    return Listing(sorted(segments), sorted(unread))


def file_id(name: str) -> int:
    """Return the number that stands for a segment's name in `run_events`.

    It depends on the name alone, so that a rebuild, which meets the segments in another order,
    gives every event the same.
    """
    return int(fingerprint(os.fsencode(name)), 16) >> 1


def fingerprint(data: bytes) -> str:
    """Return a short hash of some bytes of a segment."""
    # Imported here: it loads OpenSSL, and a command that finds nothing new needs no hash.
    import hashlib

    return hashlib.blake2b(data, digest_size=8).hexdigest()


def fingerprints(some: Iterable[bytes]) -> list[str]:
    """Return the fingerprint of each; of many that is half the work."""
    from hashlib import blake2b

    return [blake2b(data, digest_size=8).hexdigest() for data in some]


def segment_at(path: Path) -> Optional[Segment]:
    """Return the segment at `path` as it is now; None if it is gone."""
    found = _segment_or_unread(path.name, os.fspath(path))
    return found if isinstance(found, Segment) else None


def _segment_or_unread(file_name: str, location: str) -> Segment | UnreadFile | None:
    name = _storable(file_name)
    try:
        status = os.stat(location)
    except FileNotFoundError:
        # Gone between the listing and the look, unless it is a link that leads nowhere.
        is_link = os.path.islink(location)
        return UnreadFile(name, "it is a link that leads nowhere") if is_link else None
    except OSError:
        # Not gone, only out of reach: opening it gives the reason.
        return Segment(name, location, 0, 0, 0, 0)
    if not stat.S_ISREG(status.st_mode):
        return UnreadFile(name, "it is not a regular file")
    return Segment(name, location, *file_identity(status), status.st_size, changed_at(status))


def changed_at(status: os.stat_result) -> int:
    """Return when a file was last changed, in nanoseconds."""
    # On Windows `st_ctime` is when the file was made.
    return status.st_ctime_ns if os.name == "posix" else status.st_mtime_ns


def file_identity(status: os.stat_result) -> tuple[int, int]:
    """Return device and inode of a file, as numbers that SQLite takes.

    Windows has volumes that number their files with 128 bits.
    """
    return status.st_dev & _LARGEST, status.st_ino & _LARGEST


def _storable(name: str) -> str:
    """Return a file's name as text that SQLite takes: a byte that is not UTF-8 becomes `/dcff`.

    No name has a slash in it, so no two names become one.
    """
    if name.isascii():
        return name
    return _SURROGATE.sub(lambda match: f"/{ord(match.group()):x}", name)
