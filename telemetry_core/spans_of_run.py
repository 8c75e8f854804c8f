"""Give runs and spans their methods to make spans.

Mixed into RunContext and Span.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cache
from typing import TYPE_CHECKING, Any, Callable, Optional

from telemetry_core import genai
from telemetry_core.block import LeavableBlock
from telemetry_core.guard import guarded_or

if TYPE_CHECKING:
    from telemetry_core.model_call import ModelCall, ToolCall
    from telemetry_core.recorder import Recorder
    from telemetry_core.run_context import RunContext
    from telemetry_core.spans import Span


@cache
def _new_span() -> Callable[..., Span]:
    # Imported here: an agent without spans pays nothing for them. Once, for even the statement
    # that finds it imported takes as long as half an event.
    from telemetry_core.spans import new_span

    return new_span


def _span_anyway(self: SpansOfRun, *given: Any, **_kwargs: Any) -> Span:
    return _new_span()(self, given[0] if given else "unknown", genai.STEP, None, {})


def _model_call_anyway(self: SpansOfRun, *given: Any, **_kwargs: Any) -> ModelCall:
    from telemetry_core.model_call import new_model_call

    return new_model_call(self, given[0] if given else "unknown", {}, genai.LLM, None)


def _tool_call_anyway(self: SpansOfRun, *given: Any, **_kwargs: Any) -> ToolCall:
    from telemetry_core.model_call import new_tool_call

    return new_tool_call(self, given[0] if given else "unknown", {}, None)


class SpansOfRun(LeavableBlock):
    """What a run and a span have in common: spans can be opened inside of them.

    A span's parent is the span around this code in the same run. Threads begin outside of any:
    there, make the span of its parent (`parent.span(...)`), or name it (`parent=`).
    """

    _recorder: Recorder

    @abstractmethod
    def span_home(self) -> tuple[RunContext, Optional[Span]]:
        """Return the run of a new span, and its parent where that is known whatever is around."""

    @guarded_or(_span_anyway)
    def span(
        self,
        name: str,
        /,
        kind: str = genai.STEP,
        parent: Optional[Span] = None,
        **attributes: Any,
    ) -> Span:
        """Return a span for `with`, `async with` or as a decorator; it starts when entered.

        `kind` is step, llm, embedding, tool, agent or retrieval. Anything else that is given is
        an attribute of the span.
        """
        operation = genai.OPERATIONS.get(kind)
        if operation is not None:
            attributes.setdefault(genai.OPERATION, operation)
        if kind == genai.AGENT:
            attributes.setdefault(genai.AGENT_NAME, name)
        return _new_span()(self, name, kind, parent, attributes)

    @guarded_or(_model_call_anyway)
    def llm_call(
        self,
        model: str,
        /,
        provider: Optional[str] = None,
        kind: str = genai.LLM,
        parent: Optional[Span] = None,
        **attributes: Any,
    ) -> ModelCall:
        """Return a span around one model call, with `usage`, `response` and `stream`.

        `kind="embedding"` is for calls of embedding models.
        """
        from telemetry_core.model_call import new_model_call

        if provider is not None:
            attributes[genai.PROVIDER] = provider
        return new_model_call(self, model, attributes, kind, parent)

    @guarded_or(_tool_call_anyway)
    def tool_call(
        self,
        name: str,
        /,
        arguments: Any = None,
        call_id: Optional[str] = None,
        parent: Optional[Span] = None,
        **attributes: Any,
    ) -> ToolCall:
        """Return a span around one tool call, with `result`.

        `call_id` is the id that the model gave the call.
        """
        from telemetry_core.model_call import new_tool_call

        if arguments is not None:
            attributes[genai.TOOL_ARGUMENTS] = arguments
        if call_id is not None:
            attributes[genai.TOOL_CALL_ID] = call_id
        return new_tool_call(self, name, attributes, parent)
