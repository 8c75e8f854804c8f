from __future__ import annotations

import errno
import os
import shutil
import stat
import threading
import time

import pytest

from telemetry_core import TelemetryClient, TelemetryConfig, writer
from telemetry_core.backlog import Waiting
from telemetry_core.clock import CLOCK, Clock
from telemetry_core.shared_log import SharedLog
from tests.support.needs import fifo
from tests.support.process import run

_AMPLE = 30.0
"""Seconds: what waits is written by the next event, however slow the machine."""

REAL_WRITE, REAL_OPEN, REAL_FSYNC = os.write, os.open, os.fsync


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def full_disk(fd, data):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_events_reach_the_shared_log_in_order(client, log):
    """One file of the day, no other, whose lines are the acknowledged events."""
    ids = [client.log_event("run", "e", number) for number in range(50)]
    assert log.ids() == ids
    assert [path.name for path in log.files()] == [f"events_{CLOCK.tick().day}.ndjson"]


def test_a_torn_tail_is_sealed_wherever_it_was_cut(base, log, client):
    """Cut the file at every byte of its last two lines: the next event is whole, and alone."""
    kept = client.log_event("run", "e", "kept")
    for word in ("second", "grüße"):
        client.log_event("run", "e", word)
    (path,) = log.shared()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    second = whole.index(b"\n", first) + 1
    for cut in range(first, len(whole) + 1):
        path.write_bytes(whole[:cut])
        shared = SharedLog(base / "raw")
        shared.append(b'{"next":1}\n', CLOCK.tick().day, 0.05, sync=False)
        shared.forget()
        content = path.read_bytes()
        assert content.startswith(whole[:cut])
        assert content.endswith(b'\n{"next":1}\n')
        sealed = cut not in (first, second, len(whole))
        assert content == whole[:cut] + b"\n" * sealed + b'{"next":1}\n'
        assert log.ids()[0] == kept


def test_a_tail_torn_by_another_process_is_sealed_by_a_writer_that_is_open(client, log):
    """It notices that the file is not as it left it."""
    client.log_event("run", "e", 1)
    (path,) = log.shared()
    with path.open("ab") as file:
        file.write(b'{"torn')
    client.log_event("run", "e", 2)
    assert log.torn() == [b'{"torn']
    assert log.payloads() == [1, 2]


def test_a_new_day_is_a_new_file(client, log, monkeypatch):
    """The day is that of the event; what waited for a better time goes to its own day's file."""
    day = 1_795_305_600
    clock = Clock()
    monkeypatch.setattr("telemetry_core.recorder.CLOCK", clock)
    wall = [day - 1]
    monkeypatch.setattr(time, "time_ns", lambda: wall[0] * 10**9)
    client.log_event("run", "e", "before")
    wall[0] = day + 1
    client.log_event("run", "e", "after")
    wall[0] = day - 7_200
    client.log_event("run", "e", "stepped back")
    before, after = log.shared()
    assert b'"before"' in before.read_bytes()
    assert after.read_bytes().count(b"\n") == 2


def rm_file(raw, path):
    path.unlink()


def rm_lock(raw, path):
    (raw / ".events.lock").unlink()


def rm_directory(raw, path):
    shutil.rmtree(raw)


def rm_base(raw, path):
    shutil.rmtree(raw.parent)


def replace_directory(raw, path):
    shutil.rmtree(raw)
    raw.mkdir()


@pytest.mark.needs("open-moves")
@pytest.mark.parametrize("harm", [rm_file, rm_lock, rm_directory, rm_base, replace_directory])
def test_what_is_deleted_while_open_is_made_anew(client, log, harm):
    """The next event is in the log that readers see, not in a file without a name."""
    client.log_event("run", "e", "old")
    harm(log.directory, log.shared()[0])
    later = [client.log_event("run", "e", number) for number in range(3)]
    assert None not in later
    assert set(later) <= set(log.ids())
    assert len(log.shared()) == 1
    assert not log.own()


@pytest.mark.needs("open-moves")
def test_a_file_moved_away_is_left_alone_after_a_while(client, log, monkeypatch):
    """Renaming is noticed by the next look at the path; until then nothing is lost either."""
    client.log_event("run", "e", 1)
    (path,) = log.shared()
    path.rename(path.with_name("events_moved.ndjson"))
    monkeypatch.setattr("telemetry_core.shared_log._PATH_CHECK_SECONDS", 0.0)
    client._recorder.writer._shared._path_checked_at = -1e9
    client.log_event("run", "e", 2)
    assert path.exists()
    assert sorted(log.payloads()) == [1, 2]


