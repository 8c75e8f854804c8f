"""Record model calls and tool calls as spans that know what such calls have.

Made by `run.llm_call` and `run.tool_call`. Attributes are named by OpenTelemetry's conventions
for generative AI.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Optional

from telemetry_core import genai
from telemetry_core.given_fields import plain_text
from telemetry_core.guard import guarded
from telemetry_core.spans import Span, new_span

if TYPE_CHECKING:
    from telemetry_core.run_context import RunContext
    from telemetry_core.spans_of_run import SpansOfRun

_CACHED = (genai.CACHE_READ_TOKENS, genai.CACHE_WRITE_TOKENS)


class ModelCall(Span):
    """A span around one call of a model: with usage, the response, and the first token's time."""

    def __init__(
        self,
        run: RunContext,
        name: str,
        kind: str,
        parent: Optional[Span],
        attributes: dict[str, Any],
    ) -> None:
        super().__init__(run, name, kind, parent, attributes)
        self._usage: dict[str, Any] = {}

    @guarded
    def usage(
        self,
        *,
        input_tokens: Optional[int] = None,
        output_tokens: Optional[int] = None,
        cache_read_tokens: Optional[int] = None,
        cache_write_tokens: Optional[int] = None,
        reasoning_tokens: Optional[int] = None,
        cost_usd: Optional[float] = None,
        **more: Any,
    ) -> None:
        """Set the usage of the call, in exclusive buckets; a later call replaces what it names.

        `input_tokens` are those neither read from a cache nor written to one: where the provider
        counts cached tokens as input, as OpenAI does, take them off. `output_tokens` include
        `reasoning_tokens`. `cost_usd` is what the provider says. Other names become attributes.
        """
        given = {
            "input": input_tokens,
            genai.OUTPUT_TOKENS: output_tokens,
            genai.CACHE_READ_TOKENS: cache_read_tokens,
            genai.CACHE_WRITE_TOKENS: cache_write_tokens,
            genai.REASONING_TOKENS: reasoning_tokens,
            genai.COST: cost_usd,
        }
        self._usage.update((name, value) for name, value in given.items() if value is not None)
        if more:
            self.set(more)

    @guarded
    def response(
        self,
        *,
        model: Optional[str] = None,
        id: Optional[str] = None,  # noqa: A002  # the conventions call it so
        finish_reasons: Optional[Iterable[str]] = None,
        **more: Any,
    ) -> None:
        """Set what the provider answered: the model it used, its id, why it stopped."""
        given = {
            genai.RESPONSE_MODEL: model,
            genai.RESPONSE_ID: id,
            genai.FINISH_REASONS: finish_reasons,
            **more,
        }
        self.set({name: value for name, value in given.items() if value is not None})

    @guarded
    def first_token(self) -> None:
        """Note that the first token has come; only the first call counts."""
        if self._started is not None and genai.TIME_TO_FIRST_CHUNK not in self._more:
            seconds = max(0.0, time.perf_counter() - self._started)
            self._more[genai.TIME_TO_FIRST_CHUNK] = round(seconds, 6)

    def stream(self, chunks: Any) -> Any:
        """Return the items of a stream as they come, noting when the first one came.

        An asynchronous stream gives an asynchronous iterator. What the stream raises passes.
        """
        if hasattr(chunks, "__aiter__"):
            return self._stream_async(chunks)
        return self._stream(chunks)

    def _stream(self, chunks: Iterable[Any]) -> Iterator[Any]:
        for chunk in chunks:
            self.first_token()
            yield chunk

    async def _stream_async(self, chunks: Any) -> AsyncIterator[Any]:
        async for chunk in chunks:
            self.first_token()
            yield chunk

    def _final_attributes(self) -> dict[str, Any]:
        usage = dict(self._usage)
        fresh = usage.pop("input", None)
        if fresh is not None:
            # The conventions count cached tokens as input; ours are exclusive buckets.
            cached = (usage.get(name, 0) for name in _CACHED)
            usage[genai.INPUT_TOKENS] = _sum(fresh, *cached)
        return {**self._more, **usage}


class ToolCall(Span):
    """A span around one call of a tool."""

    @guarded
    def result(self, value: Any) -> None:
        """Set what the tool gave."""
        self._more[genai.TOOL_RESULT] = value


def _sum(first: Any, *others: Any) -> Any:
    """Return the sum of counts; what is no number is left out, and alone it stays what it is."""
    numbers = [value for value in (first, *others) if isinstance(value, (int, float))]
    return sum(numbers) if isinstance(first, (int, float)) else first


def new_model_call(
    maker: SpansOfRun, model: Any, attributes: dict[str, Any], kind: str, parent: Any
) -> ModelCall:
    """Return a span of a model call that is not started yet."""
    operation = attributes.setdefault(genai.OPERATION, genai.OPERATIONS.get(kind, "chat"))
    attributes[genai.REQUEST_MODEL] = plain_text(model)
    name = f"{plain_text(operation)} {plain_text(model)}"
    return new_span(maker, name, kind, parent, attributes, ModelCall)


def new_tool_call(
    maker: SpansOfRun, name: Any, attributes: dict[str, Any], parent: Any
) -> ToolCall:
    """Return a span of a tool call that is not started yet."""
    attributes[genai.OPERATION] = genai.OPERATIONS[genai.TOOL]
    attributes[genai.TOOL_NAME] = plain_text(name)
    title = f"execute_tool {plain_text(name)}"
    return new_span(maker, title, genai.TOOL, parent, attributes, ToolCall)
