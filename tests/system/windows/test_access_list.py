"""Who may enter a directory, as Windows writes it down."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from indexer.system.windows.access_list import Grant, access_list, grants_to_groups
from telemetry_core.storage import make_directory

_WINDOWS = pytest.mark.skipif(sys.platform != "win32", reason="modes say it here")


@pytest.mark.parametrize(
    ("descriptor", "found"),
    [
        ("D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)", []),
        ("D:(A;OICI;FA;;;S-1-5-21-1-2-3-1001)", []),
        ("D:AI(A;OICIID;0x1200a9;;;BU)", [Grant("Users", may_write=False)]),
        ("D:AI(A;OICIID;0x1301bf;;;AU)", [Grant("Authenticated Users", may_write=True)]),
        ("D:(A;;FR;;;WD)(A;;FRFW;;;WD)", [Grant("Everyone", False), Grant("Everyone", True)]),
        ("D:(D;;FA;;;WD)", []),
        ("", []),
    ],
)
def test_groups_are_told_from_the_owner(descriptor: str, found: list[Grant]) -> None:
    """What is allowed to groups is returned; what is denied, or a single user's, is not."""
    assert grants_to_groups(descriptor) == found


@_WINDOWS
def test_a_directory_of_ours_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Neither is it open by itself, nor by what is above it."""
    os.mkdir(tmp_path / "open")
    make_directory(tmp_path / "open" / "base" / "raw")
    assert grants_to_groups(access_list(tmp_path / "open"))
    assert grants_to_groups(access_list(tmp_path / "open" / "base")) == []
    assert grants_to_groups(access_list(tmp_path / "open" / "base" / "raw")) == []


@_WINDOWS
def test_a_directory_that_is_not_there_has_no_list(tmp_path: Path) -> None:
    """It is an error of the system's, with the path."""
    with pytest.raises(FileNotFoundError):
        access_list(tmp_path / "none")
