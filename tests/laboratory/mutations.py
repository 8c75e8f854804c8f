"""Mutations: files of the log broken in any way, read and decoded; the decoder's own promises.

Whatever the bytes: nothing is raised, every byte belongs to a line or to the rest, what comes
out can be stored, and a line that was left alone means what it meant before.
"""

from __future__ import annotations

import io
import random
from typing import Callable

from indexer.ingest.fold import fold
from indexer.ingest.parse import decode_block
from indexer.log.decode import Entry, Ordinals, decode_lines
from indexer.log.lines import Block, Line, read_blocks, read_lines
from indexer.store.events.codec import StoredEvent, event_of_row, row_of_event
from telemetry_core.event import Event
from tests.laboratory.corpora import CORPORA
from tests.laboratory.experiment import Bench
from tests.support.oracle import Violation

_PIECES = (
    b"\n",
    b"\r\n",
    b"\x00" * 8,
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\\ud800",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"NaN",
    b"1e999",
    b"-",
    b"9" * 40,
    b"[" * 2_000,
    b'{"":' * 500,
    b'"record_type":"event",',
    b'"specversion":"2.0",',
    b'"id":"","id":"x"',
    b"\\",
)


def run(bench: Bench, files: int, flips: int = 1) -> dict[str, int]:
    """Decode so many mutated files, and each byte flipped in so many ways; return what was done."""
    chance = bench.chance()
    wholes = [make() for make in CORPORA.values()]
    meanings = [_meanings(whole) for whole in wholes]
    figures = {"files": 0, "flips": 0, "lines": 0}
    for whole, meaning in zip(wholes, meanings):
        # All of it once; from here on only what is not as it was.
        figures["lines"] += _judge(whole, {}, chance)
        for place in range(len(whole)):
            for bit in chance.sample(range(8), flips):
                flipped = bytearray(whole)
                flipped[place] ^= 1 << bit
                figures["lines"] += _judge(bytes(flipped), meaning, chance)
                figures["flips"] += 1
        bench.on_progress(len(whole) * flips)
    for _ in range(files):
        which = chance.randrange(len(wholes))
        data = wholes[which]
        for _ in range(chance.choice((1, 1, 2, 5))):
            data = chance.choice(_MUTATIONS)(data, chance)
        figures["lines"] += _judge(data, meanings[which], chance)
        figures["files"] += 1
        bench.on_progress(1)
    return figures


def _flip(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) or 1)
    return data[:place] + bytes([chance.randrange(256)]) + data[place + 1 :]


def _insert(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data) + 1)
    return data[:place] + chance.choice(_PIECES) + data[place:]


def _delete(data: bytes, chance: random.Random) -> bytes:
    start, end = _stretch(data, chance)
    return data[:start] + data[end:]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    start, end = _stretch(data, chance)
    return data[:end] + data[start:]


def _move(data: bytes, chance: random.Random) -> bytes:
    start, end = _stretch(data, chance)
    place = chance.randrange(len(data) + 1)
    return data[:place] + data[start:end] + data[place:]


def _blank(data: bytes, chance: random.Random) -> bytes:
    start, end = _stretch(data, chance)
    return data[:start] + bytes(end - start) + data[end:]


def _splice(data: bytes, chance: random.Random) -> bytes:
    other = chance.choice(list(CORPORA.values()))()
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other)) :]


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _insert,
    _delete,
    _repeat,
    _move,
    _blank,
    _splice,
)


def _stretch(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((1, 3, 30, 300)))


def _meanings(whole: bytes) -> dict[bytes, Event]:
    """What each line of a sound file says; lines of the earlier format mean what their place is."""
    entries = _decode(list(read_lines(io.BytesIO(whole), 0)))
    return {
        e.line.content: e.event for e in entries if e.event and b"record_type" not in e.line.content
    }


def _decode(lines: list[Line]) -> list[Entry]:
    return list(decode_lines(lines, Ordinals(lambda: ())))


def _judge(data: bytes, meanings: dict[bytes, Event], chance: random.Random) -> int:
    """Demand all of it for one file; return how many lines it has."""
    try:
        chunk = chance.choice((64, 1000, 65536))
        blocks = list(read_blocks(io.BytesIO(data), 0, chunk_bytes=chunk))
        lines = [line for block in blocks for line in block.lines()]
        _judge_lines(data, lines)
        entries = _decode(lines)
        for entry in entries:
            _judge_entry(entry, meanings)
        _judge_rows(blocks, entries)
    except Exception as error:
        raise Violation(f"{error!r} for the file {data!r}") from error
    return len(lines)


def _judge_lines(data: bytes, lines: list[Line]) -> None:
    whole = data[: data.rfind(b"\n") + 1]
    if b"".join(line.content + b"\n" for line in lines) != whole:
        raise Violation("the lines are not the bytes of the file")
    if lines and [line.end for line in lines[:-1]] != [line.offset for line in lines[1:]]:
        raise Violation("a line does not begin where the one before it ends")


def _judge_rows(blocks: list[Block], entries: list[Entry]) -> None:
    ordinals = Ordinals(lambda: ())
    decoded = [decode_block(block, 1, ordinals) for block in blocks]
    rows = [row for some, _ in decoded for row in some]
    faults = [(fault.offset, fault.reason) for _, some in decoded for fault in some]
    if rows != [row_of_event(e.event, 1, e.line.offset, e.line.length) for e in entries if e.event]:
        raise Violation("a block's rows are not what its lines say one by one")
    if faults != [(e.line.offset, e.fault) for e in entries if e.fault is not None]:
        raise Violation("a block's faults are not those of its lines one by one")


def _judge_entry(entry: Entry, meanings: dict[bytes, Event]) -> None:
    meaning = meanings.get(entry.line.content)
    if meaning is not None:
        if entry.event != meaning:
            raise Violation("a line that was left alone has another meaning")
        return
    if entry.event is None:
        if entry.fault is None and entry.line.content.strip(b"\xef\xbb\xbf \t\r\n\x0b\x0c"):
            raise Violation(f"neither event nor fault: {entry.line.content!r}")
        return
    row = row_of_event(entry.event, 1, entry.line.offset, entry.line.length)
    folded = fold(None, [event_of_row(StoredEvent._make(row))])
    for value in (*row, *(folded or {}).values()):
        judge_value(value)


def judge_value(value: object) -> None:
    """Demand that SQLite can hold it."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, int):
        value.to_bytes(8, "big", signed=True)
    elif value is not None and not isinstance(value, float):
        raise Violation(f"{value!r} is nothing that SQLite holds")
