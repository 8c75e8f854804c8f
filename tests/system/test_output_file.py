"""A placed file is there whole or not at all, and never in another's place."""

from __future__ import annotations

import os
import time

import pytest

from indexer.system.output_file import NotWritten, dated_path, output_file


def _write(path, text, **options):
    with output_file(path, **options) as file:
        file.write(text)


def test_it_stands_under_its_name_when_it_is_whole(tmp_path):
    """Until then what stood there stands."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with output_file(path) as file:
        file.write(b"after")
        file.flush()
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("links", [True, False])
def test_a_name_of_our_own_is_put_in_place(links, tmp_path, monkeypatch):
    """Also where the file system knows no links."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = dated_path(tmp_path / "exports", "runs", ".csv")
    _write(path, b"rows", overwrite=False)
    assert path.read_bytes() == b"rows"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="links are not for everybody there")
def test_who_chose_the_same_name_in_the_same_second_is_told(tmp_path):
    """The first file stands, and the second is an error that says so."""
    path = dated_path(tmp_path, "runs", ".csv")
    with pytest.raises(NotWritten, match="File exists"), output_file(path, overwrite=False) as file:
        file.write(b"second")
        _write(path, b"first", overwrite=False)
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_fails_leaves_nothing(tmp_path):
    """And its error comes through as it is."""
    with pytest.raises(ValueError, match="mine"), output_file(tmp_path / "file"):
        raise ValueError("mine")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_can_not_be_made_is_told(tmp_path):
    """With where it is and what to do."""
    (tmp_path / "exports").write_text("in the way")
    with pytest.raises(NotWritten, match=r"cannot write .*--output"):
        _write(dated_path(tmp_path / "exports", "runs", ".csv"), b"")


def _leave(path, days):
    """A file that nobody has written to for so many days."""
    path.write_text("half")
    moment = time.time() - days * 86_400
    os.utime(path, (moment, moment))


def test_what_a_killed_one_left_goes_after_a_day(tmp_path):
    """Its own of before, under our name or the user's; nothing else."""
    old = ["runs_20261101T000000Z.csv.abcd_123.partial", "[mine].csv.abcd_123.partial"]
    others = ["runs_of_mine.partial", "m.csv.abcd_123.partial", "runs_20261101T000000Z.csv"]
    for name in (*old, *others):
        _leave(tmp_path / name, days=2)
    _leave(tmp_path / "[mine].csv.young_12.partial", days=0.5)
    _write(dated_path(tmp_path, "runs", ".csv"), b"", overwrite=False)
    assert not (tmp_path / old[0]).exists()
    assert (tmp_path / old[1]).exists()
    _write(tmp_path / "[mine].csv", b"")
    assert not (tmp_path / old[1]).exists()
    assert (tmp_path / "[mine].csv.young_12.partial").exists()
    assert all((tmp_path / name).exists() for name in others)
