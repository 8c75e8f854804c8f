"""One attempt by HTTP: what goes over the wire, and what is made of the answer."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Callable

import httpx
import pytest

from indexer.forward.failure import NO_ANSWER, result_of_error
from indexer.forward.kinds.http import MAX_ANSWER_BYTES, HttpTransport, read_capped
from indexer.forward.kinds.http_client import ReplaceableClient, client_to
from indexer.forward.sender import Sender
from indexer.outbox.attempt import FAILED, AttemptResult
from indexer.outbox.parcel import Parcel
from indexer.system.wakeup import Wakeup
from tests.support.forward import a_target

_PARCEL = Parcel("api", "run", 2, "run:2", b'{"run_id":"run"}', 1)


def _carry(
    answer: Callable[[httpx.Request], httpx.Response], url: str = "http://h/p"
) -> AttemptResult:
    """Make one attempt at a receiver in this process."""

    async def attempt() -> AttemptResult:
        transport = httpx.MockTransport(answer)
        client = ReplaceableClient(lambda: httpx.AsyncClient(transport=transport))
        transport = HttpTransport(a_target(address=url, token="t0ken"), client)
        try:
            return await transport.send(_PARCEL)
        finally:
            await transport.close()

    return asyncio.run(attempt())


async def _nothing() -> AsyncIterator[bytes]:
    """A body as it comes over the wire, which may be read once."""
    yield b""


def test_a_parcel_is_posted_as_it_is() -> None:
    """The exact bytes, the key and the token, though the URL names a user."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=_nothing())

    assert _carry(answer, "http://user:pw@h/p?q=1").outcome == "delivered"
    (request,) = seen
    assert (request.method, request.content) == ("POST", _PARCEL.payload)
    assert request.headers["authorization"] == "Bearer t0ken"
    assert request.headers["idempotency-key"] == "run:2"
    assert request.headers["content-type"] == "application/json"


def test_a_redirect_is_not_followed_and_patience_is_heard() -> None:
    """One request, whatever it says; Retry-After comes with the result."""
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        headers = {"Location": "/else", "Retry-After": "7"}
        return httpx.Response(307, headers=headers, content=_nothing())

    assert _carry(answer) == AttemptResult(FAILED, "HTTP 307 Temporary Redirect", 7.0)
    assert seen == ["/p"]
    assert client_to(a_target())._make().follow_redirects is False


def test_an_answer_is_read_raw_and_up_to_a_cap() -> None:
    """What explodes when it is decoded is not decoded; what never ends is left."""
    bomb = gzip.compress(bytes(10_000_000))

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1000)

    async def read(answer: httpx.Response) -> bytes:
        return await read_capped(answer)

    async def raw() -> AsyncIterator[bytes]:
        yield bomb

    packed = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=raw())
    assert asyncio.run(read(packed)) == bomb
    assert len(asyncio.run(read(httpx.Response(200, content=endless())))) == MAX_ANSWER_BYTES


@pytest.mark.parametrize(
    "error",
    [
        httpx.LocalProtocolError("Illegal header value b'Bearer t0ken'"),
        httpx.InvalidURL("no host in http://user:t0ken@"),
        ValueError("t0ken"),
        OSError("t0ken"),
    ],
)
def test_what_a_library_says_is_not_repeated(error: Exception) -> None:
    """It may hold a header or an address: names of errors and the system's words will do."""
    error.__cause__ = RuntimeError("t0ken")
    result = result_of_error(error)
    assert result.outcome == FAILED
    assert "t0ken" not in result.reason
    assert type(error).__name__ in result.reason


def test_an_attempt_ends_within_its_time_whatever_holds_it_up() -> None:
    """Also before there is a connection; the others go on meanwhile."""

    class Stuck:
        async def send(self, parcel: Parcel) -> AttemptResult:
            while parcel.run_id == "stuck":
                # Not even cancelling it ends it.
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(3600 if not is_closing else 0)
                if is_closing:
                    break
            return AttemptResult("delivered", "")

        async def close(self) -> None:
            raise RuntimeError("not even that")

    is_closing: list[bool] = []
    hint = Wakeup()
    sender = Sender(hint.set, lambda _: Stuck())
    target = a_target(timeout=0.2)
    for subject in ("stuck", "other"):
        sender.send(target, _PARCEL._replace(run_id=subject))
    outcomes: dict[str, AttemptResult] = {}
    while len(outcomes) < 2:
        assert hint.wait(60)
        outcomes.update((parcel.run_id, result) for parcel, result in sender.outcomes())
    is_closing.append(True)
    sender.close()
    hint.close()
    assert list(outcomes) == ["other", "stuck"]
    assert outcomes["stuck"] == AttemptResult(FAILED, NO_ANSWER)


def test_where_no_thread_is_to_be_had_an_attempt_has_come_to_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is an outcome like any other, and the next one may fare better."""

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sender = Sender()
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", fail)
        sender.send(a_target(), _PARCEL)
    ((parcel, result),) = sender.outcomes()
    assert (parcel, result) == (_PARCEL, AttemptResult(FAILED, "RuntimeError"))
