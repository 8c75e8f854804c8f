"""LangChain and OpenAI Agents, the real packages without a network: their steps as spans."""

from __future__ import annotations

import asyncio

import pytest


def of(log, kind):
    return [event for event in log.events() if event.type == kind]


def tree(log):
    """Each span: its name, its parent's name, its kind, how it ended."""
    names = {e.data["span_id"]: e.data["name"] for e in of(log, "span.started")}
    ended = {e.data["span_id"]: e.data["status"] for e in of(log, "span.ended")}
    return {
        (e.data["name"], names.get(e.data.get("parent_span_id")), e.data["kind"]): ended.get(
            e.data["span_id"]
        )
        for e in of(log, "span.started")
    }


def test_langchains_steps_are_spans(client, log):
    """A chain with a model, a tool that fails; inside a run and as a run."""
    pytest.importorskip("langchain_core")
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.runnables import RunnableLambda
    from langchain_core.tools import tool

    from telemetry_core.integrations.langchain import callback_handler

    usage = {
        "input_tokens": 100,
        "output_tokens": 20,
        "total_tokens": 120,
        "input_token_details": {"cache_read": 60},
    }
    model = GenericFakeChatModel(messages=iter([AIMessage("hi", usage_metadata=usage)]))

    @tool
    def broken(q: str) -> str:
        """Fail."""
        raise ValueError("no index")

    config = {"callbacks": [callback_handler(client)]}
    chain = RunnableLambda(lambda text: text.upper(), name="upper") | model
    with client.track_run("a", "j") as run, run.span("around"):
        assert chain.invoke("hello", config).content == "hi"
    with pytest.raises(ValueError, match="no index"):
        broken.invoke({"q": "x"}, config)
    found = tree(log)
    assert found["RunnableSequence", "around", "step"] == "ok"
    assert found["upper", "RunnableSequence", "step"] == "ok"
    (call,) = [key for key in found if key[2] == "llm"]
    assert call[1] == "RunnableSequence"
    assert found["execute_tool broken", None, "tool"] == "error"
    attributes = [e.data.get("attributes", {}) for e in of(log, "span.ended")]
    (used,) = [one for one in attributes if "gen_ai.usage.input_tokens" in one]
    assert used["gen_ai.usage.input_tokens"] == 100
    assert used["gen_ai.usage.cache_read.input_tokens"] == 60
    alone = [e.run_id for e in of(log, "run.started")][1]
    assert log.run(alone)["status"] == "failed"
    assert log.run(alone)["error_summary"] == "ValueError: no index"


def test_openai_agents_traces_are_runs_and_spans(client, log):
    """An agent with a tool and a model that is a fake on this machine."""
    agents = pytest.importorskip("agents")
    from agents.tracing import set_trace_processors

    from telemetry_core.integrations.openai_agents import TelemetryTracingProcessor

    set_trace_processors([TelemetryTracingProcessor(client)])
    try:
        with agents.trace("weather"), agents.agent_span("assistant"):
            usage = {"input_tokens": 10, "output_tokens": 2}
            with agents.generation_span(model="m", usage=usage):
                pass
            with agents.function_span("search", input="q") as span:
                span.set_error({"message": "no index", "data": None})
            with agents.handoff_span(from_agent="a", to_agent="b"):
                pass
        inside = agents.trace("inside")
        with client.track_run("a", "j") as run, inside, agents.custom_span("step"):
            pass
    finally:
        set_trace_processors([])
    found = tree(log)
    assert all(len(e.data["span_id"]) == 16 for e in of(log, "span.started"))
    assert found == {
        ("assistant", None, "agent"): "ok",
        ("generation", "assistant", "llm"): "ok",
        ("execute_tool search", "assistant", "tool"): "error",
        ("handoff", "assistant", "step"): "ok",
        ("step", None, "step"): "ok",
    }
    own = next(e.run_id for e in of(log, "run.started"))
    assert (log.run(own)["agent_name"], log.run(own)["status"]) == ("weather", "success")
    assert of(log, "span.started")[-1].run_id == run.run_id
    (used,) = [
        e.data["attributes"]
        for e in of(log, "span.ended")
        if "gen_ai.request.model" in e.data.get("attributes", {})
    ]
    assert used["gen_ai.usage.input_tokens"] == 10


def test_a_langchain_step_that_is_cancelled_is_a_cancelled_run(client, log):
    """Cancellation passes and is seen as such."""
    pytest.importorskip("langchain_core")
    from langchain_core.runnables import RunnableLambda

    from telemetry_core.integrations.langchain import callback_handler

    async def forever(_):
        await asyncio.sleep(60)

    async def main():
        step = RunnableLambda(forever, name="forever")
        task = asyncio.ensure_future(step.ainvoke(1, {"callbacks": [callback_handler(client)]}))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (run_id,) = [e.run_id for e in of(log, "run.started")]
    assert log.run(run_id)["status"] == "cancelled"
