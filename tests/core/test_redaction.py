"""What is a secret, what is none, and a line that stays a line."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telemetry_core import TelemetryClient, redaction
from telemetry_core.degrade import degraded
from telemetry_core.redaction import Redactor
from telemetry_core.secret_prefilter import Prefilter
from tests.support.log import Log
from tests.support.secrets import HARMLESS, SECRETS, joined

_REDACTOR = Redactor()


def _redacted(value: Any) -> Any:
    return orjson.loads(_REDACTOR(orjson.dumps(value)))


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[0])
def test_every_known_shape_is_found_wherever_it_stands(secret: tuple[str, str]) -> None:
    """Alone, in prose, in JSON inside a text, in a list; and what stands around it stays."""
    kind, text = secret
    mark = f"[redacted:{kind}]"
    assert _redacted({"a": text}) == {"a": mark}
    assert _redacted({"a": f"it says {text} there"}) == {"a": f"it says {mark} there"}
    assert _redacted({"a": f"first\n{text}\nlast\t{text}"}) == {"a": f"first\n{mark}\nlast\t{mark}"}
    assert _redacted(["x", {"y": [text]}]) == ["x", {"y": [mark]}]
    inner = orjson.loads(_redacted({"a": orjson.dumps({"b": text}).decode()})["a"])
    assert inner == {"b": mark}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"password": "hunter2"}, {"password": "[redacted:password]"}),
        ({"dbPassword": 'a"b\\'}, {"dbPassword": "[redacted:password]"}),
        ({"PGPASSWORD2": 12345, "n": 1}, {"PGPASSWORD2": "[redacted:password]", "n": 1}),
        ({"client-secret": ["a", "b"]}, {"client-secret": ["[redacted:secret]"] * 2}),
        ({"X-API-Key": "k"}, {"X-API-Key": "[redacted:key]"}),
        ({"token": "abcdefgh1234"}, {"token": "[redacted:token]"}),
        ({"Authorization": "Basic x"}, {"Authorization": "[redacted:authorization]"}),
        ({"set-cookie": "a=b"}, {"set-cookie": "[redacted:cookie]"}),
        ("API_KEY=abcd1234efgh make", "API_KEY=[redacted:key] make"),
        ("password: 'hunter22x'", "password: '[redacted:password]'"),
        ("{'password': 'pw', 'a': 1}", "{'password': '[redacted:password]', 'a': 1}"),
        ("pg://bob:pw@host/db", "pg://bob:[redacted:url-password]@host/db"),
        (
            {"key": "db.password", "value": {"stringValue": "pw"}},
            {"key": "db.password", "value": {"stringValue": "[redacted:password]"}},
        ),
        (
            {"name": "Cookie", "value": "a=b"},
            {"name": "Cookie", "value": "[redacted:cookie]"},
        ),
    ],
    ids=str,
)
def test_what_a_name_says_is_secret_is_replaced(value: Any, wanted: Any) -> None:
    """As a key of JSON, of JSON inside a text, of OTLP, and in program text."""
    assert _redacted({"it": value}) == {"it": wanted}
    assert json.loads(_redacted({"it": json.dumps(value)})["it"]) == wanted
    twice = _redacted({"it": json.dumps({"in": json.dumps(value)})})["it"]
    assert json.loads(json.loads(twice)["in"]) == wanted


@pytest.mark.parametrize("value", HARMLESS, ids=str)
def test_what_is_no_secret_stays_as_it_is(value: Any) -> None:
    """Counts of tokens, names of lists, program text, placeholders."""
    assert _redacted({"it": value}) == {"it": value}
    assert not _REDACTOR.find(orjson.dumps(value))


_TEXTS = st.one_of(
    st.sampled_from([text for _, text in SECRETS]),
    st.sampled_from(
        ["password", "token", '"', "'", "\\", ":", "=", ",", "\n", "x" * 9, "a1b2" * 5]
    ),
    st.text(max_size=8),
)
_WORDS = st.lists(_TEXTS, max_size=6).map("".join)
_NAMES = st.one_of(st.sampled_from(["password", "api_key", "token", "value", "key", "n"]), _WORDS)
_VALUES = st.recursive(
    st.one_of(_WORDS, st.none(), st.booleans(), st.integers(-(2**53), 2**53)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(_NAMES, inner, max_size=3),
        inner.map(lambda value: orjson.dumps(value).decode()),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(_VALUES)
@example({"secret": 'x\\"'})
@example(["secret=abcdef12", "://a:b@", '{"secret":1}'])
def test_a_redacted_line_is_the_same_line_without_secrets(value: Any) -> None:
    """It parses to the same tree, a second time changes nothing, and the quick look agrees."""
    line = orjson.dumps(value)
    once = _REDACTOR(line)
    if once != line:
        assert _REDACTOR(once) == once
        assert not _REDACTOR.is_harmless(line)
    assert _count(once) == _count(line)
    assert not _REDACTOR.find(once)


def _count(line: bytes) -> int:
    """How many names and values the line has; two names may have become one."""
    parts: list[Any] = []
    json.loads(line, object_pairs_hook=parts.extend)
    return len(parts)


def test_names_and_patterns_of_a_configuration_are_known_too(
    client: TelemetryClient, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each replaced as `configured`; a pattern that is none is left out."""
    monkeypatch.setenv("TELEMETRY_REDACT_NAMES", "pin, ssn")
    monkeypatch.setenv("TELEMETRY_REDACT_PATTERNS", r"CUST-\d+ ((")
    fresh = TelemetryClient(client.config)
    fresh.log_event("r", "e", {"card_pin": "1234", "text": 'for CUST-42 "x"', "spin": 3})
    (event,) = log.events()
    assert event.data["payload"] == {
        "card_pin": "[redacted:configured]",
        "text": 'for [redacted:configured] "x"',
        "spin": "[redacted:configured]",
    }
    assert redaction.wrong_patterns({"TELEMETRY_REDACT_PATTERNS": "(("}) == ["(("]


