"""Read and decompress a request's body piece by piece, and never more than is allowed.

Called by the application. All bodies that are being read share one allowance: many connections
with a little each would otherwise take as much memory as they are many.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Optional

MOST_BYTES = 20 * 1024 * 1024
"""Of one body, before and after it is decompressed."""
MOST_BYTES_OF_ALL = 64 * 1024 * 1024
SECONDS = 30.0
"""How long a client may take to send a body."""

_STEP = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class BodyTooLarge(Exception):
    """The body, or what it holds compressed, is longer than is taken."""


class BodyBroken(Exception):
    """The body cannot be decompressed, or did not come whole."""


class TooBusy(Exception):
    """Other bodies take all the memory that there is for them; this one may come again."""


class Allowance:
    """What all bodies together may take."""

    def __init__(self, size: int = MOST_BYTES_OF_ALL) -> None:
        self._left = size

    def take(self, size: int) -> None:
        """Take some of it. Raises TooBusy."""
        if size > self._left:
            raise TooBusy
        self._left -= size

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        self._left += size


class Body:
    """One body. Its part of the allowance is given back when the block ends."""

    def __init__(self, allowance: Allowance, *, is_gzip: bool) -> None:
        self._allowance = allowance
        self._taken = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._received = 0
        self._inflate: Optional[zlib._Decompress] = (
            zlib.decompressobj(wbits=_GZIP) if is_gzip else None
        )

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        self._parts = []
        self._allowance.give_back(self._taken)
        self._taken = 0

    async def read(self, chunks: AsyncIterator[bytes]) -> bytes:
        """Return the whole body, decompressed.

        Raises BodyTooLarge, BodyBroken, TooBusy, or asyncio.TimeoutError.
        """
        await asyncio.wait_for(self._read(chunks), SECONDS)
        if self._inflate is not None and self._received and not self._inflate.eof:
            raise BodyBroken("the compressed body ends in the middle")
        return b"".join(self._parts)

    async def _read(self, chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            self._received += len(chunk)
            if self._received > MOST_BYTES:
                raise BodyTooLarge
            if self._inflate is None:
                self._keep(chunk)
            else:
                await self._decompress(chunk)

    async def _decompress(self, chunk: bytes) -> None:
        inflate = self._inflate
        while chunk and inflate is not None:
            try:
                plain = inflate.decompress(chunk, _STEP)
            except zlib.error as error:
                raise BodyBroken(f"not gzip: {error}") from None
            self._keep(plain)
            if inflate.eof:
                # Members may follow one another, as files that were joined do.
                chunk = inflate.unused_data
                if chunk:
                    inflate = self._inflate = zlib.decompressobj(wbits=_GZIP)
                continue
            chunk = inflate.unconsumed_tail
            # Others have their turn meanwhile.
            await asyncio.sleep(0)

    def _keep(self, plain: bytes) -> None:
        self._size += len(plain)
        if self._size > MOST_BYTES:
            raise BodyTooLarge
        self._allowance.take(len(plain))
        self._taken += len(plain)
        if plain:
            self._parts.append(plain)
