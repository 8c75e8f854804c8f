from __future__ import annotations

import enum
from json import loads as decode_json
from types import SimpleNamespace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry_core import line as line_module
from telemetry_core.event import Event
from telemetry_core.line import MAX_LINE_BYTES, BadLine, decode, encode, line_of

TIME = "2026-11-22T12:34:56.789012Z"
TEXT = st.text(st.characters(blacklist_categories=("Cs",)))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | TEXT
    # orjson's shortest form of a float is exact; -0.0 equals 0.0.
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)
ENVELOPE = {
    "specversion": "1.0",
    "id": "i",
    "source": "host/1",
    "type": "run.event",
    "subject": "run",
    "time": TIME,
    "data": {},
}


def event(data, extensions=None):
    return Event("i", "host/1", "run.event", "run", TIME, data, extensions)


@given(JSON, TEXT.filter(bool))
def test_what_json_can_hold_comes_back_as_it_was(payload, run_id):
    """Decoding an encoded event gives that event, and its line holds one newline, at its end."""
    given_event = Event("i", "host/1", "run.event", run_id, TIME, {"payload": payload})
    # A key that names a secret is redacted, which is tested elsewhere.
    line = line_of(*given_event, redact=False)
    assert line.index(b"\n") == len(line) - 1
    assert decode(line) == given_event
    assert decode(line[:-1] + b"\r\n") == given_event


def test_the_line_is_the_cloudevent_of_the_contract():
    """The bytes are those that design and docs/format.md show, in that order."""
    assert encode(event({"a": 1})) == (
        b'{"specversion":"1.0","id":"i","source":"host/1","type":"run.event","subject":"run",'
        b'"time":"2026-11-22T12:34:56.789012Z","data":{"a":1}}\n'
    )


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type", "subject", "time"])
@pytest.mark.parametrize("value", [None, "", 1, {}, [], True, "missing"])
def test_an_envelope_without_a_required_name_is_a_bad_line(name, value):
    """Each required name must be there and be a text that is not empty."""
    broken = {**ENVELOPE, name: value}
    if value == "missing":
        del broken[name]
    with pytest.raises(BadLine, match=name):
        decode(orjson.dumps(broken))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "not JSON"),
        (b'{"specversion":"1.0","id":"x', "not JSON"),
        (b"\x00" * 32, "not JSON"),
        (b'{"a":"\xff"}', "not JSON"),
        (b'{"a":NaN}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "not an object: list"),
        (b"null", "not an object"),
        (orjson.dumps({**ENVELOPE, "specversion": "0.3"}), "specversion"),
        (orjson.dumps({**ENVELOPE, "time": "yesterday"}), "RFC 3339"),
        (orjson.dumps({**ENVELOPE, "time": "2026-13-41T00:00:00Z"}), "not an event"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_bad_line_says_why(line, reason):
    """Whatever is no event raises BadLine, and nothing else, with words for the quarantine."""
    with pytest.raises(BadLine, match=reason):
        decode(line)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_bad_line(line):
    """Any bytes at all are an event or a BadLine."""
    try:
        decode(line)
    except BadLine:
        pass


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("2026-11-22T12:34:56Z", "2026-11-22T12:34:56.000000Z"),
        ("2026-11-22T14:34:56.5+02:00", "2026-11-22T12:34:56.500000Z"),
        ("2026-11-22 12:34:56.1234567", "2026-11-22T12:34:56.123456Z"),
    ],
)
def test_times_of_strangers_are_made_canonical(written, canonical):
    """A time in any RFC 3339 spelling is read as the one that sorts as text."""
    assert decode(orjson.dumps({**ENVELOPE, "time": written})).time == canonical


def test_extensions_are_kept():
    """Top-level names that CloudEvents does not define survive both ways."""
    extensions = {"processstart": "boot:1", "traceparent": "00-ab"}
    assert decode(encode(event({}, extensions))).extensions == extensions
    assert decode(encode(event({}))).extensions is None
    without_data = {name: value for name, value in ENVELOPE.items() if name != "data"}
    assert decode(orjson.dumps({**without_data, "other": 1})).extensions == {"other": 1}


def nested_with_long_names():
    return {f"k{i}": {f"{j}{'n' * 300}": "v" * 100 for j in range(900)} for i in range(100)}


@pytest.mark.parametrize(
    "payload",
    [
        "x" * (MAX_LINE_BYTES + 1),
        "\x01\udcff" * 8_000_000,
        "\N{GRINNING FACE}" * 5_000_000,
        ["y" * 1_000] * 20_000,
        {f"k{i}": "z" * 9_000 for i in range(5_000)},
        nested_with_long_names(),
    ],
    ids=["text", "escaped", "astral", "list", "wide", "long names"],
)
def test_over_long_data_is_cut_and_marked(payload):
    """A line never exceeds what readers accept; what was cut says so, small values stay."""
    line = encode(event({"payload": payload, "small": [1, 2, 3]}))
    assert len(line) <= MAX_LINE_BYTES
    assert line.endswith(b"}\n")
    data = decode(line).data
    assert data["small"] == [1, 2, 3]
    assert b"[cut: " in line


def test_a_line_of_exactly_the_limit_stays_whole():
    """What readers accept is what writers write, to the byte: 16 MiB, in docs/format.md."""
    assert MAX_LINE_BYTES == 16_777_216
    room = MAX_LINE_BYTES - len(encode(event({"payload": ""})))
    line = encode(event({"payload": "x" * room}))
    assert len(line) == MAX_LINE_BYTES
    assert decode(line).data == {"payload": "x" * room}


def test_only_plain_values_meet_orjson_as_they_are(monkeypatch):
    """They alone, since others run Python inside it; and they always, since it is the quick way."""

    class Colour(enum.Enum):
        RED = "red"

    def unwanted(_value):
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(line_module, "degraded", unwanted)
        assert decode(encode(event({"a": [1, "b"]}))).data == {"a": [1, "b"]}
    dumps = orjson.dumps

    def only_degraded(value, option=None):
        assert type(value["data"].get("a", "")) is str
        assert type(value.get("x", "")) is str
        return dumps(value, option=option)

    monkeypatch.setattr(
        line_module,
        "orjson",
        SimpleNamespace(dumps=only_degraded, OPT_APPEND_NEWLINE=orjson.OPT_APPEND_NEWLINE),
    )
    assert decode_json(encode(event({"a": Colour.RED})))["data"] == {"a": "red"}
    assert decode_json(encode(event({}, {"x": Colour.RED})))["x"] == "red"
