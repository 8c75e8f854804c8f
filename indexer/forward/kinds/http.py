"""The carrier by HTTP: a POST of the body as it is, with the key and the token in headers.

It follows no redirect and decodes nothing: an answer is read raw, and up to a cap.
"""

from __future__ import annotations

import logging
import time

import httpx

from indexer.forward.kinds.http_client import ReplaceableClient, client_to
from indexer.outbox.backoff import asked_patience
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target
from indexer.outbox.verdict import Verdict, verdict_of

WHAT_IT_NEEDS = (
    "no HTTP client can be made: look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY,"
    " SSL_CERT_FILE and SSL_CERT_DIR"
)
MOST_READ_BYTES = 64 * 1024
"""More of an answer than this is not read."""

# They log each request with its whole address, and headers with what is in them.
for _chatty in ("httpx", "httpcore", "hpack"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)


class HttpCarrier:
    """Posts parcels to one URL."""

    def __init__(self, target: Target, client: ReplaceableClient) -> None:
        self._url = target.address
        self._client = client
        # Else a user name in the URL would take the place of the token.
        self._auth = (lambda request: request) if target.token else httpx.USE_CLIENT_DEFAULT
        self._token = target.token

    async def carry(self, parcel: Parcel) -> Verdict:
        """Post one parcel."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": parcel.key}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        async with (
            self._client.attempt() as client,
            client.stream(
                "POST", self._url, content=parcel.body, headers=headers, auth=self._auth
            ) as answer,
        ):
            await read_capped(answer)
            patience = asked_patience(answer.headers.get("Retry-After"), time.time())
            return verdict_of(answer.status_code, patience)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


async def read_capped(answer: httpx.Response) -> bytes:
    """Return what an answer says, as it came over the wire and no more than the cap."""
    said, chunks = b"", answer.aiter_raw()
    try:
        async for chunk in chunks:
            said += chunk
            if len(said) >= MOST_READ_BYTES:
                break
    finally:
        # What is broken off does not end by itself before its loop does.
        await chunks.aclose()  # type: ignore[attr-defined]  # httpx calls its generator an iterator
    return said[:MOST_READ_BYTES]


def carrier_to(target: Target) -> HttpCarrier:
    """Return what carries to a target."""
    return HttpCarrier(target, client_to(target))
