"""Compare each segment of the log with the lines that the centre has of it.

By number, end and summed check sum of the lines: neither side sends a line to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple, Optional
from zlib import crc32

from indexer.fleet.checking.finding import DIFFERS, NOT_SHIPPED, Findings
from indexer.fleet.schema.layout import text
from indexer.fleet.schema.tables import LOG_LINES
from indexer.fleet.shipping.lines import segment_number
from indexer.fleet.wire.client import FleetClient
from indexer.log.lines import Line, read_lines
from indexer.log.segments import Segment
from indexer.log.streams import StreamBroken, StreamUnfinished, StreamUnsupported, open_stream


class Lines(NamedTuple):
    """What some lines of one segment amount to."""

    lines: int = 0
    end: int = 0
    total: int = 0
    """The sum of their check sums."""
    altered: int = 0
    """Of the centre's: how many are no longer what their check sum says."""


def compare_segments(
    client: FleetClient, node: Optional[str], segments: Iterable[Segment], findings: Findings
) -> None:
    """Compare segments with what the centre has of a node. Raises FleetError."""
    there = {} if node is None else _of_node(client, node)
    comparison = _Comparison(client, node or "", findings)
    by_number: dict[int, list[Segment]] = {}
    for segment in segments:
        try:
            number = segment_number(segment)
        except (OSError, StreamUnsupported, StreamBroken, StreamUnfinished):
            findings.not_compared += 1
            continue
        if number is not None:
            by_number.setdefault(number, []).append(segment)
    for number, copies in by_number.items():
        comparison.compare(number, copies, there.get(number, Lines()))


def _of_node(client: FleetClient, node: str) -> dict[int, Lines]:
    _, rows = client.select(
        "SELECT segment, count(), max(offset + length), sum(crc),"
        # What is longer than a line may be is there with its beginning only.
        " countIf(line <> '' AND CRC32(line) <> crc)"
        f" FROM {LOG_LINES} FINAL WHERE node = {text(node)} GROUP BY segment"
    )
    return {int(row[0]): Lines(*map(int, row[1:])) for row in rows}


class _Comparison:
    """Compares one segment after the other."""

    def __init__(self, client: FleetClient, node: str, findings: Findings) -> None:
        self._client = client
        self._node = node
        self._findings = findings

    def compare(self, number: int, copies: list[Segment], there: Lines) -> None:
        """Compare a segment; it may be here under several names."""
        findings = self._findings
        here = before = Lines()
        try:
            for line in _lines(copies):
                end = max(here.end, line.end)
                here = Lines(here.lines + 1, end, here.total + crc32(line.content))
                if here.end == there.end:
                    before = here
        except (OSError, StreamUnsupported, StreamBroken, StreamUnfinished):
            findings.not_compared += 1
            return
        findings.segments += 1
        findings.lines += here.lines
        what = f"segment {copies[0].name}"
        if there.altered:
            altered = f"{there.altered} lines are not what their check sums say"
            findings.add(DIFFERS, what, altered)
        elif here != there and before == there:
            missing = f"{here.lines - there.lines} of {here.lines} lines are not there"
            findings.add(NOT_SHIPPED, what, missing)
        elif here != there and not self._has_all(number, copies, here, there):
            findings.add(DIFFERS, what, f"here {_words(here)}, in the centre {_words(there)}")

    def _has_all(self, number: int, copies: list[Segment], here: Lines, there: Lines) -> bool:
        """Whether the centre has each line of ours, and others that this host has lost.

        That is so after a restore from a backup: the centre keeps what was shipped before.
        """
        if there.lines <= here.lines:
            return False
        _, rows = self._client.select(
            f"SELECT offset, crc FROM {LOG_LINES} FINAL"
            f" WHERE node = {text(self._node)} AND segment = {number}"
        )
        known = {(int(row[0]), int(row[1])) for row in rows}
        has_all = all((line.offset, crc32(line.content)) in known for line in _lines(copies))
        if has_all:
            self._findings.only_there += there.lines - here.lines
        return has_all


def _lines(copies: list[Segment]) -> Iterator[Line]:
    """Yield the lines of a segment; of copies that go by several names, each line once."""
    seen: set[tuple[int, int]] = set()
    for segment in copies:
        with closing(open_stream(segment.path)) as stream:
            for line in read_lines(stream, 0):
                if len(copies) > 1:
                    key = (line.offset, crc32(line.content))
                    if key in seen:
                        continue
                    seen.add(key)
                yield line


def _words(lines: Lines) -> str:
    return f"{lines.lines} lines that end at byte {lines.end}, sum {lines.total}"
