"""Read the attributes of Arize's OpenInference instrumentations."""

from __future__ import annotations

from typing import Optional

from indexer.semantics.facts import AGENT, EMBEDDING, LLM, RETRIEVAL, STEP, TOOL
from indexer.semantics.otel.vocabulary import Attributes, Vocabulary
from indexer.semantics.values import text

_KINDS = {
    "LLM": LLM,
    "EMBEDDING": EMBEDDING,
    "TOOL": TOOL,
    "AGENT": AGENT,
    "RETRIEVER": RETRIEVAL,
    "RERANKER": RETRIEVAL,
}
_TOKENS = "llm.token_count"


def _kind(attributes: Attributes) -> Optional[str]:
    kind = text(attributes.get("openinference.span.kind"))
    return None if kind is None else _KINDS.get(kind.upper(), STEP)


OPENINFERENCE = Vocabulary(
    "openinference",
    _kind,
    model=("llm.model_name", "embedding.model_name"),
    provider=("llm.provider", "llm.system"),
    input=(f"{_TOKENS}.prompt",),
    cache_read=(f"{_TOKENS}.prompt_details.cache_read",),
    cache_write=(f"{_TOKENS}.prompt_details.cache_write",),
    output=(f"{_TOKENS}.completion",),
    reasoning=(f"{_TOKENS}.completion_details.reasoning",),
    cost=("llm.cost.total",),
    tool_name=("tool.name",),
    tool_call=("tool_call.id",),
    agent_name=("agent.name",),
    conversation=("session.id",),
)
