from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import pathlib
import types
import uuid
from unittest.mock import MagicMock

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_core import degrade
from telemetry_core.degrade import degraded, text_of
from telemetry_core.event import Event
from telemetry_core.line import decode, encode
from tests.support.process import run

np = pytest.importorskip("numpy", reason="needs NumPy")

NEIGHBOURS = {"before": 1, "after": ["intact", {"deep": None}]}


def written(value):
    """What a reader finds where `value` was logged; its neighbours must be there untouched."""
    data = {"before": 1, "value": value, "after": ["intact", {"deep": None}]}
    line = encode(Event("i", "s", "t", "r", "2026-11-22T12:34:56.789012Z", data))
    assert line.count(b"\n") == 1
    found = decode(line).data
    assert {name: found[name] for name in NEIGHBOURS} == NEIGHBOURS
    json.loads(line)
    return found["value"]


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int
    y: object = None


class Moment(dt.datetime):
    """As pandas' Timestamp is one."""


Pair = collections.namedtuple("Pair", "a b")
UTC = dt.timezone.utc
A_UUID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (Moment(2026, 1, 2, 3), "2026-01-02T03:00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(seconds=90), "0:01:30"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (decimal.Decimal("1.10"), "1.10"),
        (b"plain", "plain"),
        (b"\xff\x00", "base64:/wA="),
        (bytearray(b"ab"), "ab"),
        (memoryview(b"ab"), "ab"),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset(("b", "a")), ["a", "b"]),
        ({1, "a"}, ["a", 1]),
        (Point(1, {2}), {"x": 1, "y": [2]}),
        (Pair(1, b"x"), [1, "x"]),
        (collections.deque([1, 2]), [1, 2]),
        (types.MappingProxyType({"a": {1}}), {"a": [1]}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (Colour.RED, "red"),
        (Number.ONE, 1),
        (ValueError("no"), "ValueError: no"),
        (A_UUID, str(A_UUID)),
        (1 + 2j, "(1+2j)"),
        (float("nan"), None),
        (float("inf"), None),
        (2**64, str(2**64)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        ("a\ud800b", "a\\ud800b"),
        ({1: "a", None: "b", True: "c"}, {"1": "c", "None": "b"}),
        ({1: "int", "1": "text"}, {"1": "int", "1 (str)": "text"}),
        ({Colour.RED: 1, (1, 2): 2, b"k": 3}, {"red": 1, "(1, 2)": 2, "k": 3}),
        ({"a\udfff": {2**70: [float("nan")]}}, {"a\\udfff": {str(2**70): [None]}}),
        (np.float32(1.5), 1.5),
        (np.int64(-3), -3),
        (np.bool_(True), True),
        (np.str_("s"), "s"),
        (np.float16(0.5), 0.5),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([[1, 2], [3, 4]]).T, [[1, 3], [2, 4]]),
        (np.array(5), 5),
        (np.array([{1}, "x"], dtype=object), [[1], "x"]),
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (np.array(["2026-01-02T03", "NaT"], "M8[ns]"), ["2026-01-02T03:00:00.000000000", "NaT"]),
        (np.array([np.nan, 1.0]), [None, 1.0]),
    ],
)
def test_what_json_lacks_is_written_as_a_reader_would_expect(value, expected):
    """Each kind of value has one plain form, alone and among values that spoil orjson's try."""
    assert written(value) == expected
    assert written([value, 2**70, "\ud800"]) == [expected, str(2**70), "\\ud800"]


def test_huge_integers_are_exact_wherever_they_stand():
    """Python refuses to print them in decimal; their digits are kept, as values and as names."""
    huge = 10**5_000 + 1
    kept = written({"value": huge, huge: "name"})
    assert int(kept["value"], 0) == huge
    assert {int(name, 0): value for name, value in kept.items() if name != "value"} == {
        huge: "name"
    }


class Silent:
    """An object that defies description."""

    def __repr__(self):
        raise RuntimeError("no")

    __str__ = __repr__


