"""Make the centre's events and rows again from the lines that it has, with the fold of every host.

After a better decoder, translator or price, by one host for all. Hosts may ship meanwhile: of two
rows of a run the one that was made of more events stays.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Callable

from indexer.fleet.schema.layout import in_list, text
from indexer.fleet.schema.tables import EVENT_ROWS, EVENTS, LOG_LINES
from indexer.fleet.shipping.batch import Batch
from indexer.fleet.shipping.content import Withholding
from indexer.fleet.shipping.question import ask_about_runs
from indexer.fleet.shipping.runs import RunShipping
from indexer.fleet.shipping.segment_id import SegmentId
from indexer.fleet.wire.client import FleetClient
from indexer.log.decode import Ordinals
from indexer.log.lines import Block
from indexer.system.base import Base

_LINES_AT_ONCE = 5_000
_RUNS_AT_ONCE = 500

# Whatever is in the centre may be there: nothing more is left out of it.
_ALL = Withholding(ships_content=True)


@dataclass
class Rebuilt:
    """What was made again. The fields are the keys of `--json`."""

    lines: int = 0
    """Lines that were decoded again."""
    withheld: int = 0
    """Lines that were shipped without their content: their events stay as they are."""
    runs: int = 0


Progress = Callable[[Rebuilt], None]


def rebuild(base: Base, client: FleetClient, node: str, on_progress: Progress) -> Rebuilt:
    """Decode all lines, fold all runs, and insert the rows. Raises FleetError or OSError."""
    done = Rebuilt()
    _, found = client.select(
        f"SELECT node, segment, any(name) FROM {LOG_LINES} GROUP BY node, segment"
        " ORDER BY node, segment"
    )
    for owner, number, name in found:
        _decode(client, owner, SegmentId(int(number), name), done, on_progress)
    shipping = RunShipping(base, client, node, _ALL)
    for run_ids in _runs(client):
        known = {
            run_id: one for run_id, one in ask_about_runs(client, run_ids).items() if one.events
        }
        shipping.fold_and_ship(known, _days(client, run_ids))
        done.runs += len(known)
        on_progress(done)
    return done


def _decode(
    client: FleetClient, node: str, segment: SegmentId, done: Rebuilt, on_progress: Progress
) -> None:
    """Insert the events of the lines of one segment, from its first."""
    # Lines are asked for from the first, so that nothing comes before what is decoded.
    ordinals = Ordinals(lambda: ())
    for lines in _lines(client, node, segment.number):
        batch = Batch(lambda: node, _ALL)
        for offset, length, content in lines:
            is_withheld = not content and length > 1
            done.withheld += is_withheld
            done.lines += not is_withheld
            if not is_withheld:
                is_cut = length != len(content) + 1
                batch.add(segment, Block(offset, [content], offset + length, is_cut), ordinals)
        client.insert_columns(EVENTS, batch.events)
        on_progress(done)


def _lines(client: FleetClient, node: str, segment: int) -> Iterator[list[tuple[int, int, bytes]]]:
    """Yield the lines of a segment in order, some at a time."""
    after: Any = (-1, 0)
    while True:
        _, rows = client.select(
            # In base64: a line may be no text.
            f"SELECT offset, length, crc, base64Encode(line) FROM {LOG_LINES} FINAL"
            f" WHERE node = {text(node)} AND segment = {segment}"
            f" AND (toInt64(offset), crc) > ({after[0]}, {after[1]})"
            f" ORDER BY offset, crc LIMIT {_LINES_AT_ONCE}"
        )
        if not rows:
            return
        after = (int(rows[-1][0]), int(rows[-1][2]))
        yield [(int(row[0]), int(row[1]), b64decode(row[3])) for row in rows]


def _runs(client: FleetClient) -> Iterator[list[str]]:
    last = ""
    while True:
        _, rows = client.select(
            f"SELECT DISTINCT run_id FROM {EVENT_ROWS} WHERE run_id > {text(last)}"
            f" ORDER BY run_id LIMIT {_RUNS_AT_ONCE}"
        )
        if not rows:
            return
        last = rows[-1][0]
        yield [row[0] for row in rows]


def _days(client: FleetClient, run_ids: list[str]) -> dict[str, date]:
    _, rows = client.select(
        f"SELECT run_id, max(day) FROM {EVENT_ROWS} WHERE run_id IN ({in_list(run_ids)})"
        " GROUP BY run_id"
    )
    return {row[0]: date.fromisoformat(row[1]) for row in rows}
