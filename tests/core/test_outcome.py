"""By exceptions, by what was said inside, by contexts used oddly."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime as dt
import functools
import gc
import sys
import threading
import time
import types

import click
import pytest

from telemetry_core import current_run
from telemetry_core.outcome import MAX_DETAILS, MAX_SUMMARY, details_of, one_line, summary_of


class Exit(Exception):
    """As other frameworks have one."""

    def __init__(self, code):
        self.code = code


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (click.exceptions.Exit(0), "success"),
        (click.exceptions.Exit(3), "failed"),
        (click.exceptions.Abort(), "cancelled"),
        (click.UsageError("no"), "failed"),
        (Exit(0), "success"),
        (Exit(1), "failed"),
        (Exit("text"), "failed"),
    ],
)
def test_exits_of_frameworks_say_by_their_code(client, log, error, status):
    """click's, typer's, and others that carry a code."""
    with pytest.raises(type(error)), client.track_run("a", "j") as run:
        raise error
    assert log.run(run.run_id)["status"] == status


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("\n\n  first\nsecond", "first"),
        ("a\r\nb", "a"),
        ("a\tb\x0bc  d", "a b c d"),
        ("x" * 600, "x" * (MAX_SUMMARY - 1) + "…"),
        ("\n" * 5_000_000 + "late", ""),
    ],
    ids=range(6),
)
def test_one_line_is_one_bounded_line(text, line):
    """The first that is not blank, with single blanks."""
    assert one_line(text) == line


def test_an_exception_of_megabytes_has_a_summary_and_bounded_details(client, log):
    """The head and the tail of the text are in the details."""
    with pytest.raises(ValueError, match="first"), client.track_run("a", "j") as run:
        raise ValueError("first\n" + "line\n" * 1_000_000 + "last")
    fields = log.run(run.run_id)
    assert fields["error_summary"] == "ValueError: first"
    assert len(fields["error_details"]) < MAX_DETAILS + 100
    assert "last" in fields["error_details"]
    assert "test_outcome.py" in fields["error_details"]
    assert details_of(ValueError("x")) == "ValueError: x\n"
    assert summary_of(KeyError()) == "KeyError"


def test_a_summary_of_the_agents_own_is_bounded_too(client, log):
    """What does not fit goes to the details, unless there are some."""
    with client.track_run("a", "j") as run:
        run.set_metrics(error_summary="one\ntwo", output_summary="y" * 50_000)
    fields = log.run(run.run_id)
    assert (fields["error_summary"], fields["error_details"]) == ("one", "one\ntwo")
    assert len(fields["output_summary"]) < 11_000


@pytest.mark.parametrize("status", ["partial", "failed", "timeout", "running"])
def test_a_status_set_inside_stands_when_the_block_ends_well(client, log, status):
    """An exception overrules it; running is no end."""
    with client.track_run("a", "j") as run:
        run.set_metrics(status=status)
    assert log.run(run.run_id)["status"] == ("success" if status == "running" else status)
    with pytest.raises(ValueError, match="no"), client.track_run("a", "j") as other:
        other.set_metrics(status=status)
        raise ValueError("no")
    assert log.run(other.run_id)["status"] == "failed"


def test_what_the_agent_says_of_times_stands(client, log):
    """A duration of its own; and times of its own leave the duration to the fold."""
    with client.track_run("a", "j") as own:
        own.set_metrics(duration_ms=98_765, end_time="2026-01-01T00:00:00Z")
    backdated = client.start_run("a", "j", start_time="2026-01-01T00:00:00Z")
    client.end_run(backdated)
    corrected = client.start_run("a", "j")
    client.end_run(corrected, end_time="2026-01-01T00:00:00Z")
    measured = client.start_run("a", "j")
    client.end_run(measured)
    # A run that is running has neither: they have to come with its end.
    (end,) = [e.data for e in log.events() if e.run_id == own.run_id and e.type == "run.ended"]
    assert (end["duration_ms"], end["end_time"]) == (98_765, "2026-01-01T00:00:00Z")
    assert "duration_ms" not in log.run(backdated)
    assert "duration_ms" not in log.run(corrected)
    assert log.run(measured)["duration_ms"] >= 0


@pytest.mark.needs("time-zones")
def test_a_naive_datetime_is_local_time(client, log, monkeypatch):
    """As it is for Python; text and aware times stay what they say."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        aware = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone.utc)
        client.start_run("a", "j", run_id="r", start_time=dt.datetime(2026, 1, 1, 12, 0))
        client.end_run("r", end_time=aware, git_commit_timestamp="2026-01-01T12:00:00")
    finally:
        monkeypatch.undo()
        time.tzset()
    fields = log.run("r")
    assert fields["start_time"] == "2026-01-01T06:30:00.000000Z"
    assert fields["end_time"] == "2026-01-01T12:00:00.000000Z"
    assert fields["git_commit_timestamp"] == "2026-01-01T12:00:00"