@pytest.mark.parametrize("make", [os.mkdir, pytest.param(fifo, marks=pytest.mark.needs("fifo"))])
def test_what_is_no_file_sends_events_to_the_own_log(client, log, base, make):
    """A directory or a FIFO with the day's name neither hangs nor loses an event."""
    (base / "raw").mkdir(parents=True)
    make(base / "raw" / f"events_{CLOCK.tick().day}.ndjson")
    assert client.log_event("run", "e", 1)
    (own,) = log.own()
    assert own.name.endswith(f"-{os.getpid()}.ndjson")
    assert b'"payload":1' in own.read_bytes()
    assert client.get_stats()["events_spilled"] == 1


@pytest.mark.needs("modes")
@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_directories_are_0700_and_files_0600_under_any_umask(tmp_path, umask):
    """Nobody else reads an agent's payloads, and their owner always can."""
    before = os.umask(umask)
    try:
        base = tmp_path / "made/also/base"
        client = TelemetryClient(TelemetryConfig.for_base(base))
        assert client.log_event("run", "e")
    finally:
        os.umask(before)
    for directory in (tmp_path / "made", tmp_path / "made/also", base, base / "raw"):
        assert mode(directory) == 0o700
    for file in (base / "raw").iterdir():
        assert mode(file) == 0o600
    assert len(list((base / "raw").iterdir())) == 2


def test_clients_of_one_process_share_one_writer(client, base, log):
    """Two clients, also by another spelling of the path, do not lock each other out."""
    other = TelemetryClient(TelemetryConfig.for_base(base / "x" / ".."))
    assert other._recorder.writer is client._recorder.writer
    ids = [one.log_event("run", "e") for _ in range(20) for one in (client, other)]
    assert log.ids() == ids
    assert client.get_stats()["lock_timeouts"] == 0


@pytest.mark.needs("modes")
def test_fsync_durability_syncs_the_file_and_once_its_directory(base, monkeypatch):
    """Each event is synced before it is acknowledged; the names on the way to it, too."""
    synced = []

    def note(fd):
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        REAL_FSYNC(fd)

    monkeypatch.setattr(os, "fdatasync", note)
    monkeypatch.setattr(os, "fsync", note)
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_DURABILITY": "fsync"}))
    client.log_event("run", "e")
    path = str(base / "raw" / f"events_{CLOCK.tick().day}.ndjson")
    assert synced == [path, str(base / "raw"), str(base)]
    client.log_event("run", "e")
    assert synced[3:] == [path]
    monkeypatch.setattr(
        os, "open", lambda p, *a: full_disk(0, 0) if "lock" in str(p) else REAL_OPEN(p, *a)
    )
    client._recorder.writer._shared.forget()
    client.log_event("run", "e")
    assert synced[5:] == [str(base / "raw"), str(base)]


@pytest.mark.needs("modes")
def test_kernel_durability_never_syncs(client, monkeypatch):
    """A disk that takes seconds to sync costs an agent nothing that did not ask for it."""
    monkeypatch.setattr(os, "fsync", lambda fd: pytest.fail("synced"))
    monkeypatch.setattr(os, "fdatasync", lambda fd: pytest.fail("synced"))
    assert client.log_event("run", "e")
    assert client.get_stats()["write_errors"] == 0


def test_short_writes_are_completed(client, log, monkeypatch):
    """A kernel that takes seven bytes at a time gets them all, in order."""
    monkeypatch.setattr(os, "write", lambda fd, data: REAL_WRITE(fd, bytes(data)[:7]))
    ids = [client.log_event("run", "e", "x" * 100) for _ in range(3)]
    assert log.ids() == ids
    assert log.torn() == []
    assert not log.own()


