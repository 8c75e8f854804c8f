"""A line a run, whole, whatever stood there before."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from indexer.forward.transport import make_transport
from indexer.outbox.parcel import Parcel
from tests.support.forward import a_target


def _send(path: Path, *runs: str) -> None:
    async def all_at_once() -> None:
        transport = make_transport(a_target(kind="file", address=str(path)))
        parcels = [
            Parcel("copy", run, 2, f"{run}:2", b'{"run_id":"%s"}' % run.encode(), 1) for run in runs
        ]
        results = await asyncio.gather(*map(transport.send, parcels))
        await transport.close()
        assert {result.outcome for result in results} == {"delivered"}

    asyncio.run(all_at_once())


def test_each_run_is_one_line_with_its_key(tmp_path: Path) -> None:
    """Directory and file are made, for nobody else to read; several at once do not mix."""
    path = tmp_path / "new" / "runs.ndjson"
    runs = [f"run-{number}" for number in range(20)]
    _send(path, *runs)
    _send(path, "later")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"key": f"{run}:2", "run_id": run} for run in [*runs, "later"]]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_cut_short_takes_no_other_with_it(tmp_path: Path) -> None:
    """The next one begins on a line of its own."""
    path = tmp_path / "runs.ndjson"
    path.write_bytes(b'{"key":"torn')
    _send(path, "whole")
    torn, whole = path.read_bytes().splitlines()
    assert torn == b'{"key":"torn'
    assert json.loads(whole)["key"] == "whole:2"


def test_a_file_that_can_not_be_written_is_an_error_and_no_receipt(tmp_path: Path) -> None:
    """A directory in its place, say."""
    with pytest.raises(OSError, match=r"directory|denied"):
        _send(tmp_path, "run")
