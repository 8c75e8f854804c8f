"""Turn a block's lines into rows of `run_events`, and into faults where they are not events.

The decoder defines what a line means; the events that a log mostly consists of take shorter ways
to the same rows: the extension in C, where it is used, knows all that our own writer writes.
"""

from __future__ import annotations

from typing import Any, Optional

import orjson

from indexer.log.decode import TOO_LONG, Ordinals, decode
from indexer.log.lines import Block
from indexer.store.events.codec import EventRow, row_of_event
from indexer.store.quarantine import Fault
from telemetry_core.degrade import MAX_DEPTH
from telemetry_core.event import RUN_EVENT
from telemetry_core.line import BadLine
from telemetry_core.speed import usual_rows_in_c
from telemetry_core.timestamp import is_canonical

_NAMES = 7
"""Of an event without extensions, its data included."""
_usual_rows = usual_rows_in_c()


def decode_block(block: Block, file: int, ordinals: Ordinals) -> tuple[list[EventRow], list[Fault]]:
    """Return the events of a block as rows, and the lines that are not events.

    `file` is the number of the block's segment, `ordinals` its count of earlier lines.
    """
    if block.too_long:
        return [], [Fault(block.offset, block.length, TOO_LONG, block.contents[0])]
    if _usual_rows is None:
        return _decode_block(block, file, ordinals)
    rows, odd = _usual_rows(block.contents, file, block.offset, orjson.loads, orjson.dumps)
    faults: list[Fault] = []
    for at, offset in odd:
        content = block.contents[at]
        rows[at], fault = _own_event(content, file, offset, len(content) + 1), None
        if rows[at] is None:
            rows[at], fault = _decoded(content, file, offset, ordinals)
        faults += [fault] if fault is not None else []
    # A blank line is neither an event nor a fault.
    return [row for row in rows if row is not None], faults


def _decode_block(
    block: Block, file: int, ordinals: Ordinals
) -> tuple[list[EventRow], list[Fault]]:
    """Do the same in Python alone, where the extension is not used."""
    rows: list[EventRow] = []
    faults: list[Fault] = []
    offset = block.offset
    for content in block.contents:
        length = len(content) + 1
        row, fault = _own_event(content, file, offset, length), None
        if row is None:
            row, fault = _decoded(content, file, offset, ordinals)
        if row is not None:
            rows.append(row)
        elif fault is not None:
            faults.append(fault)
        offset += length
    return rows, faults


def _decoded(
    content: bytes, file: int, offset: int, ordinals: Ordinals
) -> tuple[Optional[EventRow], Optional[Fault]]:
    """Return what the decoder makes of a line: a row, a fault, or neither if it is blank."""
    length = len(content) + 1
    try:
        event = decode(content, ordinals)
    except BadLine as error:
        return None, Fault(offset, length, str(error), content)
    return (None if event is None else row_of_event(event, file, offset, length)), None


def _own_event(content: bytes, file: int, offset: int, length: int) -> Optional[EventRow]:
    """Return the row of a plain `run.event`; None for anything else.

    It is the row that `row_of_event` makes of what `decode` returns, in half the time. Nine of ten
    lines are such events.
    """
    try:
        event: dict[str, Any] = orjson.loads(content)
        data = event["data"]
        run_id, event_id = event["subject"], event["id"]
        source, time = event["source"], event["time"]
        event_type, payload = data["event_type"], data["payload"]
        is_usual = (
            event["type"] == RUN_EVENT
            and event["specversion"] == "1.0"
            and len(event) == _NAMES
            and len(data) == 2  # the two that were just asked for
        )
    except (ValueError, TypeError, LookupError):
        return None
    # What is not text, or empty, or nests deep, is for the decoder to judge.
    for name in (run_id, event_id, source, time, event_type):
        if type(name) is not str or not name:
            return None
    nests_deep = content.count(b"{") + content.count(b"[") > MAX_DEPTH
    if not is_usual or nests_deep or not is_canonical(time):
        return None
    text = None if payload is None else orjson.dumps(payload).decode()
    return (run_id, event_id, event_type, time, RUN_EVENT, source, text, None, file, offset, length)
