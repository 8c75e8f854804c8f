"""Bounds: what a payload of any shape or size may cost."""

from __future__ import annotations

import dataclasses
import sys
import time
import tracemalloc
from types import SimpleNamespace

import pytest

from telemetry_core import degrade, line
from telemetry_core.event import Event
from telemetry_core.line import MAX_LINE_BYTES, decode, encode
from telemetry_core.plain import MAX_NODES, NOT_PLAIN, TOO_LARGE, plain_size
from tests.support.process import run

np = pytest.importorskip("numpy", reason="needs NumPy")


def written(payload):
    data = {"event_type": "e", "payload": payload}
    encoded = encode(Event("i", "s", "t", "r", "2026-11-22T12:34:56.789012Z", data))
    assert len(encoded) <= MAX_LINE_BYTES
    return decode(encoded).data["payload"]


@dataclasses.dataclass
class Node:
    others: list = dataclasses.field(default_factory=list)


def a_clique(size=14):
    """Objects that all refer to each other: as many paths as there are permutations."""
    nodes = [Node() for _ in range(size)]
    for node in nodes:
        node.others = nodes
    return nodes


def shared_doubling(levels=60):
    """A list of the same list twice, of the same list twice, ...: 2 ** levels leaves."""
    value = ["leaf"]
    for _ in range(levels):
        value = [value, value]
    return value


class Slow:
    """An object that takes its time."""

    def __repr__(self):
        time.sleep(0.002)
        return "<slow>"


@pytest.mark.parametrize(
    "make",
    [
        a_clique,
        shared_doubling,
        lambda: [*shared_doubling(), {1}],
        lambda: np.zeros(10_000_000),
        lambda: np.zeros((3_000, 1_000), dtype="datetime64[s]"),
        lambda: np.zeros((4_000, 4_000)).T,
        lambda: list(range(3_000_000)),
        lambda: dict.fromkeys(range(300_000)),
        lambda: {str(n): {1} for n in range(150_000)},
        lambda: set(range(500_000)),
        lambda: bytearray(60_000_000),
        lambda: memoryview(bytes(60_000_000)),
        lambda: "\x00" * 40_000_000,
        lambda: [Slow() for _ in range(100_000)],
        lambda: [[[[Slow()] * 50] * 50] * 50] * 50,
        lambda: {"a": {1}, "b": ["x" * 1_000] * 100_000, "c": 7},
        lambda: ["x" * 1_000_000] * 900_000,
        lambda: [{"x" * 1_000_000: 1}] * 300_000,
        lambda: [{"a": [1, "b"]}] * 400_000,
    ],
    ids=range(19),
)
def test_work_and_memory_are_bounded_whatever_the_shape(make):
    """Values, bytes and time: what is cut says so."""
    value = make()
    tracemalloc.start()
    try:
        before = time.process_time()
        kept = written(value)
        spent = time.process_time() - before
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Far beyond any machine: unbounded, each would take minutes or gigabytes.
    assert spent < 60
    assert peak < 250 * 1024 * 1024
    assert kept


def test_small_values_stay_when_a_neighbour_is_cut(monkeypatch):
    """Before and after what is too large, in objects and in lists."""
    monkeypatch.setattr(degrade, "MAX_SECONDS", 1e9)
    monkeypatch.setattr(degrade, "MAX_CPU_SECONDS", 1e9)
    kept = written({"a": {1}, "big": ["x" * 1_000] * 20_000, "c": {"d": 7}})
    assert (kept["a"], kept["c"]) == ([1], {"d": 7})
    assert kept["big"][-1].endswith("more]")
    assert len(kept["big"]) > 10_000
    kept = written([b"\xff" * 90_000_000, 1, "two"])
    assert kept[1:] == [1, "two"]
    assert kept[0].endswith("[cut: 90000000 bytes]")


def test_time_is_bounded_where_the_hosts_own_code_is_slow(monkeypatch):
    """By the clock; and what was written before stays."""
    now = SimpleNamespace(seconds=0.0)
    clocks = SimpleNamespace(monotonic=lambda: now.seconds, thread_time=lambda: 0.0)
    monkeypatch.setattr(degrade, "time", clocks)

    class Slow:
        def __repr__(self):
            now.seconds += 0.1
            return "<slow>"

    kept = written([Slow() for _ in range(900)])
    assert kept[0] == "<slow>"
    assert kept.count("<slow>") < 100


@pytest.mark.parametrize(
    ("tree", "size"),
    [
        ({"a": 1, "b": "xyz", "c": [None, True, 1.5]}, 30),
        ({1: 2}, NOT_PLAIN),
        ({"a": {1}}, NOT_PLAIN),
        ("text", NOT_PLAIN),
        ([0] * (MAX_NODES + 1), TOO_LARGE),
        (["x" * 600, "y" * 600], TOO_LARGE),
        (["\x01" * 5_000], TOO_LARGE),
    ],
)
def test_plain_trees_are_known_and_measured(tree, size):
    """No Python code runs, and no more is looked at than could matter."""
    assert plain_size(tree, 1_000 if size == TOO_LARGE else 100_000) == size


def test_what_contains_itself_is_too_large_to_be_plain():
    """The walk ends, and the degrading one cuts the cycle."""
    loop: list = []
    loop.append(loop)
    assert plain_size(loop, 1 << 30) == TOO_LARGE
    assert written(loop) == ["<cycle>"]


def test_without_memory_the_value_is_cut(monkeypatch):
    """A megabyte where there is room for less; nothing but the fact where there is none."""
    real, room = line._has_memory, SimpleNamespace(bytes=100_000)
    monkeypatch.setattr(line, "_has_memory", lambda size: size <= room.bytes and real(size))
    kept = written({"text": "x" * 1_000_000, "n": 1})
    assert kept["n"] == 1
    assert "[cut: 1000000 characters]" in kept["text"]
    room.bytes = 1
    assert written({"text": "x" * 1_000_000}) == "[cut: no memory]"


RLIMIT = """
import os, resource, sys
from pathlib import Path
from telemetry_core import TelemetryClient
client = TelemetryClient(Path(sys.argv[1]))
run = client.start_run("a", "j")
client.log_event(run, "e", [{1}])
client.close()
large = ["x" * 500_000] * 4
odd = [{1}, "\x01" * 300_000]
died = []
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
for extra in range(0, 40_000_000, int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_AS, (used + extra, used + extra))
        try:
            for payload in (large, odd, {"n": 1}):
                client.log_event(run, "e", payload)
        except BaseException:
            os._exit(3)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if status:
        died.append((extra, status))
print(died)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS and /proc")
def test_an_agent_short_of_memory_lives(tmp_path):
    """At every level of RLIMIT_AS: no crash of a library, and no exception."""
    assert run(RLIMIT, str(tmp_path), "2600000", timeout=120) == "[]\n"
