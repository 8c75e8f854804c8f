"""Traces over OTLP/HTTP: where they are posted, and what is made of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from indexer.forward.kinds.http_client import ReplaceableClient
from indexer.forward.kinds.otlp import OtlpTransport, traces_url
from indexer.outbox.attempt import AttemptResult
from indexer.outbox.parcel import Parcel
from tests.support.forward import a_target

_PARCEL = Parcel("traces", "run", 2, "run:2", b'{"resourceSpans":[]}', 1)


async def _body(text: bytes) -> AsyncIterator[bytes]:
    yield text


def _send(
    status: int = 200, body: bytes = b"{}", **settings: Any
) -> tuple[AttemptResult, httpx.Request]:
    """Make one attempt at a receiver in this process."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, headers={"Retry-After": "7"}, content=_body(body))

    async def attempt() -> AttemptResult:
        mock = httpx.MockTransport(answer)
        client = ReplaceableClient(lambda: httpx.AsyncClient(transport=mock))
        transport = OtlpTransport(
            a_target(kind="otlp", address="http://h:4318", **settings), client
        )
        try:
            return await transport.send(_PARCEL)
        finally:
            await transport.close()

    result = asyncio.run(attempt())
    return result, seen[0]


def test_a_trace_is_posted_as_it_is() -> None:
    """To the path for traces, as JSON, with token and headers."""
    result, request = _send(token="t0ken", headers=(("x-scope", "me"),))
    assert result.outcome == "delivered"
    assert (request.method, str(request.url)) == ("POST", "http://h:4318/v1/traces")
    assert request.content == _PARCEL.payload
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["x-scope"] == "me"


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"", "delivered"),
        (200, b"\x00not json", "delivered"),
        (200, b'{"partialSuccess":{}}', "delivered"),
        (200, b'{"partialSuccess":{"rejectedSpans":"0","errorMessage":"by the way"}}', "delivered"),
        (200, b'{"partialSuccess":{"rejectedSpans":"3"}}', "rejected"),
        (400, b"{}", "rejected"),
        (401, b"{}", "unauthorized"),
        (413, b"{}", "rejected"),
        (429, b"{}", "failed"),
        (503, b"{}", "failed"),
    ],
)
def test_an_answer_means_what_the_specification_says(
    status: int, body: bytes, outcome: str
) -> None:
    """Spans that were refused are not sent again; what is busy is asked later."""
    result, _ = _send(status, body)
    assert result.outcome == outcome
    assert (result.retry_after == 7.0) is (outcome == "failed")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://h:4318", "http://h:4318/v1/traces"),
        ("http://h:4318/", "http://h:4318/v1/traces"),
        ("https://h/otlp/", "https://h/otlp/v1/traces"),
        ("https://h/api/v1/traces?key=1", "https://h/api/v1/traces?key=1"),
    ],
)
def test_an_endpoint_may_be_a_base_url(address: str, url: str) -> None:
    """The path for traces is added unless it is there."""
    assert traces_url(address) == url