def test_a_context_entered_by_several_tasks_is_several_runs(client, log):
    """Each block ends its own."""
    ctx = client.track_run("a", "j")
    seen = []

    async def work(n):
        async with ctx as run:
            await asyncio.sleep(0.002 * n)
            seen.append(run.run_id)
            assert current_run() is run

    async def main():
        await asyncio.gather(*(work(n) for n in range(5)))

    asyncio.run(main())
    with ctx as again:
        pass
    ids = {event.run_id for event in log.events()}
    assert ids == {*seen, again.run_id}
    assert len(ids) == 6
    assert {log.run(run_id)["status"] for run_id in ids} == {"success"}


def test_a_context_that_nobody_entered_starts_on_first_use(client, log):
    """Its events are of a run of its own, which can be entered or ended."""
    one, two = client.track_run("a", "one"), client.track_run("a", "two")
    one.log_event("e")
    one.end("partial")
    two.log_event("e")
    with two as entered:
        assert entered is two
    kinds = [event.type for event in log.events() if event.run_id == two.run_id]
    assert kinds == ["run.started", "run.event", "run.ended"]
    assert log.run(one.run_id)["status"] == "partial"
    assert "unknown" not in {event.run_id for event in log.events()}


def test_a_thread_is_told_its_parent(client, log):
    """By the run or by a span of it."""

    def work(parent, run_id):
        with client.track_run("a", "j", run_id=run_id, parent=parent):
            pass

    with client.track_run("a", "j") as run, run.span("s") as step:
        for parent, run_id in ((run, "by run"), (step, "by span")):
            thread = threading.Thread(target=work, args=(parent, run_id))
            thread.start()
            thread.join()
        client.start_run("a", "j", run_id="text", parent="the agent's own")
    assert log.run("by run")["parent_run_id"] == run.run_id
    assert log.run("by span")["parent_run_id"] == run.run_id
    assert log.run("text")["parent"] == "the agent's own"


def plain(function):
    """A wrapper as a retry decorator is one: not the kind of function that it wraps."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def test_a_plain_function_that_hands_back_work_to_be_done_is_a_run_until_that_is_done(client, log):
    """Coroutines, generators of both kinds, futures of both kinds."""

    @client.tracked("coroutine", "j")
    @plain
    async def coroutine():
        await asyncio.sleep(0)
        assert current_run() is not None
        raise ValueError("boom")

    @client.tracked("generator", "j")
    @plain
    def generator():
        yield current_run() is not None
        raise ValueError("boom")

    @client.tracked("async generator", "j")
    @plain
    async def async_generator():
        yield current_run() is not None
        raise ValueError("boom")

    async def drain():
        async for item in async_generator():
            assert item

    @client.tracked("future", "j")
    def future():
        return asyncio.ensure_future(asyncio.sleep(0, result=7))

    async def wait():
        return await future()

    release = threading.Event()
    with concurrent.futures.ThreadPoolExecutor() as pool:

        @client.tracked("thread", "j")
        def thread():
            return pool.submit(release.wait, 10)

        waiting = thread()
        assert [log.run(e.run_id).get("status") for e in log.events()] == [None]
        release.set()
        assert waiting.result()
    for go in (coroutine, drain):
        with pytest.raises(ValueError, match="boom"):
            asyncio.run(go())
    with pytest.raises(ValueError, match="boom"):
        list(generator())
    assert asyncio.run(wait()) == 7
    runs = {log.run(e.run_id)["agent_name"]: log.run(e.run_id) for e in log.events()}
    assert {name: fields["status"] for name, fields in runs.items()} == {
        "thread": "success",
        "coroutine": "failed",
        "async generator": "failed",
        "generator": "failed",
        "future": "success",
    }


def test_a_generator_is_not_around_its_consumer(client, log):
    """Between its items, and when it is left behind, later runs and processes are not below it."""
    import os

    @client.tracked("producer", "j")
    def produce():
        yield current_run().run_id
        yield 2

    items = produce()
    producer = next(items)
    assert current_run() is None
    assert "TELEMETRY_PARENT_RUN_ID" not in os.environ
    consumer = client.start_run("consumer", "j")
    assert "parent_run_id" not in log.run(consumer)
    assert isinstance(items, types.GeneratorType)
    del items
    gc.collect()
    assert log.run(producer)["status"] == "cancelled"
    assert "parent_run_id" not in log.run(client.start_run("later", "j"))


def test_a_tracked_function_reaches_its_run(client, log):
    """By current_run, which is None outside."""

    @client.tracked("a", "j")
    def work():
        current_run().set_metrics(items_succeeded=2)

    work()
    assert current_run() is None
    assert log.run(log.events()[0].run_id)["items_succeeded"] == 2
    assert sys.exc_info() == (None, None, None)
