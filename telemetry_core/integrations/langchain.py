"""Record chains, model calls, tools and retrievers of LangChain and LangGraph as spans.

Pass `callback_handler(client)` among the callbacks. Outside of any run, a chain at the top is a
run of its own.
"""

from __future__ import annotations

from typing import Any, Optional

from telemetry_core import genai
from telemetry_core.client import TelemetryClient
from telemetry_core.guard import guarded
from telemetry_core.integrations.recorded_spans import RecordedSpans
from telemetry_core.lineage import current_run, current_span
from telemetry_core.outcome import status_of, summary_of
from telemetry_core.status import CANCELLED


class _Callbacks:
    """What LangChain calls; made a handler of its own class by `callback_handler`."""

    def __init__(self, client: Optional[TelemetryClient] = None) -> None:
        super().__init__()
        self._client = client or TelemetryClient()
        self._recorder = self._client._recorder  # noqa: SLF001  # part of the package
        self._spans = RecordedSpans(self._client)

    @guarded
    def on_chain_start(self, serialized: Any, inputs: Any, **more: Any) -> None:  # noqa: ARG002  # LangChain's
        """Begin a step."""
        self._begin(_name(serialized, more, "chain"), genai.STEP, {}, more)

    @guarded
    def on_llm_start(self, serialized: Any, prompts: Any, **more: Any) -> None:  # noqa: ARG002  # LangChain's
        """Begin a model call, of a completion model."""
        self._begin_model(serialized, more)

    @guarded
    def on_chat_model_start(self, serialized: Any, messages: Any, **more: Any) -> None:  # noqa: ARG002  # LangChain's
        """Begin a model call, of a chat model."""
        self._begin_model(serialized, more)

    def _begin_model(self, serialized: Any, more: dict[str, Any]) -> None:
        given = more.get("metadata") or {}
        parameters = more.get("invocation_params") or {}
        model = (
            given.get("ls_model_name") or parameters.get("model") or parameters.get("model_name")
        )
        attributes: dict[str, Any] = {genai.OPERATION: "chat"}
        if model:
            attributes[genai.REQUEST_MODEL] = model
        if given.get("ls_provider"):
            attributes[genai.PROVIDER] = given["ls_provider"]
        name = f"chat {model}" if model else _name(serialized, more, "chat")
        self._begin(name, genai.LLM, attributes, more)

    @guarded
    def on_tool_start(self, serialized: Any, input_str: str, **more: Any) -> None:
        """Begin a tool call."""
        name = _name(serialized, more, "tool")
        attributes = {
            genai.OPERATION: "execute_tool",
            genai.TOOL_NAME: name,
            genai.TOOL_ARGUMENTS: more.get("inputs") or input_str,
        }
        self._begin(f"execute_tool {name}", genai.TOOL, attributes, more)

    @guarded
    def on_retriever_start(self, serialized: Any, query: str, **more: Any) -> None:  # noqa: ARG002  # LangChain's
        """Begin a retrieval."""
        attributes = {genai.OPERATION: "retrieval"}
        self._begin(_name(serialized, more, "retriever"), genai.RETRIEVAL, attributes, more)

    def _begin(
        self, name: str, kind: str, attributes: dict[str, Any], more: dict[str, Any]
    ) -> None:
        parent = more.get("parent_run_id")
        parent_id = str(parent) if parent is not None else None
        run_id = self._spans.run_of(parent_id)
        owns_run = False
        if run_id is None:
            run, around = current_run(), current_span()
            parent_id = around.span_id if around is not None else None
            owns_run = run is None
            run_id = self._client.start_run(name, kind, "langchain") if run is None else run.run_id
        self._spans.start(
            run_id,
            str(more["run_id"]),
            name,
            kind=kind,
            parent_id=parent_id,
            attributes=attributes,
            owns_run=owns_run,
        )

    @guarded
    def on_chain_end(self, outputs: Any, *, run_id: Any, **_: Any) -> None:  # noqa: ARG002  # LangChain's
        """End a step."""
        self._spans.end(str(run_id))

    @guarded
    def on_llm_end(self, response: Any, *, run_id: Any, **_: Any) -> None:
        """End a model call, with its usage."""
        self._spans.end(str(run_id), attributes=_answer(response))

    @guarded
    def on_tool_end(self, output: Any, *, run_id: Any, **_: Any) -> None:
        """End a tool call, with its result."""
        result = getattr(output, "content", output)
        self._spans.end(str(run_id), attributes={genai.TOOL_RESULT: result})

    @guarded
    def on_retriever_end(self, documents: Any, *, run_id: Any, **_: Any) -> None:
        """End a retrieval, with the number of documents."""
        self._spans.end(str(run_id), attributes={"documents": len(documents)})

    @guarded
    def on_chain_error(self, error: BaseException, *, run_id: Any, **_: Any) -> None:
        """End whatever it was with an error."""
        cancelled = status_of(error) == CANCELLED
        attributes = {genai.ERROR_TYPE: type(error).__qualname__}
        self._spans.end(
            str(run_id),
            summary_of(error),
            attributes=attributes,
            status=CANCELLED if cancelled else None,
        )

    on_llm_error = on_tool_error = on_retriever_error = on_chain_error


def callback_handler(client: Optional[TelemetryClient] = None) -> Any:
    """Return a handler for LangChain's `callbacks`; one serves all threads and tasks."""
    from langchain_core.callbacks import BaseCallbackHandler

    made = type("TelemetryCallbackHandler", (_Callbacks, BaseCallbackHandler), {})
    return made(client)


def _name(serialized: Any, more: dict[str, Any], otherwise: str) -> str:
    if more.get("name"):
        return str(more["name"])
    if isinstance(serialized, dict):
        parts = serialized.get("id") or [otherwise]
        return str(serialized.get("name") or parts[-1])
    return otherwise


def _answer(response: Any) -> dict[str, Any]:
    """Return what the answer of a model says of itself."""
    generations = getattr(response, "generations", None) or [[]]
    message = getattr(generations[0][0], "message", None) if generations[0] else None
    usage = getattr(message, "usage_metadata", None) or {}
    details = usage.get("input_token_details") or {}
    about = getattr(message, "response_metadata", None) or {}
    found = {
        # LangChain counts cached tokens as input, and so do the conventions.
        genai.INPUT_TOKENS: usage.get("input_tokens"),
        genai.OUTPUT_TOKENS: usage.get("output_tokens"),
        genai.CACHE_READ_TOKENS: details.get("cache_read"),
        genai.CACHE_WRITE_TOKENS: details.get("cache_creation"),
        genai.REASONING_TOKENS: (usage.get("output_token_details") or {}).get("reasoning"),
        genai.RESPONSE_MODEL: about.get("model_name"),
        genai.RESPONSE_ID: about.get("id") or getattr(message, "id", None),
    }
    return {name: value for name, value in found.items() if value is not None}
