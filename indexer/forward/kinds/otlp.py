"""Deliver to an OTLP/HTTP endpoint: finished runs with their spans as traces, in JSON.

The payload is built in `indexer.outbox.otlp`. A receiver that accepts the request and refuses some
of its spans says so in `partialSuccess`; the specification forbids to send them again.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import orjson

from indexer.forward.kinds.http import REQUIREMENT, read_capped
from indexer.forward.kinds.http_client import ReplaceableClient, client_to
from indexer.outbox.attempt import DELIVERED, REJECTED, AttemptResult, result_of_status
from indexer.outbox.backoff import parse_retry_after
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target

__all__ = ["REQUIREMENT", "OtlpTransport", "transport_to"]

_TRACES = "/v1/traces"


class OtlpTransport:
    """Posts traces to one endpoint."""

    def __init__(self, target: Target, client: ReplaceableClient) -> None:
        self._url = traces_url(target.address)
        self._client = client
        self._headers = {"Content-Type": "application/json", **dict(target.headers)}
        if target.token:
            self._headers["Authorization"] = f"Bearer {target.token}"
        # Otherwise a user name in the URL would replace the token.
        self._auth = (lambda request: request) if target.token else httpx.USE_CLIENT_DEFAULT

    async def send(self, parcel: Parcel) -> AttemptResult:
        """Post one trace."""
        async with (
            self._client.attempt() as client,
            client.stream(
                "POST",
                self._url,
                content=parcel.payload,
                headers=self._headers,
                auth=self._auth,
            ) as answer,
        ):
            body = await read_capped(answer)
            retry_after = parse_retry_after(answer.headers.get("Retry-After"), time.time())
            result = result_of_status(answer.status_code, retry_after)
        if result.outcome == DELIVERED and (refused := _refused_spans(body)):
            return AttemptResult(REJECTED, f"the receiver refused {refused} spans of the run")
        return result

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def traces_url(address: str) -> str:
    """Return the URL for traces: `/v1/traces` is added to a base URL, as OpenTelemetry does."""
    parts = urlsplit(address)
    path = parts.path.rstrip("/")
    if not path.endswith(_TRACES):
        path += _TRACES
    return urlunsplit(parts._replace(path=path))


def _refused_spans(body: bytes) -> int:
    """Return how many spans an answer says were refused; 0 if it does not say."""
    try:
        answer: Any = orjson.loads(body) if body else {}
        return int(answer["partialSuccess"]["rejectedSpans"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return 0


def transport_to(target: Target) -> OtlpTransport:
    """Return the transport for a target."""
    return OtlpTransport(target, client_to(target))
