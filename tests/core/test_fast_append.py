"""The extension appends while nothing is unusual; whatever is, Python sees to it."""

from __future__ import annotations

import os
import threading
import time

import pytest

from telemetry_core import TelemetryClient, TelemetryConfig, redaction, shared_log, speed
from telemetry_core.clock import new_clock
from telemetry_core.lock import LOCK_NAME
from telemetry_core.redaction import Redactor
from tests.laboratory import shim
from tests.support.process import run

fcntl = pytest.importorskip("fcntl", reason="the extension is for POSIX")
pytestmark = pytest.mark.skipif(bool(speed.WHY_PURE), reason=f"the extension: {speed.WHY_PURE}")


@pytest.fixture
def appends(client):
    """How many appends the extension made since it was last asked; Python makes the next."""
    client.log_event("run", "e", "first")
    client.log_event("run", "e", "first")  # looks at the paths

    def count():
        done = client._recorder.writer.fast.take_over()
        client.log_event("run", "e", "again")
        return done.appends

    return count


def test_what_is_usual_python_does_not_see(client, log, appends):
    """After the first two events the extension appends; each event is there once, in its order."""
    ids = [client.log_event("run", "e", number) for number in range(100)]
    assert appends() == 100
    assert log.ids()[2:-1] == ids
    assert log.payloads()[2:-1] == list(range(100))


def test_spans_and_metrics_go_the_same_way(client, log, appends):
    """Whatever has no extension attributes, with a tick of its own or without."""
    with client.track_run("agent", "job") as one:
        client._recorder.writer.fast.take_over()
        client.log_event("run", "e")
        with one.span("step", n=1):
            pass
        one.log_metrics({"loss": 0.5}, step=1)
        one.set_metrics(items_failed=1)
        assert appends() == 4
    assert len(log.run(one.run_id)) > 3
    assert len(log.ids()) == len(set(log.ids()))
    assert log.ids() == sorted(log.ids())


@pytest.mark.parametrize(
    "payload",
    [{1: 2}, {"a": {1, 2}}, 2**64, "\ud800", {"password": "hunter22"}, "x" * 300_000, object()],
)
def test_what_is_odd_in_a_payload_is_pythons(client, log, appends, payload):
    """It is recorded all the same, and the extension goes on afterwards."""
    assert client.log_event("run", "e", payload)
    assert appends() == 0
    assert client.log_event("run", "e", 2)
    assert appends() == 1
    assert log.torn() == []
    assert b"hunter22" not in log.bytes()


def test_midnight_is_pythons(client, log, appends, monkeypatch):
    """The first event of a day makes the file, and those after it go there."""
    monkeypatch.setattr("telemetry_core.recorder.CLOCK", new_clock())
    tomorrow = time.time_ns() + 86_400 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: tomorrow)
    for number in range(4):
        client.log_event("run", "e", number)
    assert len(log.shared()) == 2
    assert appends() >= 2


@pytest.mark.parametrize("name", ["log", "lock"])
def test_what_was_deleted_is_made_again(client, log, base, appends, name):
    """A deleted file takes no event with it, a deleted lock excludes the others again."""
    path = log.shared()[0] if name == "log" else base / "raw" / LOCK_NAME
    path.unlink()
    assert client.log_event("run", "e", "after")
    assert appends() == 0
    assert path.exists()
    assert "after" in log.payloads()


def test_what_was_moved_away_is_noticed_when_the_paths_are_looked_at(
    client, log, appends, monkeypatch
):
    """After a second, or so many appends: whichever comes first."""
    monkeypatch.setattr(shared_log, "_PATH_CHECK_APPENDS", 3)
    assert appends() == 0
    (path,) = log.shared()
    path.rename(path.with_name("moved"))
    for number in range(10):
        client.log_event("run", "e", number)
    assert log.shared() == [path]
    monkeypatch.setattr(shared_log, "_PATH_CHECK_APPENDS", 10_000)
    monkeypatch.setattr(shared_log, "_PATH_CHECK_SECONDS", 0.0)
    appends()
    path.rename(path.with_name("moved again"))
    client.log_event("run", "e", "last")
    assert log.shared() == [path]


