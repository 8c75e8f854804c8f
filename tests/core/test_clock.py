from __future__ import annotations

import itertools
import os
import random
import sys
import threading
import time
import uuid

import pytest

from telemetry_core import speed
from telemetry_core.clock import Clock, Tick, new_clock
from tests.support.process import run


@pytest.fixture(params=["python", "c"])
def make(request):
    """What makes a clock, in Python and by the extension."""
    if request.param == "c" and speed.WHY_PURE:
        pytest.skip(f"the extension: {speed.WHY_PURE}")
    return Clock if request.param == "python" else new_clock


def assert_rise(ticks):
    for before, after in zip(ticks, ticks[1:]):
        assert before.time < after.time
        assert before.id < after.id


def test_ids_are_uuid_version_7_of_their_time(make):
    """The id is an RFC 9562 UUIDv7 whose milliseconds are those of the time next to it."""
    before = time.time_ns() // 1_000_000
    tick = make().tick()
    parsed = uuid.UUID(tick.id)
    assert str(parsed) == tick.id
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert before <= parsed.int >> 80 <= time.time_ns() // 1_000_000
    assert tick.day == tick.time[:10].replace("-", "")


def test_the_quick_way_gives_what_a_tick_has(make):
    """Id, time and day in this order, and never one that a tick was given before."""
    clock = make()
    first, second = clock.tick(), Tick(*clock.next())
    assert_rise([first, second, clock.tick()])
    assert uuid.UUID(second.id).version == 7
    assert second.day == second.time[:10].replace("-", "")


def test_ids_and_times_rise_when_the_wall_clock_steps_back(make, monkeypatch):
    """An hour back, over midnight, or standing still: the next tick is later all the same."""
    midnight = 1_795_305_600 * 10**9
    steps = [midnight + 5, midnight - 3600 * 10**9, midnight - 1, midnight + 5, midnight + 5]
    wall = itertools.cycle(steps)
    clock = make()
    monkeypatch.setattr(time, "time_ns", lambda: next(wall))
    ticks = [clock.tick() for _ in range(200)]
    assert_rise(ticks)
    assert {tick.day for tick in ticks} == {ticks[0].time[:10].replace("-", "")}


def test_ids_and_times_rise_in_every_thread_and_are_shared_by_none(make):
    """Eight threads of one clock never get the same id or the same time."""
    clock, found, start = make(), [], threading.Barrier(8)

    def take():
        start.wait()
        found.append([clock.tick() for _ in range(5_000)])

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ticks in found:
        assert_rise(ticks)
    everything = [tick for ticks in found for tick in ticks]
    assert len({tick.id for tick in everything}) == 40_000
    assert len({tick.time for tick in everything}) == 40_000


@pytest.mark.needs("fork")
def test_forked_children_share_no_id():
    """Parent and children, ticking at the very same time, have ids of their own."""
    out = run("""
        import os
        from telemetry_core.clock import CLOCK
        CLOCK.tick()
        children = []
        for _ in range(4):
            read, write = os.pipe()
            if os.fork() == 0:
                os.write(write, "".join(CLOCK.tick().id for _ in range(500)).encode())
                os._exit(0)
            os.close(write)
            children.append(read)
        ids = [CLOCK.tick().id for _ in range(500)]
        for read in children:
            with os.fdopen(read, "rb") as pipe:
                text = pipe.read().decode()
            ids += [text[i:i + 36] for i in range(0, len(text), 36)]
            os.wait()
        print(len(ids), len(set(ids)), len({one[-10:] for one in ids}))
    """)
    # Ids may differ by their time alone: each process has bits of its own.
    assert out.split() == ["2500", "2500", "5"]


