"""Derive the model calls of a Codex thread that only has running sums.

`token_count` comes again with new rate limits and the same sums, starts again after the context
overflowed, and old clients give no usage of the last call at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from indexer.semantics.values import count, mapping

_COUNTS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)

_Counts = tuple[int, ...]


class TokenTotals:
    """The sums of one thread so far, in the order of its lines."""

    def __init__(self) -> None:
        self._seen: set[_Counts] = set()
        self._base: _Counts = (0,) * len(_COUNTS)

    def next_call(self, info: Mapping[str, Any]) -> Optional[dict[str, int]]:
        """Return the counts of the call that `info` is of; None if it is of no new one."""
        total, last = info.get("total_token_usage"), info.get("last_token_usage")
        if not isinstance(total, dict):
            return _named(_counts(last)) if isinstance(last, dict) else None
        sums = _counts(total)
        if sums in self._seen:
            return None
        base, self._base = self._base, sums
        if not any(sums):
            # The context overflowed, and the sums begin again.
            return None
        self._seen.add(sums)
        counts = _counts(last) if isinstance(last, dict) else _difference(sums, base)
        return _named(counts) if any(counts) else None


def _counts(usage: Any) -> _Counts:
    return tuple(count(mapping(usage).get(name)) or 0 for name in _COUNTS)


def _difference(sums: _Counts, base: _Counts) -> _Counts:
    """A fall of any sum means that they began again."""
    if any(now < before for now, before in zip(sums, base)):
        return sums
    return tuple(now - before for now, before in zip(sums, base))


def _named(counts: _Counts) -> dict[str, int]:
    return dict(zip(_COUNTS, counts))
