"""Describe why an attempt failed, in words that cannot hold a secret.

Used by the sender. Only names of exceptions and the system's own words are used: the message of a
library may repeat a header, an address, or what the other side answered.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Optional

from indexer.outbox.attempt import FAILED, AttemptResult

NO_ANSWER = "no complete answer in time"


class TransportUnavailable(Exception):
    """The transport for a target cannot be made. The message says why, in our own words."""


def result_of_error(error: BaseException) -> AttemptResult:
    """Return the result of an attempt that ended in an exception."""
    return AttemptResult(FAILED, _describe(error))


def _describe(error: BaseException) -> str:
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return NO_ANSWER
    if isinstance(error, TransportUnavailable):
        return str(error)
    detail = next(filter(None, map(_detail, _chain(error))), "")
    return f"{type(error).__name__}: {detail}" if detail else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes, each once."""
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