@pytest.mark.needs("signals")
def test_a_storm_of_signal_handlers_gets_no_tick_twice(make):
    """Handlers that tick in the middle of a tick leave all ids and times distinct and rising."""
    out = run(
        """
        import signal
        from telemetry_core.clock import Clock, Tick, new_clock
        clock, handled = MAKE(), []
        def handle(*_):
            handled.append(clock.tick())
            signal.setitimer(signal.ITIMER_REAL, 0.00002)
        signal.signal(signal.SIGALRM, handle)
        handle()
        straight = []
        while len(handled) < 1000 or len(straight) < 20000:
            straight.append(clock.tick())
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        ticks = straight + handled
        assert len({t.id for t in ticks}) == len(ticks)
        assert len({t.time for t in ticks}) == len(ticks)
        assert straight == sorted(straight) and handled == sorted(handled)
        by_time = sorted(ticks, key=lambda t: t.time)
        assert by_time == sorted(ticks, key=lambda t: (t.time, t.id))
        print("ok")
    """.replace("MAKE", make.__name__)
    )
    assert out == "ok\n"


def test_a_handler_between_reading_and_keeping_the_time_gets_another(make, monkeypatch):
    """A tick that happens inside another, while that one reads the wall clock, is not repeated."""
    clock = make()
    inner = []

    def interrupted():
        monkeypatch.setattr(time, "time_ns", lambda: 1_795_305_600 * 10**9)
        inner.append(clock.tick())
        return 1_795_305_600 * 10**9

    monkeypatch.setattr(time, "time_ns", interrupted)
    outer = clock.tick()
    after = clock.tick()
    assert len({inner[0].time, outer.time, after.time}) == 3
    assert len({inner[0].id, outer.id, after.id}) == 3


def test_a_lock_that_a_stopped_thread_left_does_not_hang_the_ending_interpreter(monkeypatch):
    """Daemon threads are stopped wherever they are; only one thread is left to tick then."""
    clock = Clock()
    held, over = threading.Event(), threading.Event()

    def hold():
        # Not to its end: a thread that comes after it might be taken for it.
        with clock._lock:
            held.set()
            over.wait(60)

    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    ticked = []
    late = threading.Thread(target=lambda: ticked.append(clock.tick()), daemon=True)
    late.start()
    late.join(60)
    over.set()
    assert ticked


def test_the_bits_of_an_id_stand_where_they_should(make, monkeypatch):
    """Milliseconds, version, microsecond, variant, counter and process, each in its place."""
    micros = 1_795_305_600_123_456
    monkeypatch.setattr(os, "urandom", lambda count: bytes(range(1, count + 1)))
    monkeypatch.setattr(time, "time_ns", lambda: micros * 1_000 + 999)
    clock = make()
    for number in range(3):
        tick = clock.tick()
        bits = uuid.UUID(tick.id).int
        assert bits >> 80 == 1_795_305_600_123
        assert bits >> 76 & 0xF == 7
        assert bits >> 64 & 0xFFF == (456 + number) * 4
        assert bits >> 62 & 0b11 == 0b10
        assert bits >> 42 & 0xFFFFF == 0x10203 + number
        assert bits & (1 << 42) - 1 == 0x0102030405060708 >> 22
        assert (tick.time, tick.day) == (f"2026-11-22T00:00:00.{123_456 + number}Z", "20261122")


def test_the_counter_begins_anew_and_touches_nothing_beside_it(make, monkeypatch):
    """It runs over every million of events, and the process's bits stay what they are."""
    monkeypatch.setattr(os, "urandom", lambda count: b"\xff" * count)
    clock = make()
    ends = [clock.tick().id[19:] for _ in range(2)]
    assert ends == ["bfff-ffffffffffff", "8000-03ffffffffff"]


def test_both_clocks_tick_alike(monkeypatch):
    """The same wall clock and the same random bits give the same ids, times and days."""
    if speed.WHY_PURE:
        pytest.skip(f"the extension: {speed.WHY_PURE}")
    rng = random.Random(4711)
    seed = iter(rng.randbytes(11) * 2)
    monkeypatch.setattr(os, "urandom", lambda count: bytes(itertools.islice(seed, count)))
    one, other = Clock(), new_clock()
    for _ in range(20_000):
        # From before 1970 to the last nanosecond that 64 bits hold, now and then much the same.
        now = rng.choice([rng.randrange(-(10**18), 2**63), one._last * 1000 + rng.randrange(3000)])
        now = min(now, 2**63 - 1)
        monkeypatch.setattr(time, "time_ns", lambda now=now: now)
        assert one.next() == other.next()
