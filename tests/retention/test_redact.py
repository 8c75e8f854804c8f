"""Scanning and redacting a log: no secret stays, and nothing else changes."""

from __future__ import annotations

import gzip
import os
from datetime import timedelta
from pathlib import Path

import pytest

from indexer.retention.archive import archive
from indexer.retention.redact import redact
from indexer.retention.scan import redactor_for_scan, scan
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import Cli
from tests.support.log import Log
from tests.support.oracle import judge
from tests.support.secrets import SECRETS

_SECRET = SECRETS[0][1]
_OLD = "20200101"


@pytest.fixture
def base_with_secrets(base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base whose log has secrets: plain, compressed, in a spill file, in a torn line."""
    monkeypatch.setenv("TELEMETRY_REDACT", "off")
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "false"}))
    for number in range(3):
        with client.track_run("agent", "job", input_summary=f"with {_SECRET}") as run:
            run.log_event("e", {"password": "hunter2", "n": number})
            run.log_event("f", {"text": "nothing here"})
    client.close()
    today = Log(base / "raw").shared()[0]
    lines = today.read_bytes()
    for name in (f"events_{_OLD}.ndjson", f"events_{_OLD}.web-77.ndjson"):
        (base / "raw" / name).write_bytes(lines.replace(b'"id":"', b'"id":"%d' % len(name)))
    with gzip.open(base / "raw" / "events_20200102.ndjson.gz", "wb") as file:
        file.write(lines.replace(b'"id":"', b'"id":"x'))
    with open(today, "ab") as file:
        file.write(b'{"torn": "' + _SECRET.encode())
    monkeypatch.delenv("TELEMETRY_REDACT")
    return base


def _bytes_below(base: Path) -> bytes:
    """Every byte below a base, decompressed where it is compressed."""
    found = b""
    for path in sorted(base.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found += gzip.decompress(data) if path.name.endswith(".gz") else data
    return found


def test_a_scan_says_where_and_never_what(base_with_secrets: Path, capsys) -> None:
    """Exit code 3, with segment, offset, event and run."""
    cli = Cli(base_with_secrets, capsys)
    ran = cli("scan", "--json")
    assert ran.code == 3
    assert _SECRET not in ran.out + ran.err
    assert "hunter2" not in ran.out + ran.err
    places = ran.json["places"]
    assert len(places) == 4 * 6 + 1
    shared = Log(base_with_secrets / "raw").shared()[-1]
    data = shared.read_bytes()
    today = [one for one in places if one["segment"] == shared.name]
    for one in today[:-1]:
        assert one["event_id"].encode() in data[one["offset"] : one["offset"] + one["length"]]
    assert {kind for one in places for kind in one["kinds"]} == {SECRETS[0][0], "password"}
    assert cli("scan").code == 3


def test_redacting_leaves_no_secret_anywhere_and_all_else_as_it_was(
    base_with_secrets: Path, capsys
) -> None:
    """Neither in the log nor in the database; log and database agree; a receipt says so."""
    base = base_with_secrets
    cli = Cli(base, capsys)
    before = [run["run_id"] for run in cli("runs", "--json", "--limit", "0").json]
    assert _SECRET.encode() in _bytes_below(base)
    ran = cli("redact", "--yes", "--json")
    assert (ran.code, ran.json["lines"], ran.json["skipped"]) == (0, 25, {})
    left = _bytes_below(base)
    assert _SECRET.encode() not in left
    assert b"hunter2" not in left
    assert b"nothing here" in left
    assert [run["run_id"] for run in cli("runs", "--json", "--limit", "0").json] == before
    (receipt,) = [one for one in Log(base / "raw").events() if one.type == "log.redacted"]
    assert receipt.data["lines"] == 25
    assert cli("verify").code == 0
    judge(TelemetryConfig.for_base(base))
    assert cli("scan").code == 0
    assert cli("redact", "--yes", "--json").json["lines"] == 0


def test_writers_go_on_while_it_is_redacted(base_with_secrets: Path) -> None:
    """A process that has the segment open writes to the new one from then on."""
    base = Base.at(base_with_secrets)
    client = TelemetryClient(base.config)
    first = client.log_event("r", "e", 1)
    redact(base, redactor_for_scan({}))
    second = client.log_event("r", "e", 2)
    ids = [event.id for event in Log(base.log_directory).events()]
    assert {first, second} <= set(ids)
    judge(base.config, [first, second])


@pytest.mark.needs("modes")
def test_what_can_not_be_read_is_left_and_named(base_with_secrets: Path, capsys) -> None:
    """A segment that is a link to somewhere else is not ours to rewrite."""
    raw = base_with_secrets / "raw"
    os.rename(raw / f"events_{_OLD}.ndjson", base_with_secrets / "elsewhere")
    os.symlink(base_with_secrets / "elsewhere", raw / f"events_{_OLD}.ndjson")
    ran = Cli(base_with_secrets, capsys)("redact", "--yes", "--json")
    assert ran.code == 3
    assert "symbolic link" in ran.json["skipped"][f"events_{_OLD}.ndjson"]


def test_an_archive_stays_one(base_with_secrets: Path) -> None:
    """With its name, its kind and its mode."""
    base = Base.at(base_with_secrets)
    archive(base, timedelta(days=1), ".gz")
    names = sorted(os.listdir(base.log_directory))
    redact(base, redactor_for_scan({}))
    assert sorted(os.listdir(base.log_directory)) == names
    assert not scan(base, redactor_for_scan({})).places


def test_configured_names_are_looked_for(base: Path, client: TelemetryClient) -> None:
    """Those that came later than the log, too."""
    client.log_event("r", "e", {"pin": "1234"})
    found = scan(Base.at(base), redactor_for_scan({"TELEMETRY_REDACT_NAMES": "pin"}))
    assert [one.kinds for one in found.places] == [{"configured": 1}]
    assert not scan(Base.at(base), redactor_for_scan({})).places
