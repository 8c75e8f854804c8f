"""What goes over the wire: addresses, rows as bytes, and what an answer means."""

from __future__ import annotations

import gzip
from datetime import date

import pytest

from indexer.fleet.errors import (
    FleetAddressInvalid,
    FleetNotReady,
    FleetRefused,
    FleetRequestInvalid,
    FleetUnreachable,
)
from indexer.fleet.schema.tables import LINES, NODES
from indexer.fleet.wire.address import FleetAddress, address_from, checked
from indexer.fleet.wire.answer import error_of
from indexer.fleet.wire.client import FleetClient, _written
from indexer.fleet.wire.native import columns_of, encode_columns
from indexer.fleet.wire.squeeze import Squeezer

_NODE = ("n", "t", 7, "h", "2.0", 0)
SECRET = "hunter2-of-the-fleet"
ENVIRONMENT = {"TELEMETRY_FLEET_USER": "shipper", "TELEMETRY_FLEET_TOKEN": SECRET}


def test_credentials_come_from_the_environment_and_show_nowhere() -> None:
    """No text made of an address has the password in it."""
    address = address_from("https://ch:8443/", "telemetry", ENVIRONMENT)
    assert (address.user, address.token) == ("shipper", SECRET)
    assert SECRET not in f"{address!r} {address} {address.shown}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ch:8443",
        "ftp://ch/",
        "https://",
        "https://u:p@ch/",
        "https://ch/?password=p",
        "http://[",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_its_reason(url: str) -> None:
    """Above all one with a password in it, which would be in logs and process lists."""
    with pytest.raises(FleetAddressInvalid) as caught:
        address_from(url, "telemetry", {})
    assert "u:p" not in str(caught.value)


def test_a_token_with_a_line_break_is_refused_before_it_is_a_header() -> None:
    """As files from Windows have it."""
    with pytest.raises(FleetAddressInvalid):
        checked(FleetAddress("http://ch", "d", "u", "token\r"))


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (200, "", None),
        (200, "159", FleetUnreachable),
        (401, "", FleetRefused),
        (403, "516", FleetRefused),
        (404, "192", FleetRefused),
        (404, "60", FleetNotReady),
        (404, "81", FleetNotReady),
        (500, "497", FleetRefused),
        (500, "241", FleetUnreachable),
        (500, "252", FleetUnreachable),
        (500, "", FleetUnreachable),
        (429, "", FleetUnreachable),
        (503, "", FleetUnreachable),
        (500, "33", FleetRequestInvalid),
        (400, "62", FleetRequestInvalid),
        (404, "", FleetRequestInvalid),
        (302, "", FleetUnreachable),
        (500, "not a number", FleetUnreachable),
    ],
)
def test_an_answer_is_done_later_or_for_an_operator(status, code, expected) -> None:
    """The error's code decides where there is one; a status alone misleads."""
    error = error_of(status, code, 7.0)
    assert type(error) is (expected or type(None))
    assert error is None or error.retry_after == 7.0


def test_columns_are_lengths_and_bytes() -> None:
    """Nothing is escaped, so any byte may be in a line; a name is there once, however often."""
    rows = [("n", 2, "", date(1970, 1, 2), 3, 4, 5, line) for line in (b"\x00\xff\n", b"")]
    sent = encode_columns(LINES, columns_of(rows))
    assert sent.startswith(b"\x08\x02\x04node\x16LowCardinality(String)")
    assert sent.endswith(b"\x04line\x06String\x03\x00\xff\n\x00")
    assert sent.count(b"\x01n") == 1


def test_a_day_out_of_range_is_the_nearest_that_the_type_holds() -> None:
    """A segment of the year 9999 stops no host."""
    days = (date(1, 1, 1), date(9999, 1, 1))
    rows = [("n", 2, "", day, 3, 4, 5, b"") for day in days]
    assert b"\x04Date\x00\x00\xff\xff" in encode_columns(LINES, columns_of(rows))


def test_what_only_knows_gzip_gets_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused request is made once more, and from then on in the way that all understand."""
    client = FleetClient(address_from("http://127.0.0.1:9/", "telemetry", {}))
    asked: list[str] = []

    def answer(_: object, body: bytes, headers: dict[str, str]) -> tuple[int, object, bytes]:
        asked.append(headers["Content-Encoding"])
        if headers["Content-Encoding"] != "gzip":
            return 415, error_of(415, ""), b""
        assert gzip.decompress(body) == encode_columns(NODES, columns_of([_NODE]))
        return 200, None, b""

    monkeypatch.setattr(client, "_squeezer", Squeezer("zstd", bytes))
    monkeypatch.setattr(client, "_answer", answer)
    client.insert(NODES, [_NODE])
    client.insert(NODES, [_NODE])
    assert asked == ["zstd", "gzip", "gzip"]


def test_a_request_that_is_wrong_in_itself_is_not_made_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once in each way; then it is an error."""
    client = FleetClient(address_from("http://127.0.0.1:9/", "telemetry", {}))
    monkeypatch.setattr(client, "_squeezer", Squeezer("zstd", bytes))
    monkeypatch.setattr(client, "_answer", lambda *_: (400, error_of(400, "62"), b""))
    with pytest.raises(FleetRequestInvalid):
        client.insert(NODES, [_NODE])


def test_a_parameter_is_a_value_whatever_is_in_it() -> None:
    """Quotes and backslashes end no text."""
    assert _written("it's\t\\") == "it\\'s\\t\\\\"
    assert _written(["a'b", "c"]) == "['a\\'b', 'c']"
    assert _written(7) == "7"


def test_nobody_listening_is_said_without_the_password() -> None:
    """The message names the reason and the next step, never a header."""
    address = address_from("http://127.0.0.1:9/", "telemetry", ENVIRONMENT)
    with FleetClient(address) as client, pytest.raises(FleetUnreachable) as caught:
        client.run("SELECT 1")
    assert "cannot be reached" in str(caught.value)
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"
