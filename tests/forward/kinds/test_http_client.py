"""Attempts that are cut off at any point never cost a later attempt its connection."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from indexer.forward.kinds.http import HttpTransport
from indexer.forward.kinds.http_client import ReplaceableClient, client_to
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target
from tests.support.forward import a_target

# A socket that asyncio had just connected when it was cancelled is closed by its deallocation.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Have such sockets deallocated here, not in the middle of a later test."""
    yield
    gc.collect()


_PARCEL = Parcel("api", "run", 2, "run:2", b'{"run_id":"run"}', 1)
_MAX_SECONDS = 30.0
"""No test hangs: what takes longer has failed."""


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every request of one connection, in two parts."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = (
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            await asyncio.sleep(0)
            writer.write(b"{}")
    except (OSError, EOFError):
        pass
    finally:
        writer.close()


@asynccontextmanager
async def _server(in_flight: int) -> AsyncIterator[Target]:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield a_target(address=f"http://127.0.0.1:{port}/", in_flight=in_flight, timeout=5.0)
    finally:
        server.close()


async def _cut_off_after(transport: HttpTransport, turns: int) -> bool:
    """Cancel an attempt after some turns of the event loop; say whether it was still going."""
    attempt = asyncio.ensure_future(transport.send(_PARCEL))
    for _ in range(turns):
        await asyncio.sleep(0)
    was_cut_off = attempt.cancel()
    await asyncio.wait({attempt})
    return was_cut_off


def test_an_attempt_cut_off_at_any_point_costs_no_connection() -> None:
    """Cancelled at every turn of the loop, more often than connections may be open at once."""

    async def story() -> None:
        async with _server(in_flight=2) as target:
            transport = HttpTransport(target, client_to(target))
            cut_off = 0
            for turns in range(40):
                # The odd ones meet a connection that is open already, the even ones may not.
                for _ in range(2):
                    cut_off += await _cut_off_after(transport, turns)
                done = await asyncio.gather(*(transport.send(_PARCEL) for _ in range(2)))
                assert [one.outcome for one in done] == ["delivered"] * 2, turns
            await transport.close()
            assert cut_off > 5

    asyncio.run(asyncio.wait_for(story(), _MAX_SECONDS))


def test_more_attempts_than_the_limit_never_wait_for_a_slot_of_the_pool() -> None:
    """Nothing but the circuit breaker bounds them, so that no lost slot can block one."""

    async def story() -> None:
        async with _server(in_flight=1) as target:
            client = client_to(target)
            async with (
                client.attempt() as one,
                one.stream("POST", target.address, content=b"{}"),
                client.attempt() as two,
            ):
                answer = await two.post(target.address, content=b"{}")
                assert answer.status_code == 200
            await client.close()

    asyncio.run(asyncio.wait_for(story(), _MAX_SECONDS))


def test_a_client_left_in_the_middle_is_replaced_and_closed_by_its_last_user() -> None:
    """Attempts that share it go on with it; new ones get another; nothing stays open."""

    async def story() -> None:
        made: list[httpx.AsyncClient] = []

        def make() -> httpx.AsyncClient:
            made.append(httpx.AsyncClient())
            return made[-1]

        client = ReplaceableClient(make)
        async with client.attempt() as still_going:
            with pytest.raises(ValueError, match="broken"):
                async with client.attempt() as broken:
                    raise ValueError("broken")
            assert broken is still_going
            assert not broken.is_closed
            async with client.attempt() as fresh:
                assert fresh is not broken
        assert [one.is_closed for one in made] == [True, False]
        async with client.attempt() as kept:
            assert kept is fresh
        await client.close()
        assert [one.is_closed for one in made] == [True, True]

    asyncio.run(asyncio.wait_for(story(), _MAX_SECONDS))
