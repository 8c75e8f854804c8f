"""Deliver by HTTP: POST the payload as it is, with the key and the token in headers.

Redirects are not followed, and answers are read raw, up to a limit.
"""

from __future__ import annotations

import logging
import time

import httpx

from indexer.forward.kinds.http_client import ReplaceableClient, client_to
from indexer.outbox.attempt import AttemptResult, result_of_status
from indexer.outbox.backoff import parse_retry_after
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target

REQUIREMENT = (
    "no HTTP client can be made: check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY,"
    " SSL_CERT_FILE and SSL_CERT_DIR"
)
MAX_ANSWER_BYTES = 64 * 1024
"""The rest of a longer answer is not read."""

# They log the whole address of each request, and headers with their values.
for _chatty in ("httpx", "httpcore", "hpack"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)


class HttpTransport:
    """Posts parcels to one URL."""

    def __init__(self, target: Target, client: ReplaceableClient) -> None:
        self._url = target.address
        self._client = client
        # Otherwise a user name in the URL would replace the token.
        self._auth = (lambda request: request) if target.token else httpx.USE_CLIENT_DEFAULT
        self._headers = {"Content-Type": "application/json", **dict(target.headers)}
        if target.token:
            self._headers["Authorization"] = f"Bearer {target.token}"

    async def send(self, parcel: Parcel) -> AttemptResult:
        """Post one parcel."""
        headers = {**self._headers, "Idempotency-Key": parcel.key}
        async with (
            self._client.attempt() as client,
            client.stream(
                "POST", self._url, content=parcel.payload, headers=headers, auth=self._auth
            ) as answer,
        ):
            await read_capped(answer)
            retry_after = parse_retry_after(answer.headers.get("Retry-After"), time.time())
            return result_of_status(answer.status_code, retry_after)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


async def read_capped(answer: httpx.Response) -> bytes:
    """Return the body of an answer as it came over the wire, up to the limit."""
    body, chunks = b"", answer.aiter_raw()
    try:
        async for chunk in chunks:
            body += chunk
            if len(body) >= MAX_ANSWER_BYTES:
                break
    finally:
        # A generator that is left early is otherwise closed only when the loop ends.
        await chunks.aclose()  # type: ignore[attr-defined]  # httpx calls its generator an iterator
    return body[:MAX_ANSWER_BYTES]


def transport_to(target: Target) -> HttpTransport:
    """Return the transport for a target."""
    return HttpTransport(target, client_to(target))
