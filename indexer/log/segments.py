"""The log files: which files the log consists of, and which file each of them is.

Called by the ingest pass, by verify and by tail. A file is known by its name; device, inode,
and fingerprints of its first and last bytes read tell whether it is still the same one.
It never opens a file for writing.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

SUFFIXES = (".ndjson", ".ndjson.gz", ".ndjson.zst")

HEAD_BYTES = 1024
"""A file is recognised by this many bytes of its beginning, or by all that were read of it."""
GUARD_BYTES = 256
"""... and by up to this many bytes of the last line before the cursor."""


_SURROGATE = re.compile("[\ud800-\udfff]")
"""How Python shows the bytes of a name that are no UTF-8."""


class Segment(NamedTuple):
    """A file of the log as the directory shows it now."""

    name: str
    location: str
    """Its path; a text, for most files of a listing are never opened."""
    device: int
    inode: int
    size: int
    """Bytes on disk, compressed if the file is."""
    changed: int
    """When the system says that it was last changed, in nanoseconds; zeros if out of reach."""

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.location)

    @property
    def is_compressed(self) -> bool:
        """Whether what is read from it differs from what stands on disk."""
        return not self.name.endswith(".ndjson")


def list_segments(directory: Path) -> list[Segment]:
    """Return the log's files in order of name; none if the directory is not there yet.

    Raises OSError where the directory is there but can't be read.
    """
    try:
        with os.scandir(directory) as entries:
            found = [_as_log_file(entry) for entry in entries if is_segment_name(entry.name)]
    except FileNotFoundError:
        return []
    return sorted(file for file in found if file is not None)


def file_id(name: str) -> int:
    """Return the number that stands for a file's name in `run_events`.

    Made of the name alone, so that a rebuild, which meets the files in another order, gives
    every event the same.
    """
    return int(fingerprint(os.fsencode(name)), 16) >> 1


def fingerprint(data: bytes) -> str:
    """Return a short hash of some bytes of a file."""
    # Imported here: it loads OpenSSL, and a command that finds nothing new needs no hash.
    import hashlib

    return hashlib.blake2b(data, digest_size=8).hexdigest()


def is_segment_name(name: str) -> bool:
    """Whether a file of this name in the log's directory is part of the log."""
    return name.endswith(SUFFIXES) and not name.startswith(".")


def _as_log_file(entry: os.DirEntry[str]) -> Segment | None:
    name, location = _storable(entry.name), entry.path
    try:
        status = os.stat(location)
    except FileNotFoundError:
        # Gone between the listing and the look: the next pass will see what became of it.
        return None
    except OSError:
        # Not gone, only out of reach: whoever opens it will be told why.
        return Segment(name, location, 0, 0, 0, 0)
    if not stat.S_ISREG(status.st_mode):
        return None
    # On Windows `st_ctime` is when the file was made.
    changed = status.st_ctime_ns if os.name == "posix" else status.st_mtime_ns
    return Segment(name, location, status.st_dev, status.st_ino, status.st_size, changed)


def _storable(name: str) -> str:
    """Return a file's name as text that SQLite takes: a byte that is no UTF-8 becomes `/dcff`.

    No name has a slash in it, so no two names become one.
    """
    if name.isascii():
        return name
    return _SURROGATE.sub(lambda match: f"/{ord(match.group()):x}", name)
