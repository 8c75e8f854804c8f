"""What changed: found by comparing cursors, and sent to every browser that listens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.database.freshness import index_once
from indexer.database.opening import open_or_rebuild
from indexer.database.rebuild import rebuild
from indexer.system.base import Base
from indexer.ui.live.changes import MOST_RUNS, ChangeFinder
from indexer.ui.live.stream import MOST_STREAMS, Stream
from indexer.ui.live.watcher import DatabaseWatcher
from telemetry_core import TelemetryClient
from tests.support.process import run


@pytest.fixture
def finder(base: Path) -> Iterator[ChangeFinder]:
    """A finder that has seen a database with one run."""
    with closing(ChangeFinder(base / "db" / "telemetry.sqlite", base / "raw")) as one:
        yield one


def _stream(base: Path) -> Stream:
    return Stream(lambda listeners: DatabaseWatcher(Base.at(base, {}), listeners))


def _index(base: Path) -> None:
    index_once(Base.at(base, {}))


def test_a_commit_is_told_with_the_runs_in_it(
    base: Path, client: TelemetryClient, finder: ChangeFinder
) -> None:
    """Started, changed and ended runs, each with its revision, and nothing twice."""
    run_id = client.start_run("agent", "job")
    _index(base)
    first = finder.look()
    assert first is not None
    assert first.runs is None
    assert finder.look() is None
    client.log_event(run_id, "more", {})
    other = client.start_run("other", "job")
    _index(base)
    change = finder.look()
    assert change is not None
    assert change.runs is not None
    assert dict(change.runs).keys() == {run_id, other}
    while finder.look() is not None:
        pass


def test_ancestors_are_told_too(base: Path, client: TelemetryClient, finder: ChangeFinder) -> None:
    """A parent's row shows how many runs are inside it."""
    with client.track_run("outer", "job") as outer:
        _index(base)
        finder.look()
        with client.track_run("inner", "job") as inner:
            _index(base)
        change = finder.look()
    assert change is not None
    assert change.runs is not None
    assert dict(change.runs).keys() == {outer.run_id, inner.run_id}


def test_too_many_runs_are_told_as_many(
    base: Path, client: TelemetryClient, finder: ChangeFinder
) -> None:
    """A page then fetches what it shows, whatever that is."""
    client.start_run("agent", "job")
    _index(base)
    finder.look()
    for _ in range(MOST_RUNS + 1):
        client.start_run("agent", "job")
    _index(base)
    change = finder.look()
    assert change is not None
    assert change.runs is None


def test_a_database_that_comes_goes_or_is_rebuilt_is_told(
    base: Path, client: TelemetryClient, finder: ChangeFinder
) -> None:
    """All of it may be different."""
    assert finder.look() is None
    client.start_run("agent", "job")
    _index(base)
    assert finder.look() is not None
    rebuild(Base.at(base, {}))
    assert finder.look() is not None


def test_a_run_whose_process_is_gone_is_told(base: Path, finder: ChangeFinder) -> None:
    """No line says so: the indexer finds it out by itself."""
    code = """
import sys
from telemetry_core import TelemetryClient
from tests.support.process import run
TelemetryClient(sys.argv[1]).start_run("doomed", "job")
"""
    run(code, str(base))
    with closing(open_or_rebuild(Base.at(base, {}))) as session:
        session.run_pass()
    finder.look()
    index_once(Base.at(base, {}))
    change = finder.look()
    assert change is not None
    assert change.runs is None


async def _next(messages: object, kind: str) -> bytes:
    async def wait() -> bytes:
        async for message in messages:  # type: ignore[attr-defined]
            if f"event: {kind}".encode() in message:
                return bytes(message)
        raise AssertionError("the stream ended")

    return await asyncio.wait_for(wait(), 20)


def test_who_listens_hears_of_a_run(base: Path, client: TelemetryClient) -> None:
    """From the commit to the stream, without anybody asking."""
    client.start_run("agent", "job")
    _index(base)
    stream = _stream(base)

    async def listen() -> bytes:
        messages = stream.messages("")
        await _next(messages, "many")
        await _next(messages, "many")
        client.start_run("newcomer", "job")
        await asyncio.get_running_loop().run_in_executor(None, _index, base)
        heard = await _next(messages, "runs")
        await messages.aclose()
        return heard

    with closing(stream):
        heard = asyncio.run(listen())
    (reported,) = orjson.loads(heard.partition(b"data: ")[2])
    assert "newcomer" in reported[0]
    assert heard.startswith(b"id: ")


def test_a_browser_that_was_away_is_told_to_look_again(base: Path) -> None:
    """With the position that it has it hears nothing; with another, "many"."""
    stream = _stream(base)

    async def greeting(seen: str) -> bytes:
        messages = stream.messages(seen)
        first = await messages.__anext__()
        await messages.aclose()
        return first

    with closing(stream):
        assert b"event: many" not in asyncio.run(greeting(stream.position))
        assert b"event: many" in asyncio.run(greeting("another-1"))
        assert b"retry: 1000" in asyncio.run(greeting("another-1"))


def test_streams_have_a_number(base: Path) -> None:
    """One more than the most is refused, and a place is free again when one ends."""
    stream = _stream(base)

    async def fill() -> list[bool]:
        open_ones = [stream.messages("") for _ in range(MOST_STREAMS)]
        for one in open_ones:
            await one.__anext__()
        full = stream.is_full
        await open_ones[0].aclose()
        freed = not stream.is_full
        for one in open_ones[1:]:
            await one.aclose()
        return [full, freed, not stream.is_listened_to]

    with closing(stream):
        assert asyncio.run(fill()) == [True, True, True]
