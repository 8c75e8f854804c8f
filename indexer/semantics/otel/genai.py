"""OpenTelemetry's GenAI conventions, in every generation of their names."""

from __future__ import annotations

from typing import Optional

from indexer.semantics.facts import AGENT, EMBEDDING, LLM, RETRIEVAL, STEP, TOOL
from indexer.semantics.otel.vocabulary import Attributes, Vocabulary
from indexer.semantics.values import text

_KINDS = {
    "chat": LLM,
    "text_completion": LLM,
    "generate_content": LLM,
    "completion": LLM,
    "llm_call": LLM,
    "embeddings": EMBEDDING,
    "execute_tool": TOOL,
    "tool_call": TOOL,
    "invoke_agent": AGENT,
    "create_agent": AGENT,
    "agent_call": AGENT,
    "retrieval": RETRIEVAL,
}


def _kind(attributes: Attributes) -> Optional[str]:
    operation = text(attributes.get("gen_ai.operation.name"))
    return None if operation is None else _KINDS.get(operation, STEP)


GENAI = Vocabulary(
    "genai",
    _kind,
    model=("gen_ai.response.model", "gen_ai.request.model"),
    provider=("gen_ai.provider.name", "gen_ai.system"),
    input=("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    cache_read=(
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
    ),
    cache_write=(
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
    ),
    output=("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    reasoning=("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
    # LiteLLM and Pydantic AI write the costs under names of their own.
    cost=("gen_ai.usage.cost", "gen_ai.cost.total_cost", "operation.cost"),
    tool_name=("gen_ai.tool.name",),
    tool_call=("gen_ai.tool.call.id", "gen_ai.tool.call_id"),
    agent_name=("gen_ai.agent.name",),
    conversation=("gen_ai.conversation.id",),
    time_to_first_token=(
        "gen_ai.response.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
    ),
)
