"""When it waits, what it counts, and in which order it writes."""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace

import pytest

from telemetry_core import writer
from telemetry_core.backlog import Waiting
from telemetry_core.errors import LockTimeout
from tests.support.log import Log
from tests.support.process import run

BUDGET = 0.05


def entry(text="line", events=1):
    return Waiting(f"{text}\n".encode(), "20260101", events, sync=False)


class Lock:
    """Take the place of the shared log: note the budget of each call, and answer as configured."""

    def __init__(self):
        self.budgets, self.is_stuck, self.forgotten = [], None, 0

    def append(self, lines, day, budget, sync, *, hand_over=False):
        self.budgets.append(budget)
        if self.is_stuck is not None:
            error = LockTimeout("held")
            error.is_stuck = self.is_stuck
            raise error

    def forget(self):
        self.forgotten += 1


@pytest.fixture
def one(tmp_path):
    return writer.Writer(tmp_path / "raw", "host")


@pytest.fixture
def lock(one):
    one._shared = Lock()
    return one._shared


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(writer, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def budgets_at(one, lock, clock, *moments):
    """Write at each of the moments; return the budgets that the lock was waited for."""
    lock.budgets.clear()
    for moment in moments:
        clock.seconds = moment
        assert one.write(*entry(), BUDGET)
    return pytest.approx(lock.budgets)


def test_one_vain_wait_for_a_stuck_lock_makes_impatient_for_a_second(one, lock, clock):
    """The calls in that second only try, and do not make it longer; then one may wait again."""
    lock.is_stuck = True
    found = budgets_at(one, lock, clock, 100.0, 100.5, 100.9, 101.0, 101.1, 102.0)
    assert found == [BUDGET, 0.0, 0.0, BUDGET, 0.0, BUDGET]
    assert one.stats()["lock_timeouts"] == one.stats()["events_spilled"] == 6


def test_impatience_ends_with_its_second_and_comes_again_when_there_is_cause(one, lock, clock):
    """A lock that was free in between is waited for once more."""
    lock.is_stuck = True
    assert budgets_at(one, lock, clock, 100.0) == [BUDGET]
    lock.is_stuck = None
    assert budgets_at(one, lock, clock, 100.1, 101.5) == [0.0, BUDGET]
    lock.is_stuck = True
    assert budgets_at(one, lock, clock, 101.6, 101.7) == [BUDGET, 0.0]


def test_a_busy_lock_makes_nobody_impatient(one, lock, clock):
    """The queue moves on, and waiting threads have their turn."""
    lock.is_stuck = False
    assert budgets_at(one, lock, clock, 100.0, 100.1) == [BUDGET, BUDGET]


def test_waiting_for_another_thread_is_taken_off_the_budget(one, lock, clock):
    """What one call may wait for is one budget, whatever it waits for."""

    def acquire(blocking=True, timeout=-1):
        clock.seconds += 0.03 if blocking else 0.0
        return blocking

    one._mutex = SimpleNamespace(acquire=acquire, release=lambda: None)
    assert one.write(*entry(), BUDGET)
    assert one.write(*entry(), 0.01)
    assert lock.budgets == pytest.approx([BUDGET - 0.03, 0.0])


def test_writing_what_waited_is_taken_off_the_budget(one, lock, clock, monkeypatch):
    """The event that is new waits for what is left."""
    append = lock.append

    def slow(*arguments, **named):
        append(*arguments, **named)
        clock.seconds += 0.02

    one._backlog.keep(entry())
    monkeypatch.setattr(lock, "append", slow)
    assert one.write(*entry(), BUDGET)
    assert lock.budgets == pytest.approx([BUDGET, BUDGET - 0.02])


def test_what_was_counted_and_said_stays_with_the_parent(one, lock, caplog, monkeypatch):
    """A forked child starts from zero, with nothing that waits and nothing said yet."""
    monkeypatch.setattr(one._spill, "append", lambda *_: (_ for _ in ()).throw(OSError(5, "disk")))
    lock.is_stuck = True
    one._backlog._max_bytes = 10
    for _ in range(4):
        assert not one.write(*entry(events=3), BUDGET)
    stats = one.stats()
    assert (stats["events_waiting"], stats["events_dropped"]) == (6, 6)
    # Four entries and, before each but the first, the oldest again; each drop is an error, too.
    assert (stats["lock_timeouts"], stats["write_errors"]) == (7, 9)
    assert stats["last_write_error"].startswith("BacklogFull")
    assert len(caplog.records) == 2
    one.after_fork()
    assert lock.forgotten == 1
    assert one.stats() == {name: "" if name == "last_write_error" else 0 for name in stats}
    assert not one.write(*entry(), BUDGET)
    assert len(caplog.records) == 3


def test_closing_writes_what_waits_or_says_that_it_could_not(one, caplog, monkeypatch, tmp_path):
    """Nothing is let go in silence, and no descriptor stays open."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        assert not one.write(*entry("a"), BUDGET)
        one.close(BUDGET)
    assert one.stats()["last_write_error"].startswith("BacklogFull: 1 events")
    one.close(BUDGET)
    assert (tmp_path / "raw/events_20260101.ndjson").read_bytes() == b"a\n"
    assert one._shared._file is None
    assert one.stats()["events_waiting"] == 0


def test_a_thread_that_is_in_the_way_is_not_waited_for(one, lock):
    """Neither by a write, which goes its own way and is counted once, nor by the end."""
    inside, go_on = threading.Event(), threading.Event()

    def stay():
        with one._mutex:
            inside.set()
            go_on.wait(60)

    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait(60)
    assert one.write(*entry(), 0.0)
    one.close(0.0)
    go_on.set()
    thread.join()
    assert (lock.budgets, lock.forgotten) == ([], 0)
    assert (one.stats()["lock_timeouts"], one.stats()["events_spilled"]) == (1, 1)
    one.close(0.0)
    assert lock.forgotten == 1
    free = []
    thread = threading.Thread(target=lambda: free.append(one._mutex.acquire(timeout=0)))
    thread.start()
    thread.join()
    assert free == [True]


def test_the_first_drop_of_all_is_told_once(one, monkeypatch, tmp_path):
    """Nothing was reported before it, and nothing new came after."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        one._backlog._max_bytes = 1
        assert not one.write(*entry(), BUDGET)
        # It can't be reported yet.
        assert one.flush(BUDGET)
    assert one.flush(BUDGET)
    assert one.flush(BUDGET)
    (reported,) = Log(tmp_path / "raw").events()
    assert (reported.type, reported.data) == ("writer.dropped", {"events_dropped": 1})


def test_a_flush_waits_for_the_lock_as_long_as_it_may(one, lock, clock):
    """What waits is worth its budget: nobody comes after an agent's last flush."""
    one._backlog.keep(entry())
    assert one.flush(0.5)
    assert lock.budgets == [pytest.approx(0.5)]


@pytest.mark.needs("fork")
def test_a_forked_child_begins_anew_by_itself(tmp_path):
    """What waits is the parent's to write: in the child it would be written twice."""
    out = run(
        """
        import os, sys
        from pathlib import Path
        from telemetry_core.backlog import Waiting
        from telemetry_core.writers import writer_for
        one = writer_for(Path(sys.argv[1]), "host")
        one._backlog.keep(Waiting(b"line\\n", "20260101", 1, sync=False))
        if os.fork() == 0:
            os._exit(one.stats()["events_waiting"])
        print(os.waitstatus_to_exitcode(os.wait()[1]), one.stats()["events_waiting"])
        """,
        str(tmp_path),
    )
    assert out.split() == ["0", "1"]