def test_a_write_cut_short_by_an_error_leaves_the_event_whole_elsewhere(client, log, monkeypatch):
    """Its fragment is sealed by the next event, and the event itself is in the own log."""
    calls = []

    def fail_in_the_middle(fd, data):
        calls.append(fd)
        if len(calls) == 1:
            return REAL_WRITE(fd, bytes(data)[:30])
        return full_disk(fd, data) if len(calls) == 2 else REAL_WRITE(fd, data)

    monkeypatch.setattr(os, "write", fail_in_the_middle)
    ids = [client.log_event("run", "e", number) for number in range(3)]
    assert None not in ids
    assert sorted(log.ids()) == sorted(ids)
    assert [len(fragment) for fragment in log.torn()] == [30]
    assert len(log.own()) == 1


def test_the_own_log_starts_over_after_a_short_write(client, log, monkeypatch):
    """Its fragments stand apart; twice short is a failure, and then the event waits."""
    monkeypatch.setattr(SharedLog, "append", lambda *_, **__: full_disk(0, 0))
    sizes = iter([10, 10_000, 10, 10])
    monkeypatch.setattr(os, "write", lambda fd, data: REAL_WRITE(fd, data[: next(sizes)]))
    first = client.log_event("run", "e", 1)
    assert first is not None
    assert client.log_event("run", "e", 2) is None
    monkeypatch.setattr(os, "write", REAL_WRITE)
    assert client.flush() is True
    assert log.payloads() == [1, 2]
    assert len(log.torn()) == 3


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EACCES])
@pytest.mark.parametrize("call", ["write", "open"])
def test_what_can_be_written_nowhere_waits_and_comes_back(client, log, monkeypatch, code, call):
    """No exception, no id; once the disk is well every event is there, exactly once, in order."""

    def fail(*_args, **_more):
        raise OSError(code, os.strerror(code))

    client.log_event("run", "e", 0)
    client.close()
    monkeypatch.setattr(os, call, fail)
    assert [client.log_event("run", "e", number) for number in (1, 2)] == [None, None]
    assert client.log_events("run", [("e", 3), ("e", 4)]) is None
    stats = client.get_stats()
    assert (stats["events_waiting"], stats["events_dropped"]) == (4, 0)
    assert os.strerror(code) in stats["last_write_error"]
    assert client.flush() is False
    monkeypatch.undo()
    monkeypatch.setattr(client._recorder, "budget", _AMPLE)
    assert client.log_event("run", "e", 5)
    assert log.payloads() == [0, 1, 2, 3, 4, 5]
    assert client.get_stats()["events_waiting"] == 0


def test_drops_are_counted_said_once_and_recorded(client, log, monkeypatch, caplog):
    """The backlog is bounded; when the log is back, it holds how many events are missing."""
    client._recorder.writer._backlog._max_bytes = 1_000
    monkeypatch.setattr(os, "open", lambda *_: full_disk(0, 0))
    for _ in range(50):
        client.log_event("run", "e", "x" * 100)
    stats = client.get_stats()
    assert stats["events_dropped"] + stats["events_waiting"] == 50
    assert stats["events_dropped"] > 40
    assert len(caplog.records) == 2, "one line for the disk, one for the full backlog"
    monkeypatch.undo()
    monkeypatch.setattr(client._recorder, "budget", _AMPLE)
    client.log_event("run", "e", "back")
    (reported,) = [event for event in log.events() if event.type == "writer.dropped"]
    assert reported.data == {"events_dropped": stats["events_dropped"]}


