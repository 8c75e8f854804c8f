"""The garbage collector pauses for a batch, and goes on after it."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from indexer.ingest import ingest
from indexer.ingest.collector import collector_paused
from tests.support.database import Passes, event, lines_of


@pytest.fixture
def passes(tmp_path: Path) -> Passes:
    """Passes over a log of one event."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.ndjson").write_bytes(lines_of([event(1)]))
    return Passes(raw, tmp_path / "live.sqlite")


def test_it_is_paused_for_a_batch_and_on_after_it(passes: Passes) -> None:
    """While rows are written it is off; when the pass asks whether to stop, it is on again."""
    seen: list[bool] = []
    made = ingest.Ingest(
        passes.connection,
        passes.database.parent / "raw",
        listeners=[lambda _: seen.append(gc.isenabled())],
    )
    made.run_pass(should_stop=lambda: seen.append(gc.isenabled()) or False)
    assert seen == [False, True]
    assert gc.isenabled()


def test_it_is_on_again_after_a_batch_that_failed(passes: Passes) -> None:
    """Whatever ends a batch, the process that goes on has its collector."""

    def fail(_: object) -> None:
        raise MemoryError

    made = ingest.Ingest(passes.connection, passes.database.parent / "raw", listeners=[fail])
    with pytest.raises(MemoryError):
        made.run_pass()
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off() -> None:
    """A host that runs without it decided so."""
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
