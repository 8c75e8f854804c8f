"""Sum up rows on both sides in one way: the server in SQL, this host in Python.

A sum of check sums depends neither on the order of rows nor on how often they were asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple
from zlib import crc32

from indexer.fleet.wire.native import Row

_EVENT = (
    "event_id, content, event_type, timestamp, type, source, ifNull(payload_json, ''),"
    " ifNull(extra_json, '')"
)
EVENT_SUM = f"CRC32(concatWithSeparator('\\n', {_EVENT}))"
"""The check sum of a row of the centre's events."""
SPAN_SUM = (
    "CRC32(concatWithSeparator('\\n', span_id, toString(leaf), claim,"
    " arrayStringConcat(arraySort(calls), ','), row))"
)
METRIC_SUM = (
    "CRC32(concatWithSeparator('\\n', name, time, event_id, toString(reinterpretAsUInt64(value)),"
    " if(step IS NULL, '', toString(reinterpretAsUInt64(assumeNotNull(step))))))"
)


class Sum(NamedTuple):
    """How many rows there are, and the sum of their check sums."""

    rows: int
    total: int


NOTHING = Sum(0, 0)


def event_sum(row: Row) -> int:
    """Return the check sum of an event as it is shipped."""
    _, event_id, content, _, event_type, timestamp, kind, source, payload, extra = row[:10]
    return _sum(event_id, content, event_type, timestamp, kind, source, payload or "", extra or "")


def sum_of_spans(rows: Iterable[Row]) -> dict[str, Sum]:
    """Return the sums of spans as they are shipped, by run."""
    sums: dict[str, Sum] = {}
    for run_id, span_id, _, _, _, _, leaf, claim, calls, row in rows:
        one = _sum(span_id, str(leaf), claim, ",".join(sorted(calls)), row)
        _add(sums, run_id, one)
    return sums


def sum_of_metrics(rows: Iterable[Row]) -> dict[str, Sum]:
    """Return the sums of values of metrics as they are shipped, by run."""
    sums: dict[str, Sum] = {}
    for run_id, name, time, event_id, _, _, _, _, step, value in rows:
        one = _sum(name, time, event_id, _bits(value), "" if step is None else _bits(step))
        _add(sums, run_id, one)
    return sums


def _add(sums: dict[str, Sum], run_id: str, one: int) -> None:
    known = sums.get(run_id, NOTHING)
    sums[run_id] = Sum(known.rows + 1, known.total + one)


def _sum(*texts: str) -> int:
    return crc32("\n".join(texts).encode("utf-8", "surrogatepass"))


def _bits(value: Any) -> str:
    return str(struct.unpack("<Q", struct.pack("<d", value))[0])
