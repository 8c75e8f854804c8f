"""Define what a translator says of spans, of the usage of model calls and of runs.

All that the translators and the fold share. It holds data only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

LLM = "llm"
EMBEDDING = "embedding"
TOOL = "tool"
AGENT = "agent"
RETRIEVAL = "retrieval"
STEP = "step"
KINDS = (LLM, EMBEDDING, TOOL, AGENT, RETRIEVAL, STEP)

OK = "ok"
ERROR = "error"

# Which signal says where a span stands and when: a span before a session's line before a log.
FROM_SPAN, FROM_LINE, FROM_LOG = 0, 1, 2


class Usage(NamedTuple):
    """The tokens of one model call in exclusive buckets; None where the source does not say."""

    input_tokens: Optional[int] = None
    """Neither read from a cache nor written to one."""
    cache_read_tokens: Optional[int] = None
    cache_write_tokens: Optional[int] = None
    output_tokens: Optional[int] = None
    """Reasoning included."""
    reasoning_tokens: Optional[int] = None
    """For information: part of the output."""
    cache_write_1h_tokens: Optional[int] = None
    """For its price: the part of what was written to a cache that is kept for an hour."""

    @property
    def is_known(self) -> bool:
        """Whether the source gave any count that is billed."""
        return any(one is not None for one in self[:4])

    @property
    def is_zero(self) -> bool:
        """Whether all that was billed is nothing: no call, where tools write such lines."""
        return not any(self[:4])


NO_USAGE = Usage()


def usage_of_inclusive(
    total_input: Optional[int],
    cache_read: Optional[int],
    cache_write: Optional[int],
    output: Optional[int],
    reasoning: Optional[int],
) -> Usage:
    """Return usage where the source counts cached tokens as input as well.

    Where they exceed the input, the source meant exclusive input, and it is taken as it is.
    """
    cached = (cache_read or 0) + (cache_write or 0)
    if total_input is not None and cached <= total_input:
        total_input -= cached
    return Usage(total_input, cache_read, cache_write, output, reasoning)


@dataclass(frozen=True)
class SpanFacts:
    """What one record says of one span. Facts that share an identity are of the same span."""

    identities: tuple[str, ...]
    """What names the span within its run, the best name first: `span:...`, `call:...`."""
    signal: int
    vocabulary: str
    span_id: str
    """The id if no better signal gives one."""
    parent_span_id: Optional[str] = None
    name: Optional[str] = None
    kind: Optional[str] = None
    status: Optional[str] = None
    """`ok` or `error`; None while the span has not ended."""
    start_time: Optional[str] = None
    end_time: Optional[str] = None
    duration_ms: Optional[float] = None
    model: Optional[str] = None
    provider: Optional[str] = None
    tool_name: Optional[str] = None
    error: Optional[str] = None
    time_to_first_token_ms: Optional[float] = None
    usage: Usage = NO_USAGE
    cost_reported_usd: Optional[float] = None
    calls: tuple[str, ...] = ()
    """The names of a model or tool call that other runs may claim as well."""
    is_inherited: bool = False
    """Whether the record says of itself that it is a copy of another session's."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    start_event: Optional[str] = None
    """Time and id of the native event that it began with."""
    end_event: Optional[str] = None


@dataclass(frozen=True)
class RunFacts:
    """What the records of a run say of the run itself, where no `run.started` does."""

    agent_name: Optional[str] = None
    job_type: Optional[str] = None
    status: Optional[str] = None
    start_time: Optional[str] = None
    end_time: Optional[str] = None
    error_summary: Optional[str] = None
    host: Optional[str] = None
    git_branch: Optional[str] = None
    parent_run_id: Optional[str] = None
    context: Mapping[str, Any] = field(default_factory=dict)
    claim: str = ""
    """How strong the run's claim is on calls that others claim too: the smaller, the stronger."""


class Translation(NamedTuple):
    """What the records of one run come to, as one vocabulary understands them."""

    run: RunFacts
    spans: list[SpanFacts]
