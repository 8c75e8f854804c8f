"""Measure what of this host's log waits to be shipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import orjson

from indexer.fleet.shipping.lines import unshipped
from indexer.fleet.shipping.state import ShippingState
from indexer.log.cursor import Cursor
from indexer.log.segments import list_segments
from indexer.system.base import Base


@dataclass(frozen=True)
class Waiting:
    """What is indexed and was not shipped, as far as this host knows."""

    lines: int
    bytes: int
    oldest: Optional[str]
    """The time of the first event in it; None if nothing waits."""


def waiting(base: Base, indexed: dict[str, Cursor], state: ShippingState) -> Waiting:
    """Return what waits. Raises OSError."""
    lines = size = 0
    times: list[str] = []
    segments = list_segments(base.log_directory)
    for part in unshipped(segments, indexed, state, lambda _: None):
        if part.block.length:
            lines += len(part.block.contents)
            size += part.block.length
            times.append(_time(part.block.contents[0]))
    return Waiting(lines, size, min(filter(None, times), default=None))


def _time(line: bytes) -> str:
    try:
        return str(orjson.loads(line)["time"])
    except (ValueError, LookupError, TypeError):
        return ""