def test_the_writer_redacts_and_can_be_told_not_to(
    client: TelemetryClient, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No secret reaches the disk, in whatever an agent says; `off` writes it all."""
    secret = SECRETS[0][1]
    run = client.start_run("a", "b", input_summary=f"with {secret}")
    client.log_event(run, "e", {"x": [object(), secret]})
    client.log_events(run, [("e", {"password": "hunter2"}), ("f", secret)])
    client.end_run(run, error_details=secret)
    text = b"".join(path.read_bytes() for path in log.directory.iterdir() if path.is_file())
    assert secret.encode() not in text
    assert b"hunter2" not in text
    monkeypatch.setenv("TELEMETRY_REDACT", "off")
    TelemetryClient(client.config).log_event(run, "e", secret)
    assert log.events()[-1].data["payload"] == secret


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[0])
def test_a_secret_that_a_cut_would_tear_goes_as_a_whole(secret: tuple[str, str]) -> None:
    """Before the cut and after it, whichever part stays; other text is cut where it was asked."""
    redaction.configure({})
    before, after = "é and more " * 2_000, " and the rest " * 2_000
    text = before + secret[1] + after
    for place in (1, 8, len(secret[1]) - 1):
        assert redaction.without_torn_secret(text, len(before) + place) == before
        assert redaction.after_torn_secret(text, len(before) + place) == after
    assert redaction.without_torn_secret(text, 100) == text[:100]
    assert redaction.after_torn_secret(text, len(text) - 100) == text[-100:]


def test_nothing_of_a_secret_stays_where_texts_are_cut(client: TelemetryClient, log: Log) -> None:
    """In payloads, bytes, objects, containers, summaries, details and alerts."""
    name, text = "ghp" + "_", SECRETS[3][1]
    many = f"{text} " * 1_000

    class Odd:
        def __repr__(self) -> str:
            return many

    run = client.start_run("a", "b", input_summary=many)
    client.log_event(run, "e", [Odd(), {Odd()}, {1: [text] * 100}])
    client.alert(run, many, many)
    client.end_run(run, error_summary=many, error_details=many)
    kept = [degraded({"a": many, "b": many.encode(), many: 1}, room) for room in (20_000, 21_337)]
    written = json.dumps([event.data for event in log.events()])
    written += _REDACTOR(orjson.dumps(kept)).decode()
    assert name not in written
    assert text[-5:] not in written
    assert "[redacted:github-token]" in written


def test_the_quick_look_finds_whatever_the_thorough_one_finds() -> None:
    """In long texts, deep inside JSON inside JSON, in any case, among many lines."""
    for _, text in SECRETS:
        for around in ("", "word and another " * 500, "a: b, " * 300):
            inner = f"{around}{text} {around}"
            for _ in range(5):
                raw = orjson.dumps({"a": inner})
                assert _REDACTOR.find(raw)
                assert not Prefilter().is_harmless(raw)
                inner = raw.decode()
    for name in ("Password", "apiKey", "db_PASSWD2", "Cookie", "client-secret", "access_token"):
        raw = orjson.dumps({"x": "y " * 5_000, name: "hunter2222", "z": "y " * 5_000})
        assert _REDACTOR.find(raw)
        assert not Prefilter().is_harmless(raw)


def test_one_secret_in_a_batch_is_found_and_its_neighbours_stay(
    client: TelemetryClient, log: Log
) -> None:
    """All lines are looked at once, and each one alone where there is something."""
    events = [("e", {"n": n, "text": "an input of 3 tokens"}) for n in range(20)]
    client.log_events("r", [*events, ("e", {"password": "hunter2"}), *events])
    payloads = [event.data["payload"] for event in log.events()]
    assert payloads.pop(20) == {"password": "[redacted:password]"}
    assert payloads == [payload for _, payload in events * 2]


_HOSTILE = (
    "sk-",
    "eyJ",
    "password",
    '"password":"',
    "'token': '",
    "://a:",
    "-----BEGIN ",
    "\\\\",
    "PRIVATE KEY-----",
    "Bearer ",
    "api_key=",
    "https://",
    "secret[[[[",
)


def test_a_hostile_text_costs_no_more_than_its_length() -> None:
    """Anchors without end: a search that starts over at each would take hours here."""
    for part in _HOSTILE:
        text = orjson.dumps({"a": part * (100_000 // len(part))})
        joined(_REDACTOR.find(text))
