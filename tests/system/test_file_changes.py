"""Renaming, replacing and deleting, with and without somebody who holds the file open."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Callable

import pytest

from indexer.system.file_changes import (
    FileHeldOpen,
    check_not_held,
    delete,
    rename,
    replace,
)

_WINDOWS = pytest.mark.skipif(sys.platform != "win32", reason="open files can be renamed here")

_CHANGES: dict[str, Callable[[Path, float], None]] = {
    "replace": lambda path, budget: replace(_other(path), path, budget),
    "rename": lambda path, budget: rename(path, path.with_name("new"), budget),
    "delete": delete,
    "check": check_not_held,
}


def _other(path: Path) -> Path:
    other = path.with_name("other")
    other.write_bytes(b"other")
    return other


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"bytes")
    return path


def test_a_replacement_takes_the_name(file: Path) -> None:
    """The old file is gone, and the new one has its name alone."""
    replace(_other(file), file)
    assert [path.name for path in file.parent.iterdir()] == ["file"]
    assert file.read_bytes() == b"other"


def test_a_file_that_is_gone_already_is_deleted(file: Path) -> None:
    """Twice is no error."""
    delete(file)
    delete(file)
    assert not file.exists()


def test_a_check_changes_nothing(file: Path) -> None:
    """The file is there, under its name, as it was."""
    check_not_held(file)
    assert file.read_bytes() == b"bytes"


@_WINDOWS
@pytest.mark.parametrize("change", _CHANGES)
def test_a_handle_that_stays_is_named_and_costs_nothing(file: Path, change: str) -> None:
    """The error says which file, the file is as it was."""
    with file.open("rb"), pytest.raises(FileHeldOpen) as raised:
        _CHANGES[change](file, 0.1)
    assert str(file) in str(raised.value)
    assert file.read_bytes() == b"bytes"


@_WINDOWS
@pytest.mark.parametrize("change", _CHANGES)
def test_a_handle_that_goes_is_waited_for(file: Path, change: str) -> None:
    """A virus scanner that looks for a moment makes nothing fail."""
    held = file.open("rb")
    tried = threading.Event()

    def let_go() -> None:
        tried.wait()
        time.sleep(0.05)
        held.close()

    thread = threading.Thread(target=let_go)
    thread.start()
    tried.set()
    _CHANGES[change](file, 30.0)
    thread.join()


@_WINDOWS
def test_a_missing_permission_is_not_taken_for_a_handle(tmp_path: Path) -> None:
    """A directory can't be deleted as a file: nobody is asked to close it."""
    with pytest.raises(PermissionError) as raised:
        delete(tmp_path, 0.05)
    assert not isinstance(raised.value, FileHeldOpen)
