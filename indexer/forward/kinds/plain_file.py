"""Deliver to a file: each run is one line of NDJSON, with its key.

The smallest kind of target, and the example for writing another. A run that is written twice,
because the first outcome was lost, has the same key twice.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson

from indexer.outbox.attempt import DELIVERED, AttemptResult
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target
from telemetry_core.append_file import AppendFile, write_whole

REQUIREMENT = "the file cannot be written"


class FileTransport:
    """Appends parcels to one file, which is created if it does not exist."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # A thread of its own: a disk that hangs holds up nothing that goes elsewhere.
        self._thread = ThreadPoolExecutor(1, "file-target")

    async def send(self, parcel: Parcel) -> AttemptResult:
        """Append one parcel, and sync it to the disk."""
        line = b'{"key":' + orjson.dumps(parcel.key) + b"," + parcel.payload[1:] + b"\n"
        await asyncio.get_running_loop().run_in_executor(self._thread, self._append, line)
        return AttemptResult(DELIVERED, "written")

    def _append(self, line: bytes) -> None:
        file = AppendFile(self._path)
        try:
            size = file.size()
            # A line that a full disk cut short must not spoil this one.
            torn = size is not None and not file.ends_line(size)
            write_whole(file.fd, b"\n" + line if torn else line)
            file.sync()
        finally:
            file.close()

    async def close(self) -> None:
        """End the thread; nothing is open between two parcels."""
        self._thread.shutdown(wait=False)


def transport_to(target: Target) -> FileTransport:
    """Return the transport for a target."""
    return FileTransport(Path(target.address))
