"""Answer as OTLP/HTTP asks, in the format of the request.

Called by the application. Only 429, 502, 503 and 504 make a client send again; after any other
refusal its records are gone.
"""

from __future__ import annotations

from typing import Optional

import orjson
from starlette.responses import Response

from indexer.receivers.decoding import JSON, PROTOBUF

_REJECTED = {
    "traces": "rejectedSpans",
    "logs": "rejectedLogRecords",
    "metrics": "rejectedDataPoints",
}
RETRY_SECONDS = "1"
"""Exporters give up after some ten seconds in all: a longer wait would be a refusal."""


def accepted(kind: str, signal: str, refused: int = 0, message: str = "") -> Response:
    """Return that a request was taken; with what was refused of it, or something to say."""
    if kind == JSON:
        partial = {_REJECTED[signal]: str(refused), "errorMessage": message} if message else None
        body = orjson.dumps({"partialSuccess": partial} if partial else {})
    else:
        body = _field(1, _number(1, refused) + _field(2, message.encode())) if message else b""
    return Response(body, 200, media_type=kind)


def refusal(kind: Optional[str], status: int, message: str, **headers: str) -> Response:
    """Return an error, as a `Status` with a message."""
    kind = JSON if kind == JSON else PROTOBUF if kind == PROTOBUF else "text/plain"
    if kind == JSON:
        body = orjson.dumps({"message": message})
    elif kind == PROTOBUF:
        body = _field(2, message.encode())
    else:
        body = f"{message}\n".encode()
    return Response(body, status, headers, media_type=kind)


def come_again(kind: Optional[str], message: str) -> Response:
    """Return that the client shall send the same again, soon."""
    return refusal(kind, 503, message, **{"retry-after": RETRY_SECONDS})


def _field(number: int, value: bytes) -> bytes:
    """One field of a protobuf message: bytes, a text, or a message."""
    return bytes((number << 3 | 2,)) + _varint(len(value)) + value if value else b""


def _number(number: int, value: int) -> bytes:
    return bytes((number << 3,)) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))
