"""The carrier to a plain file: each run is one line of NDJSON, with its key.

The smallest kind there is, and the example for another one. A run that is written twice, because
the first time was not heard of, has the same key twice.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson

from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target
from indexer.outbox.verdict import DELIVERED, Verdict
from telemetry_core.append_file import AppendFile, write_whole

WHAT_IT_NEEDS = "a file that can be written"


class FileCarrier:
    """Appends parcels to one file, which is made if it is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Lock()

    async def carry(self, parcel: Parcel) -> Verdict:
        """Append one parcel, and see it on the disk."""
        line = b'{"key":' + orjson.dumps(parcel.key) + b"," + parcel.body[1:] + b"\n"
        async with self._turn:
            # In a thread: a disk that hangs must not hold up what goes elsewhere.
            await asyncio.to_thread(self._append, line)
        return Verdict(DELIVERED, "written")

    def _append(self, line: bytes) -> None:
        file = AppendFile(self._path)
        try:
            size = file.size()
            # A line that a full disk cut short does not take this one with it.
            torn = size is not None and not file.ends_line(size)
            write_whole(file.fd, b"\n" + line if torn else line)
            file.sync()
        finally:
            file.close()

    async def close(self) -> None:
        """Nothing is open between two parcels."""


def carrier_to(target: Target) -> FileCarrier:
    """Return what carries to a target."""
    return FileCarrier(Path(target.address))