class SilentText(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError("no")


class SilentError(Exception):
    def __str__(self):
        raise RuntimeError("no")


class Hollow:
    def __getattr__(self, name):
        raise ZeroDivisionError(name)


class Endless(collections.abc.Mapping):
    def __getitem__(self, key):
        return Endless()

    def __iter__(self):
        return iter("a")

    def __len__(self):
        return 1


@pytest.mark.parametrize(
    "make", [Silent, SilentError, Hollow, Endless, MagicMock, object, lambda: print, lambda: int]
)
def test_one_hostile_value_is_replaced_alone(make, monkeypatch):
    """A value that cannot even be described becomes a text; what stands around it is intact."""
    # However slow this machine is: what takes too long would cut what stands behind it.
    monkeypatch.setattr(degrade, "MAX_CPU_SECONDS", 60.0)
    monkeypatch.setattr(degrade, "MAX_SECONDS", 60.0)
    hostile = make()
    assert isinstance(written([{"bad": hostile, "good": 1}])[0]["bad"], (str, dict))
    assert written([{"bad": hostile, "good": 1}])[0]["good"] == 1
    assert "good" in written({"good", 1, Silent()})
    assert written({Silent(): 1, SilentText("k"): 2, "good": 3})["good"] == 3
    assert text_of(Silent()) == "<unprintable Silent>"


def test_cycles_are_cut():
    """A list inside itself ends at its second occurrence; a value used twice is no cycle."""
    loop: list = [1]
    loop.append({"again": loop})
    assert written(loop) == [1, {"again": "<cycle>"}]
    twice = [2**70]
    assert written([twice, twice]) == [[str(2**70)]] * 2


def test_nesting_without_end_is_cut_and_its_outer_levels_stay():
    """5,000 levels, of lists or of objects, cost the depths alone."""
    for make in (lambda inner: [7, inner], lambda inner: {"n": 7, "i": inner}):
        deep: object = "core"
        for _ in range(5_000):
            deep = make(deep)
        kept = written(deep)
        for _ in range(90):
            first, kept = kept.values() if isinstance(kept, dict) else kept
            assert first == 7


def test_a_payload_that_other_threads_change_is_still_one_good_line():
    """Values whose encoding runs Python, in a dictionary that grows and shrinks meanwhile.

    In a process of its own: orjson, given such a dictionary, takes the process down.
    """
    out = run(
        """
        import enum, sys, threading
        from datetime import datetime, timedelta, tzinfo
        from telemetry_core.event import Event
        from telemetry_core.line import decode, encode
        sys.setswitchinterval(1e-6)
        class Colour(enum.Enum):
            RED = "red"
        class Zone(tzinfo):
            def utcoffset(self, moment):
                return timedelta(0)
        for value in (Colour.RED, datetime(2026, 1, 1, tzinfo=Zone())):
            shared, done = {str(i): value for i in range(300)}, threading.Event()
            def churn():
                number = 0
                while not done.is_set():
                    number += 1
                    shared[f"new{number}"] = value
                    shared.pop(f"new{number - 50}", None)
                    if number % 100 == 0:
                        for i in range(300):
                            shared[f"x{i}"] = [value] * 3
                        for i in range(300):
                            del shared[f"x{i}"]
            thread = threading.Thread(target=churn, daemon=True)
            thread.start()
            for _ in range(150):
                data = {"shared": shared, "good": [1]}
                line = encode(Event("i", "s", "t", "r", "2026-11-22T12:34:56Z", data))
                kept = decode(line).data
                assert kept["good"] == [1] and kept["shared"]["0"]
            done.set()
            thread.join()
        print("alive")
    """,
        timeout=120,
    )
    assert out == "alive\n"


def test_a_payload_that_is_changed_after_it_was_looked_at_is_one_good_line():
    """Another thread may put a value into it that runs Python, in the moment before orjson has it.

    In a process of its own, for the same reason.
    """
    out = run("""
        import enum
        from telemetry_core import line
        class Evil(enum.Enum):
            A = 1
            @property
            def value(self):
                payload["inner"].clear()
                payload.clear()
                payload.update({str(number): [number] for number in range(10_000)})
                return 1
        payload = {"inner": list(range(1_000)), **{f"k{n}": {"a": [n]} for n in range(50)}}
        look = line.plain_size
        def look_and_be_late(tree, limit):
            size = look(tree, limit)
            payload["inner"][0] = Evil.A
            return size
        line.plain_size = look_and_be_late
        data = {"payload": payload, "good": [1]}
        made = line.line_of("i", "s", "t", "r", "2026-11-22T12:34:56.000000Z", data)
        assert line.decode(made).data["good"] == [1]
        print("alive")
    """)
    assert out == "alive\n"


ANYTHING = st.recursive(
    st.none()
    | st.integers()
    | st.floats()
    | st.text(st.characters())  # lone surrogates included
    | st.binary()
    | st.datetimes()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.uuids()
    | st.builds(Silent)
    | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.lists(inner, max_size=4).map(collections.deque)
        | st.builds(Point, inner, inner)
        | st.dictionaries(
            st.text(st.characters(), max_size=3)
            | st.integers()
            | st.booleans()
            | st.none()
            | st.binary()
            | st.floats()
            | st.tuples(st.integers()),
            inner,
            max_size=4,
        )
        | st.sets(st.text(st.characters()) | st.integers(), max_size=4)
    ),
    max_leaves=20,
)


@given(ANYTHING)
def test_anything_at_all_becomes_one_line_with_its_neighbours_intact(value):
    """No value makes encoding raise, spoils its neighbours or loses an entry of a mapping."""
    kept = written(value)
    if isinstance(value, dict):
        assert len(kept) == len(value)
    if isinstance(value, (list, tuple)):
        assert len(kept) == len(value)


def test_names_count_towards_the_limit():
    """Also names of which each character takes six bytes."""
    data = {f"{number}{chr(1) * 600}": "x" * 4_400 for number in range(90)}
    kept = degraded(data, 400_000)
    assert len(kept) == 90
    assert len(orjson.dumps(kept)) <= 400_000


@given(ANYTHING, st.integers(10_000, 20_000))
def test_shortening_stays_near_its_limit(value, limit):
    """Marks may take a little more: the line that is made of it is measured, and cut again."""
    data = written([value] * 50)
    size = len(json.dumps(degraded(data, limit), ensure_ascii=False, separators=(",", ":")))
    assert size <= 2 * limit
