"""A line that the extension makes is, byte for byte, the one that Python makes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry_core import redaction
from telemetry_core.fast_append import new_fast_append
from telemetry_core.line import line_of
from telemetry_core.process import own_source
from telemetry_core.redaction import Redactor
from telemetry_core.run_id import run_id_of
from telemetry_core.secret_names import NAMES
from telemetry_core.secret_shapes import SHAPES
from telemetry_core.speed import WHY_PURE
from tests.support.secrets import HARMLESS, SECRETS
from tests.support.trees import ODD, PLAIN, TEXTS

pytestmark = pytest.mark.skipif(bool(WHY_PURE), reason=f"the extension: {WHY_PURE}")

TICK = ("01a218c0-9a44-7b98-8ffd-229c2a35415e", "2026-11-26T16:46:45.316742Z", "20261126")
_ANCHORS = tuple(one.anchor.lower() for one in (*NAMES, *SHAPES))
_many = settings(max_examples=500, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Return what the extension makes of (kind, run id, data): a line, or None."""
    from telemetry_core.append_file import AppendFile
    from telemetry_core.fast_append import Turn

    fast = new_fast_append()
    file = AppendFile(tmp_path_factory.mktemp("fast") / "file")
    redactor = Redactor()

    def made(kind, run_id, data, tick=TICK):
        if redaction.active is not redactor:
            redaction.active = redactor
            fast.hand_over(file.identity, file, "20261126", 0, Turn(0.0, 0))
        head = fast.head_of(kind, run_id)
        found = fast.emit(head, data, tick, 0, redactor, False, -1.0)
        assert found is None or (found[0], found[2], found[3]) == (TICK[0], TICK[2], -1.0)
        return found and found[1]

    before = redaction.active
    yield made
    redaction.active = before
    file.close()


def by_python(kind, run_id, data):
    """Return the line that Python makes of the same."""
    return line_of(TICK[0], own_source(), kind, run_id_of(run_id), TICK[1], data)


@_many
@given(PLAIN, TEXTS)
def test_plain_trees_are_written_alike(make, payload, event_type):
    """All of them, unless a text looks like a secret: then Python looks closer."""
    data = {"event_type": event_type, "payload": payload}
    line, expected = make("run.event", "run", data), by_python("run.event", "run", data)
    assert line is None or line == expected
    if not any(anchor in expected.lower() for anchor in _ANCHORS):
        assert line == expected


@_many
@given(ODD, st.one_of(TEXTS, st.none(), st.integers(), st.text(max_size=1200)))
def test_whatever_is_odd_is_left_to_python(make, payload, run_id):
    """A line of the extension is the right one or none at all, whatever it is given."""
    data = {"event_type": "e", "payload": payload}
    line = make("run.event", run_id, data)
    assert line is None or line == by_python("run.event", run_id, data)


@_many
@given(
    st.sampled_from([text for _, text in SECRETS] + ["Basic aGVsbG8=", "ftp://u:pw1234@h/x"]),
    st.text(max_size=9),
    st.text(max_size=9),
    st.sampled_from(("text", "password", "apiKey", "CLIENT_SECRET", "cookie", "x-access-token")),
)
def test_no_secret_gets_past_the_look(make, secret, before, after, name):
    """At any place, behind any name: where Python replaces something, the extension gives up."""
    data = {"a": "b" * (len(before) % 2), name: f"{before}{secret}{after}"}
    expected = by_python("run.event", "run", data)
    line = make("run.event", "run", data)
    assert line == expected if line else True


def test_the_look_finds_every_secret_wherever_it_stands(make):
    """Every secret, deep inside JSON inside JSON, at even and odd places, in long texts."""
    for _, text in SECRETS:
        for around in ("", "x ", "word and another " * 500, "a: b, " * 301):
            inner = f"{around}{text} {around}"
            for _ in range(5):
                data: dict[str, Any] = {"a": inner}
                assert make("run.event", "run", data) is None
                inner = orjson.dumps(data).decode()
    for name in ("Password", "apiKey", "db_PASSWD2", "Cookie", "client-secret", "access_token"):
        for pad in ("", "x"):
            data = {"x": "y " * 5_000 + pad, name: "hunter2222", "z": "y " * 5_000}
            assert make("run.event", "run", data) is None


def test_what_agents_say_all_day_is_not_taken_for_a_secret(make):
    """Else the way in C would be no way at all: tokens, URLs, addresses, ids, digests."""
    for value in (
        *HARMLESS[8:10],
        HARMLESS[11],
        {"usage": {"input_tokens": 3, "gen_ai.usage.output_tokens": 7}, "mail": "me@example.com"},
        "the monkeys broke the cookies' jar; see https://example.com/a?b=c and http://x.y:80/z",
        "task-20261126-abcdefghijkl disk-1234567890123 passing secretary tokenizer",
    ):
        data = {"event_type": "e", "payload": value}
        assert make("run.event", "run", data) == by_python("run.event", "run", data), value


@pytest.mark.parametrize(
    "value",
    [
        "x" * 200_000,
        ["x"] * 30_000,
        {"a": {str(n): n for n in range(30_000)}},
        [0.1] * 60_000,
        [[[]] * 100] * 300,
        "\x00" * 131_000,
    ],
    ids=["text", "list", "object", "numbers", "nested", "escapes"],
)
def test_large_trees_are_pythons(make, value):
    """Its bounds are by bytes and by time; the extension takes what is far below them."""
    data = {"event_type": "e", "payload": value}
    line = make("run.event", "run", data)
    assert line is None or line == by_python("run.event", "run", data)
    assert line is None or len(line) < 1_048_576


def test_deep_and_endless_trees_are_pythons(make):
    """Nesting is bounded, and so a tree that contains itself ends."""
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    endless: dict[str, Any] = {}
    endless["self"] = endless
    wide: list[Any] = [[0] * 100]
    for _ in range(30):
        wide = [wide, wide]
    for value in (deep, endless, wide):
        assert make("run.event", "run", {"payload": value}) is None


@pytest.mark.parametrize(
    "tick",
    [None, (), TICK[:2], (*TICK, "x"), ("x", "y", "z"), (1, 2, 3), list(TICK), object(), "abc"],
)
def test_a_tick_that_is_none_is_pythons(make, tick):
    """Id, time and day are three texts of their lengths, or a ticker makes them."""
    assert make("run.event", "run", {}, tick) is None