@pytest.mark.parametrize("which", [0, 1])
def test_a_number_that_the_host_uses_again_gets_nothing_of_ours(
    client, log, appends, tmp_path, which
):
    """Neither a line nor a lock, and the event is in the log."""
    shared = client._recorder.writer._shared
    fd = (shared._lock._file, shared._file)[which].fd
    with (tmp_path / "hosts").open("wb+") as hosts:
        os.dup2(hosts.fileno(), fd)
        assert client.log_event("run", "e", "after")
        assert appends() == 0
        fcntl.flock(os.open(tmp_path / "hosts", os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert (tmp_path / "hosts").read_bytes() == b""
    assert "after" in log.payloads()


def test_closed_descriptors_are_opened_again(client, log, appends):
    """A host that turns itself into a daemon closes them all."""
    shared = client._recorder.writer._shared
    for file in (shared._lock._file, shared._file):
        os.close(file.fd)
    assert client.log_event("run", "e", "after")
    assert appends() == 0
    assert "after" in log.payloads()


def test_a_torn_tail_is_sealed(client, log, appends):
    """Whoever left it: the fragment has a line of its own."""
    with log.shared()[0].open("ab") as other:
        other.write(b'{"half')
    assert client.log_event("run", "e", "after")
    assert log.torn() == [b'{"half']
    assert "after" in log.payloads()
    with log.shared()[0].open("ab") as other:
        other.write(b"another's\n")
    assert client.log_event("run", "e", "behind a whole line")
    assert appends() == 1


def test_a_busy_lock_is_waited_for_within_the_budget(client, log, base, appends):
    """Once it is free the event is in the log; if it is not, in the spill file."""
    client._recorder.budget = 30.0
    fd = os.open(base / "raw" / LOCK_NAME, os.O_RDWR)
    for seconds in (0.001, 0.05):
        fcntl.flock(fd, fcntl.LOCK_EX)
        threading.Timer(seconds, fcntl.flock, (fd, fcntl.LOCK_UN)).start()
        assert client.log_event("run", "e", "waited")
    assert log.own() == []
    client._recorder.budget = 0.01
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert client.log_event("run", "e", "spilled")
    assert len(log.own()) == 1
    assert client.get_stats()["events_spilled"] == 1
    os.close(fd)
    assert log.payloads() == ["first", "first", "waited", "waited", "spilled"]


def test_a_stuck_lock_costs_one_budget_and_not_one_for_each_event(client, base, appends):
    """The extension's own lines are not taken for another's, who would be at work."""
    for number in range(5):
        client.log_event("run", "e", number)
    fd = os.open(base / "raw" / LOCK_NAME, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    client.log_event("run", "e", "waits")
    assert client._recorder.writer._impatient_until > 0
    os.close(fd)


def test_what_waits_goes_first(client, log, appends, monkeypatch):
    """Nothing is appended past an event that could not be written, and then the way is open."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        client._recorder.writer.close(0.1)
        assert client.log_event("run", "e", 1) is None
    assert client.log_event("run", "e", 2)
    assert log.payloads() == ["first", "first", 1, 2]
    assert client.log_event("run", "e", 3)
    assert appends() == 1


def test_what_is_redacted_is_what_is_asked_for(client, log, appends):
    """A configuration of another client counts from the next event on."""
    before = redaction.active
    redaction.active = Redactor(names=["badge"])
    try:
        client.log_event("run", "e", {"badge": "abc123456"})
        assert client.log_event("run", "e", {"n": 1})
        assert client.log_event("run", "e", {"badge": "abc123456"})
        redaction.active = Redactor(patterns=["CUST-[0-9]+"])
        assert client.log_event("run", "e", "CUST-1234")
        assert client.log_event("run", "e", "CUST-1234")
        assert appends() == 0
        redaction.active = None
        appends()
        assert client.log_event("run", "e", {"password": "as it is"})
        assert appends() == 1
    finally:
        redaction.active = before
    assert b"abc123456" not in log.bytes()
    assert b"CUST" not in log.bytes()
    assert b"as it is" in log.bytes()


def test_a_synced_event_is_synced(base, log, monkeypatch):
    """From the third on the extension does it: the directory's entry is on the disk by then."""
    config = TelemetryConfig.for_base(base, {"TELEMETRY_DURABILITY": "fsync"})
    client = TelemetryClient(config)
    for number in range(5):
        client.log_event("run", "e", number)
    fast = client._recorder.writer.fast
    assert fast.take_over().appends >= 2
    assert log.payloads() == list(range(5))


def test_threads_append_whole_lines_and_lose_none(client, log):
    """Eight threads at once: all that they said is there, and each thread's in its order."""

    def work(name):
        for number in range(2_000):
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
        own = sorted((e.time, e.data["payload"]) for e in said if e.run_id == f"t{n}")
        assert [number for _, number in own] == list(range(2_000))
    assert client.get_stats()["client_errors"] == 0


@pytest.mark.needs("fork", "signals")
def test_forks_and_handlers_in_the_middle_of_appends_lose_nothing(tmp_path):
    """Children of a process with four busy threads, and handlers that log: all is there."""
    out = run(
        """
        import os, signal, sys, threading, time, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        from tests.support.log import Log
        base = Path(sys.argv[1])
        client = TelemetryClient(TelemetryConfig.for_base(base))
        said, over = [], threading.Event()
        def note(name):
            said.append(client.log_event(name, "e", {"text": "x" * 100}))
        def work(name):
            while not over.is_set():
                note(name)
        def handle(*_):
            note("handler")
            # Set again each time: on a slow machine handlers alone would run otherwise.
            if not over.is_set():
                signal.setitimer(signal.ITIMER_REAL, 0.0005)
        signal.signal(signal.SIGALRM, handle)
        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        children = 0
        for number in range(25):
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                over.set()
                ids = [client.log_event("child", "e", n) for n in range(20)]
                os.write(write, " ".join(map(str, ids)).encode())
                os._exit(0 if client.flush() else 1)
            os.close(write)
            with os.fdopen(read) as pipe:
                ids = pipe.read().split()
            assert os.waitpid(pid, 0)[1] == 0
            assert len(ids) == 20, ids
            said += ids
        over.set()
        signal.setitimer(signal.ITIMER_REAL, 0)
        for thread in threads:
            thread.join()
        # On a busy machine some wait in memory, go to the spill file, or are there twice.
        assert client.flush()
        events, torn = Log(base / "raw").read()
        found = {event.id for event in events}
        assert torn == [], torn[:3]
        assert len(found) == len(said) and found >= {*said} - {None, "None"}
        print("ok", len(found) > 500, client.get_stats()["write_errors"])
        """,
        str(tmp_path),
        timeout=120,
    )
    assert out == "ok True 0\n"


def test_wrong_arguments_of_the_extension_are_errors(client, tmp_path):
    """Nobody but the writer calls it, and still nothing that it is given ends the process."""
    from telemetry_core._speed import Appender, Ticker

    for wrong in ((), (1, 2, 3), ("a", 2), (1, "b")):
        with pytest.raises(TypeError):
            Ticker().seed(*wrong)
    for wrong in ("now", None, 1.5):
        with pytest.raises(TypeError):
            Ticker().next(wrong)
    with pytest.raises(OverflowError):
        Ticker().next(2**70)
    one = Appender()
    assert one.disarm() == (-1, 0)
    for wrong in ((), (1,) * 6, (b"h", {}, None, 0, None, False, "soon"), (1,) * 8):
        with pytest.raises(TypeError):
            one.emit(*wrong)
    assert one.emit(b"h", {}, None, 0, None, False, 1.0) is None
    means, file = (bytes, bool, int, None), (-1, 0, 0)
    for wrong in ((), (means,), ((*means, None), file, file, "20261126", 0, False, "x", 1)):
        with pytest.raises(TypeError):
            one.arm(*wrong)
    for screen in (b"", b"x" * 76_800, 5):
        with pytest.raises(ValueError, match="table"):
            one.arm((*means, screen), file, file, "20261126", 0, False, 1.0, 1)
        assert one.disarm() == (-1, 0)
    for wrong in ((), means, (*means, None, None)):
        with pytest.raises(ValueError, match="means"):
            one.arm(wrong, file, file, "20261126", 0, False, 1.0, 1)
    with pytest.raises(ValueError, match="day"):
        one.arm((*means, None), file, file, "today", 0, False, 1.0, 1)
    assert one.disarm() == (-1, 0)
    one.arm((*means, None), file, file, "20261126", 5, False, 1.0, 1)
    for tick in (Ticker(), ("i" * 36, "t" * 27, "20261126")):
        for wrong in ("head", None, 5):
            assert one.emit(wrong, {}, tick, 0, None, False, 1.0) is None
        for now in ("now", 2**70, None):
            made = one.emit(b"h", {}, tick, now, None, False, -1.0)
            assert (made is None) == isinstance(tick, Ticker)
    assert one.disarm() == (5, 0)
    one.arm((str, *means[1:], None), file, file, "20261126", 5, False, 1.0, 1)
    assert one.emit(b"h", {}, Ticker(), 0, None, False, 1.0) is None
    with pytest.raises(TypeError):
        Appender(1)  # type: ignore[call-arg]


def test_a_batch_is_encoded_in_c_where_it_can_be(client, log, appends):
    """Usual events and odd ones side by side: in their order, redacted, with the ids returned."""
    events = [("e", {"n": 1}), ["e", {"n": 2}], ("e", {3: "n"}), ("e", {"password": "hunter22"})]
    events += ["alone", ("e", "\ud800"), ("e", {"n": 4})]
    ids = client.log_events("run", (event for event in events))
    assert log.ids()[2:] == ids
    hidden = {"password": "[redacted:password]"}
    wanted = [{"n": 1}, {"n": 2}, {"3": "n"}, hidden, None, "\\ud800", {"n": 4}]
    assert log.payloads()[2:] == wanted

    def broken():
        yield "e", 1
        yield "e", 2
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.log_events("run", broken())
    with pytest.raises(ValueError, match="invalid"):
        client.log_events("run", map(int, ["x"]))
    assert log.payloads()[-2:] == [1, 2]


def test_what_is_left_of_a_budget_is_never_negative(client, log, base, appends, monkeypatch):
    """A thread that waits "-1 seconds" waits for ever: what C overslept is nothing left."""
    fd = os.open(base / "raw" / LOCK_NAME, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    left = []
    writer = client._recorder.writer
    real = writer.write
    monkeypatch.setattr(writer, "write", lambda *given: left.append(given[-1]) or real(*given))
    for budget in (0.0, 0.000_01, 0.001, 0.004_9, 0.02):
        fcntl.flock(fd, fcntl.LOCK_UN)
        client.log_event("run", "e", "hands over")
        fcntl.flock(fd, fcntl.LOCK_EX)
        client._recorder.budget = budget
        left.clear()
        client.log_event("run", "e")
        assert 0.0 <= left[0] <= budget
    os.close(fd)


@pytest.mark.skipif(bool(shim.why_not()), reason=shim.why_not())
def test_a_fragment_thrown_in_takes_no_event(tmp_path):
    """A program that ignores the lock, between the look at the end and the write: written again."""
    library = shim.build(tmp_path)
    out = run(
        """
        import sys
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        from tests.laboratory import shim
        from tests.support.log import Log
        base = Path(sys.argv[1])
        client = TelemetryClient(TelemetryConfig.for_base(base, {}))
        (base / "raw").mkdir(parents=True)
        thrown = shim.Fault(1, "thrown", kinds=("write",))
        with shim.armed(base, shim.NONE):
            client.log_event("run", "e")
            client.log_event("run", "e")
        for number in range(3):
            with shim.armed(base, thrown):
                said = client.log_event("run", "e", number)
                assert shim.met().times == 1
            events, torn = Log(base / "raw").read()
            assert said in [event.id for event in events], number
            print(len(torn))
        """,
        str(tmp_path / "base"),
        LD_PRELOAD=f"{os.environ.get('LD_PRELOAD', '')} {library}".strip(),
    )
    assert out == "1\n2\n3\n"


@pytest.mark.skipif(bool(shim.why_not()), reason=shim.why_not())
def test_the_extension_has_the_disk_keep_what_it_is_to_keep(tmp_path):
    """One call for each event, made below Python."""
    library = shim.build(tmp_path)
    out = run(
        """
        import sys
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        from tests.laboratory import shim
        base = Path(sys.argv[1])
        variables = {"TELEMETRY_DURABILITY": sys.argv[2]}
        client = TelemetryClient(TelemetryConfig.for_base(base, variables))
        (base / "raw").mkdir(parents=True)
        with shim.armed(base, shim.Fault(kinds=("sync",))):
            for number in range(5):
                client.log_event("run", "e", number)
            client._recorder.writer.fast.take_over()
            client.log_event("run", "e")
        with shim.armed(base, shim.Fault(kinds=("sync", "lock", "write"))):
            client.log_event("run", "e")
            assert client._recorder.writer.fast.take_over().appends == 1
            print(*shim.met().calls)
        """,
        str(tmp_path / "base"),
        "fsync",
        LD_PRELOAD=f"{os.environ.get('LD_PRELOAD', '')} {library}".strip(),
    )
    assert out == "lock write lock sync\n"
