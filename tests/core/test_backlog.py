from __future__ import annotations

import sys
import threading

from telemetry_core.backlog import Backlog, Waiting


def entry(text, events=1):
    return Waiting(text.encode(), "20261122", events, sync=False)


def test_what_waits_comes_out_in_order_and_goes_back_to_the_front():
    """The oldest first, also after a vain attempt to write it."""
    backlog = Backlog()
    for text in "abc":
        assert backlog.keep(entry(text))
    first = backlog.take()
    backlog.put_back(first)
    assert [backlog.take().lines for _ in range(3)] == [b"a", b"b", b"c"]
    assert backlog.take() is None


def test_it_is_bounded_in_bytes_and_counts_what_it_lets_go():
    """Events, not entries, are counted; room that is freed can be used again."""
    backlog = Backlog(max_bytes=10)
    assert backlog.keep(entry("x" * 6, events=3))
    assert not backlog.keep(entry("y" * 5, events=2))
    assert backlog.keep(entry("z" * 4))
    assert not backlog.keep(entry("!"))
    assert (len(backlog), backlog.dropped) == (4, 3)
    assert backlog.take().events == 3
    assert backlog.keep(entry("w" * 6))
    assert backlog.dropped == 3


def test_threads_neither_lose_nor_double_an_entry():
    """Four threads put in and take out; in the end each entry was had exactly once."""
    backlog, taken = Backlog(), []

    def work(name):
        for number in range(2_000):
            backlog.keep(entry(f"{name}-{number}"))
            one = backlog.take()
            if number % 3:
                taken.append(one)
            else:
                backlog.put_back(one)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while (one := backlog.take()) is not None:
        taken.append(one)
    assert len(taken) == len({one.lines for one in taken}) == 8_000
    assert backlog._bytes == 0


def test_a_lock_that_a_stopped_thread_left_does_not_hang_the_ending_interpreter(monkeypatch):
    """As in the clock."""
    backlog = Backlog()
    thread = threading.Thread(target=backlog._lock.acquire)
    thread.start()
    thread.join()
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    late = threading.Thread(target=backlog.keep, args=(entry("x"),), daemon=True)
    late.start()
    late.join(60)
    assert len(backlog) == 1


def test_it_holds_sixteen_mebibytes():
    """No more than that, and no less."""
    backlog = Backlog()
    assert backlog.keep(entry("x" * 16 * 1024 * 1024))
    assert not backlog.keep(entry("x"))
    assert backlog.take() is not None
    assert backlog.keep(entry("x"))
