"""Following sessions: all files now and then, the lively ones every second."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from indexer.importers import rounds
from indexer.importers.importer import Importer, Wanted
from indexer.importers.rounds import Rounds
from indexer.semantics.sessions.tools import all_tools
from indexer.system.base import Base
from tests.support.sessions import user, write


def test_only_what_was_written_to_last_is_looked_at_every_second(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a backup was restored thousands of files are new; most of them grow no more."""
    monkeypatch.setattr(rounds, "LIVE_SECONDS", 0.0)
    monkeypatch.setattr(rounds, "_MOST_LIVELY", 2)
    now = time.time()
    for age in range(5):
        path = write(tmp_path / "projects" / "p" / f"s{age}.jsonl", [user(1, session=f"s{age}")])
        os.utime(path, (now - age, now - age))
    old = write(tmp_path / "projects" / "p" / "old.jsonl", [user(1, session="old")])
    os.utime(old, (now - 86_400, now - 86_400))
    importer = Importer(Base.at(base), Wanted([all_tools()["claude-code"]], [tmp_path]))
    following = Rounds(importer, lambda: False)
    assert (following.step().found, following.step().found) == (6, 2)
    with open(tmp_path / "projects" / "p" / "s0.jsonl", "ab") as newest:
        newest.write(b'{"type":"user","sessionId":"s0"}\n')
    assert following.step().events == 1, "the newest is among them"
