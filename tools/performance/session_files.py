"""Session files as Claude Code writes them: as many as are wanted, a megabyte each.

Called by the section that measures importing. The same bytes every time; no call repeats.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import orjson

SESSION_BYTES = 1_000_000
_WRITTEN = 1_760_000_000
_A_PROJECT = 50
"""Sessions in one folder."""
_WORDS = "read the file, change it; run the tests again, and say what failed. def f(self): return"
_TEXT = " ".join(random.Random(1).choices(_WORDS.split(" "), k=20_000))  # noqa: S311


def write_sessions(top: Path, sessions: int) -> int:
    """Write sessions into `top`/projects; return how many bytes they have together."""
    total = 0
    for number in range(sessions):
        folder = top / "projects" / f"-home-user-project-{number // _A_PROJECT}"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"00000000-0000-4000-8000-{number:012d}"
        content = b"".join(_lines(name, number))
        path = folder / f"{name}.jsonl"
        path.write_bytes(content)
        # Old, as all but a few sessions are.
        os.utime(path, (_WRITTEN, _WRITTEN))
        total += len(content)
    return total


def _lines(session: str, seed: int) -> Iterator[bytes]:
    chance, written, turn = random.Random(seed), 0, 0  # noqa: S311 - the same text every time
    while written < SESSION_BYTES:
        for content in _turn(session, turn, chance):
            line = orjson.dumps(content) + b"\n"
            written += len(line)
            yield line
        turn += 1


def _turn(session: str, turn: int, chance: random.Random) -> Iterator[dict[str, object]]:
    """A question, an answer with a call of a tool, and the tool's result."""
    names = {"sessionId": session, "cwd": "/home/user/project", "version": "2.1.0"}
    call = f"toolu_{session[-12:]}_{turn}"
    usage = {
        "input_tokens": chance.randrange(100),
        "cache_read_input_tokens": chance.randrange(100_000),
        "cache_creation_input_tokens": chance.randrange(5_000),
        "output_tokens": chance.randrange(2_000),
    }
    answer = {
        "id": f"msg_{session[-12:]}_{turn}",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [
            {"type": "text", "text": _text(chance, 600)},
            {"type": "tool_use", "id": call, "name": "Bash", "input": {"command": "make test"}},
        ],
        "usage": usage,
    }
    result = {"type": "tool_result", "tool_use_id": call, "content": _text(chance, 4_000)}
    for part, (kind, message) in enumerate(
        (
            ("user", {"role": "user", "content": _text(chance, 300)}),
            ("assistant", answer),
            ("user", {"role": "user", "content": [result]}),
        )
    ):
        second = 3 * turn + part
        yield {
            "type": kind,
            "uuid": f"{session[:24]}{second:012x}",
            "timestamp": f"2026-11-{1 + second // 86400 % 28:02d}T{second // 3600 % 24:02d}:"
            f"{second // 60 % 60:02d}:{second % 60:02d}.000Z",
            **names,
            "message": message,
        }


def _text(chance: random.Random, size: int) -> str:
    begin = chance.randrange(len(_TEXT) - size)
    return _TEXT[begin : begin + size]
