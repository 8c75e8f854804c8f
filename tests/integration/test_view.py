"""The view by itself: whether it is the file that readers open, and whether they can read it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer import database
from indexer.database import wal_bytes
from indexer.errors import DatabaseDamaged
from indexer.view import View
from telemetry_core import TelemetryClient


@pytest.fixture
def view(client: TelemetryClient) -> Iterator[View]:
    """A view of one run, open as a daemon has it."""
    client.start_run("agent", "job")
    with closing(View(client.config)) as made:
        made.run_pass()
        yield made


def test_a_view_is_in_place_until_its_file_is_another_one(
    view: View, client: TelemetryClient, tmp_path: Path
) -> None:
    """A copy under its name has the same rows, and is not what is open."""
    path = client.config.database_path
    assert view.is_in_place()
    shutil.copyfile(path, tmp_path / "copy")
    os.replace(tmp_path / "copy", path)
    assert not view.is_in_place()


def test_readers_that_see_what_is_written_are_no_cause_for_concern(view: View) -> None:
    """Also after more was written."""
    view.check_readers()
    view.note_status(pid=1)
    view.check_readers()


def test_a_file_cut_where_it_stands_is_damaged_though_its_writer_feels_nothing(
    view: View, client: TelemetryClient
) -> None:
    """The open connection has it in memory; who opens it now finds nothing."""
    view.look_after_runs()
    os.truncate(client.config.database_path, 0)
    with pytest.raises(DatabaseDamaged):
        view.check_readers()


def test_a_write_ahead_log_is_shortened_only_beyond_its_limit(
    view: View, client: TelemetryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within it, it is SQLite's business, and costs nothing."""
    path = client.config.database_path
    size = wal_bytes(path)
    assert size > 0
    monkeypatch.setattr(database, "WAL_LIMIT_BYTES", size)
    view.look_after_wal()
    assert wal_bytes(path) == size
    monkeypatch.setattr(database, "WAL_LIMIT_BYTES", size - 1)
    view.look_after_wal()
    assert wal_bytes(path) == 0
