"""A receiver in this process, and requests to it as a program of any language makes them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Optional

import orjson

from indexer.receivers.server import ReceiverServer
from indexer.system.base import Base

TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
JSON = {"content-type": "application/json"}


class Answer(NamedTuple):
    """What a receiver answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a value."""
        return orjson.loads(self.body)


class Sender:
    """Sends to one receiver."""

    def __init__(self, server: ReceiverServer) -> None:
        self.server = server
        self.port = server.port

    def __call__(
        self,
        path: str,
        body: Any = b"",
        headers: Optional[dict[str, str]] = None,
        method: str = "POST",
    ) -> Answer:
        """Make one request; a value is sent as JSON, and of an iterator each part as a chunk."""
        if not isinstance(body, (bytes, Iterator)):
            body, headers = orjson.dumps(body), {**JSON, **(headers or {})}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()


@contextmanager
def receiving(base: Path, token: str = "") -> Iterator[Sender]:
    """Have a receiver take in records for a base."""
    server = ReceiverServer(Base.at(base), "127.0.0.1", 0, token)
    thread = threading.Thread(target=server.serve_here)
    thread.start()
    try:
        yield Sender(server)
    finally:
        server.stop()
        thread.join(60)


def span(number: int = 1, **more: Any) -> dict[str, Any]:
    """One span."""
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": "1790000000000000000",
        "endTimeUnixNano": "1790000001000000000",
        **more,
    }


def traces(*spans: Any, **resource: Any) -> dict[str, Any]:
    """A request with spans."""
    named = {"attributes": [attribute("service.name", "agent")], **resource}
    return {
        "resourceSpans": [
            {
                "resource": named,
                "scopeSpans": [{"scope": {"name": "s", "version": "1"}, "spans": list(spans)}],
            }
        ]
    }


def logs(*records: Any) -> dict[str, Any]:
    """A request with log records."""
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": list(records)}]}]}


def attribute(key: str, value: str) -> dict[str, Any]:
    """One attribute, a text."""
    return {"key": key, "value": {"stringValue": value}}
