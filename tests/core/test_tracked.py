from __future__ import annotations

import asyncio
import inspect

import pytest


def runs(log):
    """The fields of each run, in the order they started."""
    return [log.run(event.run_id) for event in log.events() if event.type == "run.started"]


def test_each_call_is_a_run_and_the_function_stays_itself(client, log):
    """Name, docstring, arguments and result are the function's own."""

    @client.tracked("agent", "job", product="p")
    def add(a, b=2):
        """Add."""
        return a + b

    assert (add(1), add(1, b=5)) == (3, 6)
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert [(r["status"], r["product"]) for r in runs(log)] == [("success", "p")] * 2


def test_an_exception_passes_and_fails_the_run(client, log):
    """The caller gets the very same exception."""
    error = ValueError("no")

    @client.tracked("agent", "job")
    def fail():
        raise error

    with pytest.raises(ValueError, match="no") as caught:
        fail()
    assert caught.value is error
    assert runs(log)[0]["error_summary"] == "ValueError: no"


def test_a_coroutine_function_runs_until_it_is_awaited_to_its_end(client, log):
    """Calling it records nothing yet; its run spans the awaiting."""

    @client.tracked("agent", "job")
    async def work():
        assert [event.type for event in log.events()] == ["run.started"]
        await asyncio.sleep(0)
        return 7

    assert inspect.iscoroutinefunction(work)
    call = work()
    assert log.events() == []
    assert asyncio.run(call) == 7
    assert runs(log)[0]["status"] == "success"


def test_a_generator_sends_throws_and_returns_as_before(client, log):
    """The run starts with the first item and ends with the generator."""

    @client.tracked("agent", "job")
    def talk():
        got = yield 1
        try:
            yield got
        except KeyError:
            yield "caught"
        return "end"

    assert inspect.isgeneratorfunction(talk)
    generator = talk()
    assert log.events() == []
    assert (next(generator), generator.send("x"), generator.throw(KeyError())) == (1, "x", "caught")
    with pytest.raises(StopIteration, match="end"):
        next(generator)
    assert runs(log)[0]["status"] == "success"


def test_a_generator_that_is_left_is_cancelled(client, log):
    """Nobody wanted the rest."""

    @client.tracked("agent", "job")
    def count():
        yield from range(10)

    generator = count()
    next(generator)
    generator.close()
    assert runs(log)[0]["status"] == "cancelled"


def test_an_asynchronous_generator_sends_throws_and_closes_as_before(client, log):
    """It stays one, and what is sent, thrown or closed reaches the function's own frame."""
    closed = []

    @client.tracked("agent", "job")
    async def talk():
        try:
            got = yield 1
            try:
                yield got
            except KeyError:
                yield "caught"
            yield "last"
        finally:
            closed.append(True)

    async def converse():
        generator = talk()
        assert [
            await generator.__anext__(),
            await generator.asend("x"),
            await generator.athrow(KeyError()),
        ] == [1, "x", "caught"]
        await generator.aclose()
        assert closed == [True]
        return [item async for item in talk()]

    assert inspect.isasyncgenfunction(talk)
    assert asyncio.run(converse()) == [1, None, "last"]
    assert [run["status"] for run in runs(log)] == ["cancelled", "success"]


def test_generators_that_interleave_leave_no_parent_behind(client, log):
    """Ended in the order they began, they are nobody's parents afterwards."""

    @client.tracked("agent", "job")
    def items():
        yield 1

    one, two = items(), items()
    next(one)
    next(two)
    list(one)
    list(two)
    client.start_run("after", "job")
    assert "parent_run_id" not in runs(log)[-1]
