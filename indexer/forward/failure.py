"""The trouble: why an attempt came to nothing, in words that can hold no secret.

Called by the messenger. Only names of errors and the system's own words are used: what a library
says may repeat a header, an address, or what the other side said.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Optional

from indexer.outbox.verdict import FAILED, Verdict

NO_ANSWER = "no complete answer in time"


class NoCarrier(Exception):
    """What carries to a target can't be made; the message says why, in words of ours."""


def verdict_on(error: BaseException) -> Verdict:
    """Return what an attempt came to that ended in an error."""
    return Verdict(FAILED, _words(error))


def _words(error: BaseException) -> str:
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return NO_ANSWER
    if isinstance(error, NoCarrier):
        return str(error)
    detail = next(filter(None, map(_detail, _chain(error))), "")
    return f"{type(error).__name__}: {detail}" if detail else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: set[int] = set()
    cause: Optional[BaseException] = error
    while cause is not None and id(cause) not in found:
        found.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _detail(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return error.reason or ""
    return (error.strerror or "") if isinstance(error, OSError) else ""
