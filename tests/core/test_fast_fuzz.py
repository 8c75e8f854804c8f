"""The extension under everything at once; `--fuzz-seconds 600` does it for ten minutes.

Run it with a build for the sanitizers, as `.ci/run` does, to see what does not show otherwise.
"""

from __future__ import annotations

import gc
import itertools
import sys
import time

import pytest

from telemetry_core import redaction, speed
from telemetry_core.clock import CLOCK, new_clock
from tests.support.process import run
from tests.support.trees import Colour, Shout

pytestmark = pytest.mark.skipif(bool(speed.WHY_PURE), reason=f"the extension: {speed.WHY_PURE}")

_FUZZ = """
import enum, os, random, resource, signal, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from pathlib import Path
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.log import Log
from tests.support.trees import Colour, Shout
base, seconds, seed = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
raw = base / "raw"
client = TelemetryClient(TelemetryConfig.for_base(base))
chance = random.Random(seed)
over, said = threading.Event(), []
sys.setswitchinterval(1e-5)

shared = {"list": [], "dict": {}, "deep": {"a": [{"b": "c"}]}}
values = (
    None, True, 1, -(2**63), 2**64, 1.5, float("nan"), "text", "x" * 5000, "\\ud800", Colour.RED,
    Shout("s"), b"bytes", {1: 2}, {"k": {"k": "v"}}, [1, [2, [3]]], (1, "2"), object(),
    "token: abc", {"password": "hunter22"}, "https://a:b@c/", "gr\\u00fc\\u00dfe",
    list(range(300)), shared,
)

def mutate():
    # The very trees that others are recording: grown, shrunk, retyped, tied into knots.
    while not over.is_set():
        value = chance.choice(values)
        target = chance.choice((shared, shared["dict"], shared["deep"]))
        try:
            target[chance.choice([*"abcdefgh", 1, None])] = value
            if chance.random() < 0.3:
                shared["list"].append(value)
            if chance.random() < 0.3:
                shared["list"][:] = shared["list"][-20:]
            if chance.random() < 0.2:
                target.pop(chance.choice(list(target)))
            if len(shared) > 12 or chance.random() < 0.05:
                shared.clear()
        except (KeyError, IndexError, RuntimeError):
            pass
        shared.setdefault("list", []), shared.setdefault("dict", {}), shared.setdefault("deep", {})

def note(name, payload):
    said.append(client.log_event(name, "e", payload))

def work(name):
    own = random.Random(name)
    while not over.is_set():
        note(name, shared if own.random() < 0.5 else own.choice(values))

def handle(*_):
    note("handler", {"n": 1})
    # Set again each time: on a slow machine handlers alone would run otherwise.
    if not over.is_set():
        signal.setitimer(signal.ITIMER_REAL, 0.002)

def disaster():
    what = chance.random()
    if what < 0.2:
        for path in raw.glob("events_*.ndjson"):
            with path.open("ab") as other:
                other.write(b'{"torn')
    elif what < 0.3:
        (raw / ".events.lock").unlink(missing_ok=True)
    elif what < 0.4:
        for path in raw.glob("events_*.ndjson"):
            if path.name.count(".") == 1:
                path.rename(path.with_name(f"events_20200101.{time.time_ns()}.ndjson"))
    elif what < 0.5:
        client.close()

def child():
    over.set()
    ids = [client.log_event("child", "e", chance.choice(values[:-1])) for _ in range(5)]
    os._exit(0 if all(ids) else 1)

signal.signal(signal.SIGALRM, handle)
names = [f"t{n}" for n in range(3)]
threads = [threading.Thread(target=work, args=(name,)) for name in names]
threads.append(threading.Thread(target=mutate))
for thread in threads:
    thread.start()
signal.setitimer(signal.ITIMER_REAL, 0.002)
ends, children = time.monotonic() + seconds, 0
while time.monotonic() < ends:
    disaster()
    pid = os.fork()
    if pid == 0:
        child()
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"child {status}"
    children += 1
    time.sleep(0.02)
over.set()
signal.setitimer(signal.ITIMER_REAL, 0)
for thread in threads:
    thread.join()
client.close()
events, torn = Log(raw).read()
found = {event.id for event in events}
lost = [one for one in said if one is not None and one not in found]
assert not lost, (len(lost), len(said))
assert all(line.startswith(b'{"torn') for line in torn), torn[:3]
assert not any(b"hunter22" in path.read_bytes() for path in raw.glob("*.ndjson"))
print(len(said), "events,", children, "children")
"""


def test_no_disaster_ends_the_process_or_takes_an_event(tmp_path, pytestconfig, laboratory_seed):
    """Trees changed by other threads, handlers, forks, torn tails, files deleted and moved."""
    seconds = pytestconfig.getoption("fuzz_seconds")
    arguments = (str(tmp_path), str(seconds), str(laboratory_seed))
    out = run(_FUZZ, *arguments, timeout=60 + 3 * seconds)
    print(out)
    assert int(out.split()[0]) > 50


@pytest.mark.parametrize(
    "calls", [1_000_000, pytest.param(10_000_000, marks=pytest.mark.laboratory)]
)
def test_no_call_leaks_a_reference(client, calls):
    """Whatever is given, and whatever comes of it: as many objects are there as before."""
    client.log_event("run", "e")
    fast = client._recorder.writer.fast
    emit, redactor, ticker = fast.emit, redaction.active, CLOCK.ticker
    tick = ("01a218c0-9a44-7b98-8ffd-229c2a35415e", "2026-11-26T16:46:45.316742Z", "20261126")
    trees = (
        *({"a": one} for one in ("\ud800", 2**70, Colour.RED, Shout("x"), "x" * 200_000)),
        *({"a": 1}, {1: 2}, {"password": "hunter22"}),
        {"a": [1, (2.5, None)], "b": {"c": "d" * 2_000}},
    )
    heads = (fast.head_of("run.event", "r\u00fcn"), b"", b"\0", b"%s" * 2_000, None, 5, Shout("x"))
    nows = (0, 2**63 - 1, -(2**63), 2**64, "now", 1.5)
    other = new_clock().ticker
    ticks = (ticker, tick, None, tick[:2], ("a", "b", "c"), (1, 2, 3), 7)
    combinations = list(itertools.product(heads, trees, ticks, (redactor, None), (-1.0, 0.05)))

    def round_of_calls():
        for number, (head, tree, when, whose, budget) in enumerate(combinations):
            for is_synced in (False, True):
                # The process's own clock must not be set to the year 2262.
                clock = other if when is ticker and number % 2 else when
                now = nows[number % len(nows)] if clock is other else time.time_ns()
                emit(head, tree, clock, now, whose, is_synced, budget)
        client.log_event("run", "e")
        ticker.next(time.time_ns())
        gc.collect()

    # What the tests themselves have is not looked through each time.
    gc.collect()
    gc.freeze()
    for _ in range(3):
        round_of_calls()
    things = [
        *trees,
        *heads,
        *ticks,
        other,
        redactor,
        fast._appender,
        fast._acquire,
        fast._screen[1],
    ]
    before, blocks = [sys.getrefcount(one) for one in things], sys.getallocatedblocks()
    rounds = -(-calls // (2 * len(combinations)))
    for _ in range(rounds):
        round_of_calls()
    gc.unfreeze()
    grown = sys.getallocatedblocks() - blocks
    after = [sys.getrefcount(one) for one in things]
    changed = [b - a for a, b in zip(before, after) if abs(b - a) > 5]
    assert changed == []
    assert grown < rounds * 5, grown
