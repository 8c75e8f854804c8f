"""Names of attributes by OpenTelemetry's conventions for generative AI.

Used by spans. docs/format.md says which call writes which.
"""

from __future__ import annotations

OPERATION = "gen_ai.operation.name"
REQUEST_MODEL = "gen_ai.request.model"
PROVIDER = "gen_ai.provider.name"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
"""Seconds."""

INPUT_TOKENS = "gen_ai.usage.input_tokens"
"""All input, what was read from or written to a cache included."""
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
"""All output, reasoning included."""
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
COST = "gen_ai.usage.cost"
"""US dollars, as the source reports it."""

AGENT_NAME = "gen_ai.agent.name"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"

ERROR_TYPE = "error.type"

LLM = "llm"
EMBEDDING = "embedding"
TOOL = "tool"
AGENT = "agent"
RETRIEVAL = "retrieval"
STEP = "step"

OPERATIONS = {
    LLM: "chat",
    EMBEDDING: "embeddings",
    TOOL: "execute_tool",
    AGENT: "invoke_agent",
    RETRIEVAL: "retrieval",
}
"""The operation of each kind of span that has one."""
