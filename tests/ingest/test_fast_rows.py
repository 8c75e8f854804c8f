"""The extension's reading of lines: the same rows as in Python alone, and nothing left behind.

`--fuzz-seconds` says for how long lines are spoiled; `.ci/run` does it under the sanitizers.
"""

from __future__ import annotations

import gc
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

import orjson
import pytest

from indexer.ingest.parse import _decode_block, decode_block
from indexer.log.decode import Ordinals
from indexer.log.lines import Block
from telemetry_core.speed import WHY_PURE

pytestmark = pytest.mark.skipif(bool(WHY_PURE), reason=f"the extension: {WHY_PURE}")

_GOLDEN = Path(__file__).parents[1] / "core" / "golden" / "events.ndjson"
_PIECES = (
    *(b'"', b"\\", b"}", b"{", b"]", b"[", b",", b":", b"\x00", b"\xff", b"\xc3", b"\r", b" "),
    *(b"\\ud800", b"\\u0000", b"1e400", b"-0", b"9" * 20, b"null", b"\xef\xbb\xbf"),
    *(b',"data":', b',"payload":', b',"id":"x"'),
)


def _line(kind: str, data: Any, **extensions: str) -> bytes:
    names = {"specversion": "1.0", "id": "i", "source": "host/1", "type": kind, "subject": "run"}
    moment = "2026-11-26T21:44:51.770682Z"
    return orjson.dumps({**names, "time": moment, **extensions, "data": data})


def _nested(levels: int) -> bytes:
    empty = _line("run.event", {"event_type": "e", "payload": []})
    return empty.replace(b"[]", b"[" * levels + b"]" * levels)


_PAYLOADS = (None, 1, 0.1 + 0.2, -0.0, [], {"n": [1, {"a": None}]}, "gr\u00fc\n\x1b[0m", "x" * 300)
_LINES = [
    *_GOLDEN.read_bytes().splitlines(),
    *(_line("run.event", {"event_type": "e", "payload": payload}) for payload in _PAYLOADS),
    _line("run.started", {"agent_name": "a"}, traceparent="00-ab-cd-01", processstart="b:1"),
    _line("run.ended", None),
    *map(_nested, (99, 101, 251, 252, 253, 254, 255)),
]


def _spoiled(chance: random.Random) -> bytes:
    """A line with up to three pieces replaced, cut out, put in, or with another line's end."""
    line = bytearray(chance.choice(_LINES))
    for _ in range(chance.randrange(4)):
        at, what = chance.randrange(len(line) + 1), chance.randrange(4)
        if what == 0:
            line[at : at + 1] = bytes([chance.randrange(256)])
        elif what == 1:
            del line[at : at + chance.randrange(1, 6)]
        elif what == 2:
            line[at:at] = chance.choice(_PIECES)
        else:
            other = chance.choice(_LINES)
            line[at:] = other[chance.randrange(len(other)) :]
    return bytes(line).replace(b"\n", b" ")


def test_spoiled_lines_come_to_the_same_rows_by_both_ways(
    pytestconfig: pytest.Config, laboratory_seed: int
) -> None:
    """Rows, their types and faults, whatever was done to a line."""
    chance = random.Random(laboratory_seed)
    ends, count = time.monotonic() + pytestconfig.getoption("fuzz_seconds"), 0
    while count < 2_000 or time.monotonic() < ends:
        contents = [_spoiled(chance) for _ in range(100)]
        block = Block(7, contents, 7 + sum(len(one) + 1 for one in contents))
        rows, faults = decode_block(block, 5, Ordinals(tuple))
        expected, reasons = _decode_block(block, 5, Ordinals(tuple))
        assert (rows, faults) == (expected, reasons)
        assert [[*map(type, row)] for row in rows] == [[*map(type, row)] for row in expected]
        count += len(contents)
    print(count, "lines")


def _failing(_value: Any) -> bytes:
    raise ZeroDivisionError


def _wrong_calls() -> list[tuple[Any, ...]]:
    """Arguments that nobody passes, and functions that are not orjson's."""
    loads, dumps = orjson.loads, orjson.dumps
    texts: tuple[Callable[[Any], Any], ...] = (str, lambda _: b"", lambda _: b"[[]]")
    return [
        *((), (_LINES, 1, 2, loads), (tuple(_LINES), 1, 2, loads, dumps)),
        *((["text"], 1, 2, loads, dumps), (_LINES, 1, "two", loads, dumps)),
        *((_LINES, 1, 2, loads, _failing), (_LINES, 1, 2, None, dumps)),
        *((_LINES, 1, 2, loads, odd) for odd in texts),
    ]


def test_wrong_arguments_are_errors() -> None:
    """Nobody but the indexer calls it, and still nothing that it is given ends the process."""
    from telemetry_core._speed import usual_rows

    raised = []
    for given in _wrong_calls():
        try:
            usual_rows(*given)
        except (TypeError, ZeroDivisionError) as error:
            raised.append(type(error))
    assert raised == [TypeError] * 5 + [ZeroDivisionError]


@pytest.mark.parametrize("rounds", [400, pytest.param(20_000, marks=pytest.mark.laboratory)])
def test_no_call_leaves_a_reference(rounds: int) -> None:
    """Whatever is given, from several threads too: as many objects are there as before."""
    from telemetry_core._speed import usual_rows

    lines, file, wrong = [*_LINES, b"", b"{", b"\xff"], 123_456_789, _wrong_calls()

    def work(rounds: int) -> None:
        for _ in range(rounds):
            usual_rows(lines, file, 7, orjson.loads, orjson.dumps)
            for given in wrong:
                try:
                    usual_rows(*given)
                except (TypeError, ZeroDivisionError):
                    pass

    def counts() -> list[int]:
        gc.collect()
        return [sys.getrefcount(one) for one in (*lines, lines, file, orjson.loads, orjson.dumps)]

    work(50)
    before, blocks = counts(), sys.getallocatedblocks()
    threads = [threading.Thread(target=work, args=(rounds // 4,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts() == before
    assert sys.getallocatedblocks() - blocks < rounds
