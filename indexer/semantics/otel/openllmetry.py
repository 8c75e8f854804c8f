"""OpenLLMetry: Traceloop's attributes, and what it wrote before it took up GenAI's names."""

from __future__ import annotations

from typing import Optional

from indexer.semantics.facts import AGENT, LLM, STEP, TOOL
from indexer.semantics.otel.vocabulary import Attributes, Vocabulary
from indexer.semantics.values import count, text

_KINDS = {
    "tool": TOOL,
    "agent": AGENT,
    "workflow": STEP,
    "task": STEP,
    "handoff": STEP,
    "session": STEP,
}
_INPUT = ("llm.usage.prompt_tokens",)
_OUTPUT = ("llm.usage.completion_tokens",)
# The names of GenAI that it used along with its own `llm.request.type`.
_USAGE = (
    *_INPUT,
    *_OUTPUT,
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
)


def _kind(attributes: Attributes) -> Optional[str]:
    kind = text(attributes.get("traceloop.span.kind"))
    if kind is not None:
        return _KINDS.get(kind, STEP)
    is_call = attributes.get("llm.request.type") in ("chat", "completion")
    has_usage = any(count(attributes.get(name)) is not None for name in _USAGE)
    return LLM if is_call and has_usage else None


OPENLLMETRY = Vocabulary(
    "openllmetry",
    _kind,
    # LangChain's callback handler knows the model where request and response have `unknown`.
    model=("traceloop.association.properties.ls_model_name",),
    input=_INPUT,
    output=_OUTPUT,
    tool_name=("traceloop.entity.name",),
)
