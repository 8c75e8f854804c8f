"""Turn OTLP/HTTP requests into lines of the log, and answer only then.

Called by the server. Decoding and writing happen in a thread; whatever goes wrong there that was
not foreseen is answered so that the client sends its records again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from typing import Callable, NamedTuple, Union

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from indexer.receivers import answers
from indexer.receivers.access import Access
from indexer.receivers.body import MOST_BYTES, Allowance, Body, BodyBroken, BodyTooLarge, TooBusy
from indexer.receivers.canonical import TooDeep
from indexer.receivers.decoding import JSON, PROTOBUF, NotDecodable, decode
from indexer.receivers.events import Lines, lines_of, metrics_in
from indexer.system.base import Base
from telemetry_core.clock import CLOCK
from telemetry_core.errors import TelemetryError
from telemetry_core.process import host_name
from telemetry_core.redaction import redactor_of
from telemetry_core.writers import writer_for

logger = logging.getLogger(__name__)

SIGNALS = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics"}
_AT_ONCE = 2
"""Requests that are decoded at once: each may take ten times the memory of its body."""
_LOCK_SECONDS = 1.0
_HINT_SECONDS = 3600.0
_NO_METRICS = "metrics are not kept: set OTEL_METRICS_EXPORTER=none"


class LogNotWritable(TelemetryError):
    """Received records did not reach the log."""

    hint = "The sender sends them again for some seconds; make room, or mend the permissions"


class _Asked(NamedTuple):
    """What a request is about, read from its head."""

    signal: str
    kind: str
    is_gzip: bool


class Receiver:
    """An ASGI application that appends to the log of one base."""

    def __init__(self, base: Base, access: Access) -> None:
        self._access = access
        self._writer = writer_for(base.log_directory, host_name())
        self._directory = base.log_directory
        self._sync = base.config.durability == "fsync"
        redactor = redactor_of(os.environ)
        self._redact: Callable[[bytes], bytes] = redactor or _unchanged
        self._allowance = Allowance()
        self._working = asyncio.Semaphore(_AT_ONCE)
        self._next_hint = 0.0
        self.metrics_dropped = 0
        """Metrics that were sent and not kept, since the receiver began."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        with contextlib.suppress(ClientDisconnect):
            response = await self._answer(request)
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        try:
            return await self._take(request, asked)
        except (BodyTooLarge, BodyBroken, TooBusy, asyncio.TimeoutError) as error:
            return _answer_to(error, asked.kind)
        except (NotDecodable, TooDeep) as error:
            return answers.refusal(asked.kind, 400, str(error))
        except LogNotWritable as error:
            logger.warning("%s", error)
            return answers.come_again(asked.kind, "the log cannot be written to now")
        except ClientDisconnect:
            raise
        except Exception:
            # A refusal would be the end of these records.
            logger.exception("a request could not be handled")
            return answers.come_again(asked.kind, "the request could not be handled")

    def _asked(self, request: Request) -> Union[_Asked, Response]:
        """Return what a request is about, or the answer to one that is not taken."""
        refused = self._access.refuses(request.headers)
        if refused is not None:
            return answers.refusal(None, refused.status, refused.message, connection="close")
        signal = SIGNALS.get(request.url.path)
        if signal is None:
            return answers.refusal(None, 404, f"known are {', '.join(SIGNALS)}")
        if request.method != "POST":
            return answers.refusal(None, 405, "records are sent by POST", allow="POST")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (PROTOBUF, JSON):
            return answers.refusal(None, 415, f"send {PROTOBUF} or {JSON}", connection="close")
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("gzip", "identity", ""):
            return answers.refusal(kind, 415, "send gzip, or no encoding", connection="close")
        return _Asked(signal, kind, encoding == "gzip")

    async def _take(self, request: Request, asked: _Asked) -> Response:
        _check_length(request.headers)
        with Body(self._allowance, is_gzip=asked.is_gzip) as body:
            data = await body.read(request.stream())
            async with self._working:
                return await asyncio.to_thread(self._record, asked.signal, asked.kind, data)

    def _record(self, signal: str, kind: str, data: bytes) -> Response:
        """In a thread: decode, append, answer."""
        try:
            request = decode(signal, kind, data)
            if signal == "metrics":
                return self._drop(kind, metrics_in(request))
            lines = lines_of(signal, request, self._redact)
        except RecursionError:
            raise NotDecodable("the request nests too deep") from None
        self._append(lines)
        message = ""
        if lines.refused:
            message = f"{lines.refused} records without a valid id were refused"
        return answers.accepted(kind, signal, lines.refused, message)

    def _append(self, lines: Lines) -> None:
        if not lines.events:
            return
        day = CLOCK.tick().day
        if not self._writer.write(lines.lines, day, lines.events, self._sync, _LOCK_SECONDS):
            why = self._writer.stats()["last_write_error"]
            raise LogNotWritable(f"{self._directory}: {why}")

    def _drop(self, kind: str, metrics: int) -> Response:
        """Count metrics, and say now and then that they are not kept."""
        self.metrics_dropped += metrics
        now = time.monotonic()
        if not metrics or now < self._next_hint:
            return answers.accepted(kind, "metrics")
        self._next_hint = now + _HINT_SECONDS
        logger.info("%d metrics were received so far; %s", self.metrics_dropped, _NO_METRICS)
        return answers.accepted(kind, "metrics", 0, _NO_METRICS)


def _check_length(headers: Headers) -> None:
    """Refuse by its header what is too long, before any of it is read. Raises BodyTooLarge."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > MOST_BYTES:
        raise BodyTooLarge


def _answer_to(error: Exception, kind: str) -> Response:
    """Return the answer to a body that was not read to its end; its connection is closed."""
    if isinstance(error, BodyTooLarge):
        return answers.refusal(kind, 413, "the body is too large", connection="close")
    if isinstance(error, BodyBroken):
        return answers.refusal(kind, 400, str(error), connection="close")
    if isinstance(error, TooBusy):
        answer = answers.come_again(kind, "too many requests at once")
        answer.headers["connection"] = "close"
        return answer
    return answers.refusal(kind, 408, "the body did not come in time", connection="close")


def _unchanged(lines: bytes) -> bytes:
    return lines