def test_errors_by_turns_are_said_once_each(client, monkeypatch, caplog):
    """Shared and own log fail with different words each time; the host's log is not flooded."""

    def fail(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", fail)
    for _ in range(10):
        client.log_event("run", "e")
    assert len(caplog.records) == 1
    assert client.get_stats()["write_errors"] > 10


def test_a_logging_handler_that_raises_or_records_does_no_harm(client, log, monkeypatch):
    """The host's own handler may be broken, or send log records to telemetry."""
    import logging

    class Recorder(logging.Handler):
        def emit(self, record):
            client.log_event("run", "logged", record.getMessage())
            raise RuntimeError("broken")

    handler = Recorder()
    logger = logging.getLogger("telemetry_core")
    logger.addHandler(handler)
    try:
        monkeypatch.setattr(SharedLog, "append", lambda *_, **__: full_disk(0, 0))
        assert client.log_event("run", "e", 1)
    finally:
        logger.removeHandler(handler)
    assert 1 in log.payloads()
    assert len(log.payloads()) == 2


@pytest.mark.needs("limits")
def test_a_real_limit_on_file_size_is_met_like_a_full_disk(tmp_path):
    """RLIMIT_FSIZE: events are kept, and are all there once the limit is lifted."""
    out = run(
        """
        import resource, sys
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        import logging
        logging.disable()
        base = Path(sys.argv[1])
        client = TelemetryClient(TelemetryConfig.for_base(base))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        ids = [client.log_event("run", "e", n) for n in range(30)]
        assert None in ids
        assert client.get_stats()["events_dropped"] == 0
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert client.flush()
        from tests.support.log import Log
        log = Log(base / "raw")
        assert sorted(log.payloads()) == list(range(30)), log.payloads()
        assert {i for i in ids if i} <= set(log.ids())
        print("ok")
        """,
        str(tmp_path),
    )
    assert out == "ok\n"


def test_what_waits_is_written_at_exit(tmp_path):
    """An interpreter that ends normally tries once more."""
    run(
        """
        import os, sys
        from pathlib import Path
        import logging
        logging.disable()
        from telemetry_core import TelemetryClient, TelemetryConfig
        client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))
        real, os.open = os.open, None
        assert client.log_event("run", "e", 1) is None
        os.open = real
        """,
        str(tmp_path),
    )
    from tests.support.log import Log

    assert Log(tmp_path / "raw").payloads() == [1]


@pytest.mark.needs("descriptors")
def test_a_descriptor_that_became_somebody_elses_never_gets_our_bytes(tmp_path):
    """A host that closes all descriptors, as daemons do, and opens files of its own."""
    out = run(
        """
        import fcntl, os, sys
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        from tests.support.log import Log
        base = Path(sys.argv[1])
        client = TelemetryClient(TelemetryConfig.for_base(base))
        client.log_event("run", "e", 0)
        os.closerange(3, 64)
        mine = [os.open(base / f"mine{n}", os.O_RDWR | os.O_CREAT | os.O_APPEND) for n in range(8)]
        for fd in mine:
            fcntl.flock(fd, fcntl.LOCK_EX)
        assert client.log_event("run", "e", 1) and client.log_event("run", "e", 2)
        client.close()
        for n, fd in enumerate(mine):
            assert os.fstat(fd).st_size == 0
            other = os.open(base / f"mine{n}", os.O_RDWR)
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                raise SystemExit("our lock was given away")
            except BlockingIOError:
                os.close(other)
        os.closerange(3, 64)
        assert client.log_event("run", "e", 3)
        log = Log(base / "raw")
        assert log.payloads() == [0, 1, 2, 3] and not log.own()
        print("ok")
        """,
        str(tmp_path),
    )
    assert out == "ok\n"


def test_a_waiting_event_survives_an_interrupt_while_it_is_written(client, log, monkeypatch):
    """Ctrl-C during a flush does not take what waits, nor the event that came meanwhile."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: full_disk(0, 0))
        client.log_event("run", "e", 1)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SharedLog, "append", interrupt)
        with pytest.raises(KeyboardInterrupt):
            client.log_event("run", "e", 2)
    assert client.flush()
    assert log.payloads() == [1, 2]


def test_threads_append_whole_lines_and_lose_none(client, log):
    """Eight threads: all that they said is there, and each thread's in its order."""

    def work(name):
        for number in range(200):
            client.log_event(name, "e", number)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # On a busy machine some waited in memory, went to the spill file, or are there twice.
    assert client.flush()
    events, torn = log.read()
    assert torn == []
    said = {event.id: event for event in events}.values()
    for n in range(8):
        own = sorted((e.id, e.data["payload"]) for e in said if e.run_id == f"t{n}")
        assert [number for _, number in own] == list(range(200))
    assert client.get_stats()["client_errors"] == 0


def test_a_backlog_of_one_writer_is_written_before_newer_events(tmp_path, monkeypatch):
    """Straight at the writer: oldest first."""
    one = writer.Writer(tmp_path / "raw", "host")
    monkeypatch.setattr(os, "open", lambda *_: full_disk(0, 0))
    for text in (b"a\n", b"b\n"):
        assert not one.write(*Waiting(text, "20261122", 1, sync=False), 0.05)
    monkeypatch.undo()
    assert one.write(*Waiting(b"c\n", "20261122", 1, sync=False), 5.0)
    assert (tmp_path / "raw/events_20261122.ndjson").read_bytes() == b"a\nb\nc\n"
    one._shared.forget()
