"""What it trusts of the file that it finds, and what it looks at."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from telemetry_core import shared_log
from telemetry_core.append_file import AppendFile
from telemetry_core.errors import AppendFailed, LockTimeout
from telemetry_core.lock import LOCK_NAME, SidecarLock
from telemetry_core.shared_log import SharedLog

DAY, NEXT_DAY = "20260101", "20260102"


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "raw"


@pytest.fixture
def path(raw):
    return raw / f"events_{DAY}.ndjson"


@pytest.fixture
def shared(raw):
    made = SharedLog(raw)
    yield made
    made.forget()


def append(shared, lines=b"line\n", day=DAY):
    shared.append(lines, day, 0.0, sync=False)


def is_stuck(shared):
    """Whether a vain wait for the lock says that nobody made use of it."""
    with pytest.raises(LockTimeout) as timeout:
        append(shared)
    return timeout.value.is_stuck


def test_a_lock_is_stuck_when_nobody_wrote_since_the_last_look(raw, path, shared):
    """Who waits in vain in a busy queue should ask again; behind a stopped holder, not."""
    holder = SidecarLock(raw / LOCK_NAME)
    holder.acquire(0.0)
    assert is_stuck(shared), "there is no file yet, and so nobody who writes"
    holder.release()
    append(shared)
    holder.acquire(0.0)
    assert is_stuck(shared), "what it wrote itself is no sign of others"
    with path.open("ab") as file:
        file.write(b"by another\n")
    assert not is_stuck(shared)
    assert is_stuck(shared), "each growth counts once"
    holder.forget()


def test_the_path_is_looked_at_once_a_second(shared, monkeypatch):
    """A look costs more than a write, so appends in between go without."""
    now, looks = [100.0], []
    monkeypatch.setattr(shared_log, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(AppendFile, "is_at_its_path", lambda self: looks.append(self) or True)
    append(shared)
    opened = len(looks)
    for moment, looked in ((100.0, 2), (100.9, 2), (101.0, 4), (101.9, 4), (102.0, 6)):
        now[0] = moment
        append(shared)
        assert len(looks) - opened == looked
    assert len(set(map(id, looks))) == 2, "the file and the lock, never opened again"


@pytest.mark.needs("open-moves")
@pytest.mark.parametrize("torn", [b"x", b"xxxx\nx"])
def test_what_is_in_the_place_of_the_file_is_not_taken_for_it(path, shared, torn):
    """Another file of the very same size, or of one byte, is looked at before it is trusted."""
    append(shared, b"12345\n")
    path.unlink()
    path.write_bytes(torn)
    append(shared)
    assert path.read_bytes() == torn + b"\nline\n"


def test_one_torn_byte_is_sealed_as_well(raw, path, shared):
    """The shortest fragment that there can be."""
    raw.mkdir()
    path.write_bytes(b"{")
    append(shared)
    assert path.read_bytes() == b"{\nline\n"


def test_a_file_that_is_known_is_not_read_again(shared, monkeypatch):
    """After its own append it knows how the file ends."""
    append(shared)
    monkeypatch.setattr(AppendFile, "ends_line", lambda *_: pytest.fail("read"))
    append(shared)


@pytest.mark.needs("descriptors")
def test_the_file_of_the_day_before_is_closed(shared):
    """An agent that lives for a year keeps one file open, not all of them."""
    append(shared)
    count = len(os.listdir("/proc/self/fd"))
    append(shared, day=NEXT_DAY)
    append(shared)
    assert len(os.listdir("/proc/self/fd")) == count


def test_a_directory_replaced_behind_the_lock_gets_nothing(raw, path, shared, monkeypatch):
    """The lock that is held is on a file that is gone, so another may hold the new one."""
    acquire = SidecarLock.acquire

    def replaced(lock, budget):
        acquire(lock, budget)
        raw.rename(raw.with_name("old"))
        raw.mkdir()

    with monkeypatch.context() as patch:
        patch.setattr(SidecarLock, "acquire", replaced)
        with pytest.raises(AppendFailed):
            append(shared)
    assert path.read_bytes() == b""
    append(shared)
    assert path.read_bytes() == b"line\n"


@pytest.mark.needs("descriptors")
def test_forgetting_closes_every_descriptor(raw, path, shared):
    """A forked child has to, and so has a process that can't trust what it has open."""
    before = len(os.listdir("/proc/self/fd"))
    append(shared)
    assert len(os.listdir("/proc/self/fd")) == before + 2, "the log and its lock"
    shared.forget()
    assert len(os.listdir("/proc/self/fd")) == before
    append(shared)
    assert path.read_bytes() == b"line\n" * 2


def test_a_fragment_thrown_in_between_takes_no_line_with_it(path, shared, monkeypatch):
    """A program that ignores the lock: the lines are written again, sealed; what is whole stays."""
    append(shared, b"first\n")
    thrown = [b"fragment", b"", b"another", b"whole\n"]
    real = shared_log.write_whole

    def after_others(fd, lines):
        with path.open("ab") as file:
            file.write(thrown.pop(0))
        return real(fd, lines)

    monkeypatch.setattr(shared_log, "write_whole", after_others)
    append(shared, b"second\n")
    append(shared, b"third\nfourth\n")
    assert path.read_bytes() == (
        b"first\nfragmentsecond\n\nsecond\nanotherthird\nfourth\nwhole\n\nthird\nfourth\n"
    )
    monkeypatch.undo()
    append(shared, b"last\n")
    assert path.read_bytes().endswith(b"fourth\nlast\n")


def test_who_never_stops_throwing_is_given_up(path, shared, monkeypatch):
    """The event goes elsewhere rather than round and round."""
    real = shared_log.write_whole

    def after_others(fd, lines):
        with path.open("ab") as file:
            file.write(b"fragment")
        return real(fd, lines)

    monkeypatch.setattr(shared_log, "write_whole", after_others)
    with pytest.raises(AppendFailed, match="ignores the lock"):
        append(shared)


def test_several_writes_with_something_in_their_middle_are_written_again(path, shared, monkeypatch):
    """What is before the end less the length is no line's beginning there."""
    append(shared, b"first\n")
    real, pieces = os.write, [3, 99]

    def short(fd, data):
        written = real(fd, bytes(data)[: pieces.pop(0)] if pieces else bytes(data))
        if pieces:
            with path.open("ab") as file:
                file.write(b"\n")
        return written

    monkeypatch.setattr(os, "write", short)
    append(shared, b"second\n")
    assert path.read_bytes() == b"first\nsec\nond\n\nsecond\n"
