"""Spans, model calls, tool calls, counters and metrics: what the log holds of them."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import weakref

import pytest

from telemetry_core import current_run, current_span, span, tool
from telemetry_core.span_id import SpanIds


def of(log, kind):
    return [event.data for event in log.events() if event.type == kind]


def names_with_parents(log):
    """Each span's name with its parent's name."""
    started = of(log, "span.started")
    names = {data["span_id"]: data["name"] for data in started}
    return {data["name"]: names.get(data.get("parent_span_id")) for data in started}


def test_a_span_is_two_events_of_the_documented_shape(client, log):
    """Start and end, each with its own part; nothing that says nothing."""
    with client.track_run("a", "j") as run, run.span("parse", file="a.py") as step:
        step.set(bytes=10)
        step.set({"a.b": 1})
    kinds = [event.type for event in log.events()]
    assert kinds == ["run.started", "span.started", "span.ended", "run.ended"]
    _, start, end, _ = log.events()
    assert start.data == {
        "span_id": step.span_id,
        "name": "parse",
        "kind": "step",
        "start_time": start.time,
        "attributes": {"file": "a.py"},
    }
    assert end.data.pop("duration_ms") >= 0
    assert end.data == {
        "span_id": step.span_id,
        "status": "ok",
        "end_time": end.time,
        "attributes": {"bytes": 10, "a.b": 1},
    }
    assert {event.run_id for event in log.events()} == {run.run_id}
    assert len(step.span_id) == 16
    assert int(step.span_id, 16) >= 0


def test_spans_nest_by_context_and_in_threads_by_name(client, log):
    """The parent is the span around the code, of the same run; a thread names it."""
    with client.track_run("a", "outer") as run:
        with run.span("one") as one, run.span("two"):
            with client.track_run("a", "inner") as inner, inner.span("of inner"):
                pass

            def work():
                assert current_span() is None
                with one.span("in thread"), run.span("below"):
                    pass
                with run.span("named", parent=one):
                    pass
                with run.span("free"):
                    pass

            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        with run.span("three"):
            pass
    assert names_with_parents(log) == {
        "one": None,
        "two": "one",
        "of inner": None,
        "in thread": "one",
        "below": "in thread",
        "named": "one",
        "free": None,
        "three": None,
    }


def test_interleaving_tasks_keep_their_spans_apart(client, log):
    """Each task's inner span is below that task's outer span, though all take turns."""

    async def task(run, n):
        async with run.span(f"outer {n}"):
            await asyncio.sleep(0.001)
            async with run.span(f"inner {n}"):
                await asyncio.sleep(0.001)
                assert current_span().name == f"inner {n}"

    async def main():
        async with client.track_run("a", "j") as run, run.span("all"):
            await asyncio.gather(*(task(run, n) for n in range(5)))

    asyncio.run(main())
    parents = names_with_parents(log)
    assert {parents[f"inner {n}"] for n in range(5)} == {f"outer {n}" for n in range(5)}
    assert {parents[f"outer {n}"] for n in range(5)} == {"all"}


def test_a_model_call_is_written_by_the_conventions(client, log):
    """Cached tokens are part of the input there; ours are exclusive buckets."""
    with client.track_run("a", "j") as run, run.llm_call("gpt-5", provider="openai") as call:
        call.usage(input_tokens=1, output_tokens=80)
        call.usage(input_tokens=1200, cache_read_tokens=100, cache_write_tokens=20)
        call.usage(reasoning_tokens=30, cost_usd=0.01, service_tier="flex")
        call.response(model="gpt-5-2026", id="resp_1", finish_reasons=["stop"])
        assert list(call.stream(iter("abc"))) == ["a", "b", "c"]
    (start,) = of(log, "span.started")
    assert (start["name"], start["kind"]) == ("chat gpt-5", "llm")
    assert start["attributes"] == {
        "gen_ai.provider.name": "openai",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-5",
    }
    (end,) = of(log, "span.ended")
    assert 0 <= end["attributes"].pop("gen_ai.response.time_to_first_chunk") < 60
    assert end["attributes"] == {
        "service_tier": "flex",
        "gen_ai.response.model": "gpt-5-2026",
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 1320,
        "gen_ai.usage.output_tokens": 80,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.cache_creation.input_tokens": 20,
        "gen_ai.usage.reasoning.output_tokens": 30,
        "gen_ai.usage.cost": 0.01,
    }


def test_usage_that_is_unknown_is_not_written(client, log):
    """Never as zero: no usage, and cached tokens alone, are not an input of nothing."""
    with client.track_run("a", "j") as run:
        with run.llm_call("m"):
            pass
        with run.llm_call("m", kind="embedding") as call:
            call.usage(cache_read_tokens=7)
    first, second = of(log, "span.ended")
    assert "attributes" not in first
    assert second["attributes"] == {"gen_ai.usage.cache_read.input_tokens": 7}
    assert of(log, "span.started")[1]["attributes"]["gen_ai.operation.name"] == "embeddings"


def test_an_asynchronous_stream_passes_through(client, log):
    """Its items and its exception, with the first token's time."""

    async def chunks():
        yield 1
        raise ValueError("broken off")

    async def main():
        got = []
        with pytest.raises(ValueError, match="broken off"):
            async with client.track_run("a", "j") as run, run.llm_call("m") as call:
                async for chunk in call.stream(chunks()):
                    got.append(chunk)  # noqa: PERF401  # what came before it broke off
        assert got == [1]

    asyncio.run(main())
    (end,) = of(log, "span.ended")
    assert (end["status"], end["error"]) == ("error", "ValueError: broken off")
    assert set(end["attributes"]) == {"error.type", "gen_ai.response.time_to_first_chunk"}


def test_a_tool_call_has_arguments_and_a_result(client, log):
    """Whatever they are; and a tool may fail without an exception."""
    with client.track_run("a", "j") as run:
        with run.tool_call("search", arguments={"q": {1}}, call_id="call_1") as call:
            call.result({"hits": 3})
        with run.tool_call("search") as call:
            call.fail("no\nsuch index")
    first = of(log, "span.started")[0]
    assert (first["name"], first["kind"]) == ("execute_tool search", "tool")
    assert first["attributes"] == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.call.arguments": {"q": [1]},
    }
    ended = of(log, "span.ended")
    assert ended[0]["attributes"] == {"gen_ai.tool.call.result": {"hits": 3}}
    assert (ended[1]["status"], ended[1]["error"]) == ("error", "no")


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ValueError("no"), "error", "ValueError: no"),
        (KeyboardInterrupt(), "error", "KeyboardInterrupt"),
        (asyncio.CancelledError(), "error", "CancelledError"),
        (SystemExit(0), "ok", None),
        (ValueError("x" * 5_000_000), "error", "ValueError: " + "x" * 487 + "…"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_way_a_span_is_left_is_its_status(client, log, error, status, text):
    """The exception itself goes on; the text is one bounded line."""
    with pytest.raises(type(error)) as caught, client.track_run("a", "j") as run, run.span("s"):
        raise error
    assert caught.value is error
    (end,) = of(log, "span.ended")
    assert (end["status"], end.get("error")) == (status, text)


def test_functions_are_decorated_by_a_runs_span_and_by_the_run_around(client, log):
    """Each call is a span; outside of a run it is just a call; the kind of function stays."""

    @span
    def plain(n):
        return n + 1

    @span("fetching", kind="retrieval", source="web")
    async def fetch():
        await asyncio.sleep(0)
        return current_span().name

    @tool("lookup")
    def pages():
        yield 1
        yield 2

    assert plain(1) == 2
    assert log.events() == []
    with client.track_run("a", "j") as run:
        twice = run.span("twice")(lambda: plain(3))
        assert (twice(), twice()) == (4, 4)
        assert asyncio.run(fetch()) == "fetching"
        items = pages()
        assert next(items) == 1
        assert current_span() is None
        assert list(items) == [2]
        assert current_run() is run
    names = [data["name"] for data in of(log, "span.started")]
    assert names == ["twice", "plain", "twice", "plain", "fetching", "execute_tool lookup"]
    assert len(of(log, "span.ended")) == 6


def test_one_span_entered_twice_is_two(client, log):
    """By tasks at once and by one after another; each is ended."""

    async def enter(step, n):
        async with step as mine:
            await asyncio.sleep(0.002 * n)
            assert current_span() is mine

    async def main():
        async with client.track_run("a", "j") as run:
            step = run.span("s")
            await asyncio.gather(*(enter(step, n) for n in range(4)))
            await enter(step, 0)

    asyncio.run(main())
    ids = [[data["span_id"] for data in of(log, f"span.{kind}")] for kind in ("started", "ended")]
    assert len(set(ids[0])) == 5
    assert sorted(ids[0]) == sorted(ids[1])


def test_spans_and_runs_are_freed_without_the_garbage_collector(client):
    """As soon as nobody has them: agents make thousands a second, and a collection takes time."""
    gc.collect()
    gc.disable()
    try:
        with client.track_run("a", "j") as run:
            with run.span("outer") as outer, outer.span("inner") as inner, inner:
                alive = [weakref.ref(one) for one in (run, outer, inner)]
            del outer, inner
            assert [one() for one in alive] == [run, None, None]
        del run
        assert alive[0]() is None
    finally:
        gc.enable()


def test_a_span_can_be_started_and_ended_by_hand(client, log):
    """Without being around any code, with times of its own, and only once."""
    with client.track_run("a", "j") as run:
        step = run.span("s")
        step.end()
        step.start(start_time="2026-01-01T00:00:00Z")
        step.start()
        assert current_span() is None
        step.end(end_time="2026-01-01T00:00:09Z")
        step.end(ValueError("late"))
    (start,), (end,) = of(log, "span.started"), of(log, "span.ended")
    assert start["start_time"] == "2026-01-01T00:00:00Z"
    assert (end["end_time"], end["status"]) == ("2026-01-01T00:00:09Z", "ok")
    assert "duration_ms" not in end


def test_wrong_arguments_give_a_span_all_the_same(client, log):
    """Counted, not raised; the block runs."""
    with client.track_run("a", "j") as run:
        with run.span("x", "step", None, 4, 5), run.span(), run.llm_call(), run.tool_call():
            pass
        with run.llm_call("m") as call:
            call.usage(7)
            call.usage(input_tokens="many", cache_read_tokens=object())
            call.response(1)
            call.set(1)
            call.stream(iter("a"))
        with run.span(object(), kind=7, name="an attribute", self=1):
            pass
    assert len(of(log, "span.ended")) == 6
    assert client.get_stats()["client_errors"] >= 7
    assert of(log, "span.started")[-1]["attributes"] == {"name": "an attribute", "self": 1}


def test_a_span_is_bounded_whatever_it_is_given(client, log):
    """A line of a megabyte at most, and a thousand attributes."""
    with client.track_run("a", "j") as run, run.tool_call("t", arguments="x" * 9_000_000) as call:
        call.result([b"\xff" * 9_000_000, "kept"])
        for n in range(3_000):
            call.set({f"a{n}": n})
    start, end = log.events()[1:3]
    assert "[cut: " in start.data["attributes"]["gen_ai.tool.call.arguments"]
    assert end.data["attributes"]["gen_ai.tool.call.result"][1] == "kept"
    assert len(end.data["attributes"]) == 1_000
    assert max(map(len, log.bytes().split(b"\n"))) <= 1_048_576


def test_ids_are_unique_across_processes_and_wrap(monkeypatch):
    """A forked child has other bits; a full counter starts over."""
    ids = SpanIds()
    ids._counter = itertools.count(2**32 - 1)
    first, second = ids.next(), ids.next()
    assert first.endswith("ffffffff")
    assert second.endswith("00000000")
    process = ids._process
    ids.reseed()
    assert ids._process != process


def test_counters_and_points_of_series_are_events(client, log):
    """As given; what is no number is the fold's to judge."""
    with client.track_run("a", "j") as run:
        run.add(items_succeeded=1, cache_hits=2.5)
        run.add()
        run.log_metrics({"loss": 0.5, "eval/f1": float("nan")}, step=10)
        run.log_metrics(loss=0.25)
        run.alert("Disk nearly full\nsecond line", "90 %", level="ERROR")
        run.alert("odd", level="purple")
    assert of(log, "run.incremented") == [{"items_succeeded": 1, "cache_hits": 2.5}]
    assert of(log, "run.metrics") == [
        {"step": 10, "metrics": {"loss": 0.5, "eval/f1": None}},
        {"metrics": {"loss": 0.25}},
    ]
    assert of(log, "run.alert") == [
        {"title": "Disk nearly full", "level": "error", "text": "90 %"},
        {"title": "odd", "level": "warning"},
    ]
