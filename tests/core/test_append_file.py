"""A descriptor that knows whether it is still its own."""

from __future__ import annotations

import os
import stat
import sys
import threading

import pytest

from telemetry_core import append_file
from telemetry_core.append_file import AppendFile, write_whole
from telemetry_core.errors import AppendFailed
from tests.support.process import run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.ndjson"


@pytest.fixture
def file(path):
    made = AppendFile(path)
    yield made
    made.close()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.needs("open-moves")
def test_its_size_is_that_of_the_file_while_there_is_one(path, file):
    """Deleted or closed, appending would lose what is appended: there is no size then."""
    assert file.size() == 0
    os.write(file.fd, b"12345")
    assert file.size() == 5
    path.unlink()
    assert file.size() is None
    file.close()
    assert file.size() is None


def test_a_number_that_is_another_files_now_is_not_its_own(path, file, tmp_path):
    """It has no size there, and closing leaves it to its owner."""
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    number = file.fd
    os.dup2(other, number)
    assert file.size() is None
    file.close()
    assert os.fstat(number).st_ino == os.fstat(other).st_ino
    os.close(number)
    os.close(other)


@pytest.mark.needs("descriptors")
def test_closing_gives_the_number_back_once(path):
    """A second time, or after somebody else closed it, there is nothing to do."""
    before = descriptors()
    file = AppendFile(path)
    file.close()
    assert (file.fd, descriptors()) == (-1, before)
    file.close()
    file = AppendFile(path)
    os.close(file.fd)
    file.close()
    assert descriptors() == before


@pytest.mark.needs("open-moves")
def test_it_is_at_its_path_until_it_is_moved_or_another_is_there(path, file):
    """The name is what readers go by."""
    assert file.is_at_its_path()
    path.rename(path.with_name("moved"))
    assert not file.is_at_its_path()
    path.write_bytes(b"")
    assert not file.is_at_its_path()


def test_the_byte_before_a_size_says_whether_a_line_ends_there(path, file):
    """An empty file ends one: nothing is torn in it."""
    assert file.ends_line(0)
    os.write(file.fd, b"a\nb")
    assert [file.ends_line(size) for size in (1, 2, 3)] == [False, True, False]


@pytest.mark.needs("fifo")
def test_what_is_no_file_is_refused_and_closed(path):
    """A FIFO neither hangs nor leaves a descriptor."""
    os.mkfifo(path)
    before = descriptors()
    with pytest.raises(AppendFailed, match="not a regular file"):
        AppendFile(path)
    assert descriptors() == before


@pytest.mark.parametrize(
    ("content", "given", "kept"),
    [(b"", 0o400, 0o600), (b"", 0o200, 0o600), (b"", 0o641, 0o641), (b"x", 0o400, 0o400)],
)
@pytest.mark.needs("root")
def test_only_a_file_just_made_gets_its_owners_rights(path, content, given, kept):
    """What was there before, with something in it, keeps the mode that it was given."""
    path.write_bytes(content)
    path.chmod(given)
    AppendFile(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == kept


def test_two_that_append_to_one_file_write_behind_each_other(path, file):
    """Each write goes to the end, wherever that is by then."""
    other = AppendFile(path)
    for one in (file, other, file):
        one.ends_line(1)
        os.write(one.fd, b"ab")
    other.close()
    assert path.read_bytes() == b"ababab"


def test_a_write_that_gets_nowhere_is_an_error(file, monkeypatch):
    """Or the agent would try for ever."""
    taken = iter([2, 1, 0])
    monkeypatch.setattr(os, "write", lambda *_: next(taken))
    with pytest.raises(AppendFailed, match="only 3 of 9 bytes"):
        write_whole(file.fd, b"123456789")


@pytest.mark.needs("modes")
def test_a_directory_is_synced_like_a_file(tmp_path, monkeypatch):
    """A name is kept in one; and neither stays open."""
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    before = descriptors()
    append_file.sync_path(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    append_file.sync_path(tmp_path / "file")
    assert len(synced) == 2
    assert descriptors() == before


def test_a_directory_that_became_a_file_leads_nowhere(tmp_path):
    """That is known, and no matter of permissions."""
    directory = tmp_path / "raw"
    file = AppendFile(directory / "events.ndjson")
    assert file.is_at_its_path()
    directory.rename(tmp_path / "moved")
    directory.touch()
    assert not file.is_at_its_path()
    file.close()


@pytest.mark.needs("descriptors")
@pytest.mark.parametrize("closed", [(1,), (2,), (0, 2)], ids=str)
def test_the_number_of_a_closed_standard_descriptor_is_left_alone(path, closed):
    """What the host prints there later must reach nobody, and the log least of all."""
    run(
        f"""
        import os, sys
        from pathlib import Path
        from telemetry_core.append_file import AppendFile
        for fd in {closed}:
            os.close(fd)
        file = AppendFile(Path(sys.argv[1]))
        taken = [fd for fd in {closed} if os.path.exists(f"/proc/self/fd/{{fd}}")]
        os._exit(0 if file.fd > 2 and not taken else 1)
        """,
        str(path),
    )


def test_threads_that_open_files_at_once_do_not_meet(tmp_path):
    """Each looks through what all of them have open, while the others add to it."""
    before, wrong = sys.getswitchinterval(), []
    sys.setswitchinterval(1e-6)

    def work(name):
        try:
            for number in range(300):
                kept = [AppendFile(tmp_path / f"{name}-{number % 5}") for _ in range(4)]
                kept[0].close()
        except RuntimeError as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []
