"""`telemetry quarantine` lists what is no event, and remembers who has looked."""

from __future__ import annotations

import gzip
import stat

import pytest

from tests.support.cli import Cli

_NAME = "events_20200101.ndjson"


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.fixture
def bad_log(base):
    """A log with two bad lines in one file and one in another."""
    raw = base / "raw"
    raw.mkdir(parents=True)
    (raw / _NAME).write_bytes(b"one\ntwo\n")
    (raw / "events_20200102.ndjson").write_bytes(b"three\n")
    return raw


def places(ran):
    return [(line["file"][7:15], line["offset"]) for line in ran.json]


def test_each_line_is_shown_with_place_reason_and_beginning(cli, bad_log):
    """The latest first, and nothing more than was asked for."""
    ran = cli("quarantine", "--json")
    assert ran.code == 0
    assert places(ran) == [("20200102", 0), ("20200101", 4), ("20200101", 0)]
    line = ran.json[0]
    assert (line["length"], line["excerpt"], line["acknowledged"]) == (6, "three", False)
    assert line["reason"]
    assert places(cli("quarantine", "--json", "-n", "1")) == [("20200102", 0)]
    assert "three" in cli("quarantine").out


def test_what_was_acknowledged_is_no_trouble_any_more(cli, bad_log):
    """The status is well again, the lines are still counted, and can still be listed."""
    assert cli("status").code == 3
    ran = cli("quarantine", "--acknowledge")
    assert (ran.code, ran.err) == (0, "acknowledged 3 lines\n")
    found = cli("status", "--json")
    assert found.code == 0
    assert (found.json["quarantine_new"], found.json["quarantine"]) == (0, [])
    assert found.json["lines"]["quarantined"] == 3
    assert cli("quarantine", "--json").json == []
    everything = cli("quarantine", "--all", "--json").json
    assert [line["acknowledged"] for line in everything] == [True] * 3


def test_what_comes_later_counts_anew(cli, bad_log):
    """In a file that was looked at, and in one that is new."""
    cli("quarantine", "--acknowledge")
    with open(bad_log / _NAME, "a") as log:
        log.write("later\n")
    (bad_log / "events_20200103.ndjson").write_bytes(b"new\n")
    found = cli("status", "--json")
    assert (found.code, found.json["quarantine_new"]) == (3, 2)
    assert places(cli("quarantine", "--json")) == [("20200103", 0), ("20200101", 8)]


def test_it_outlives_the_view_and_the_compression_of_a_file(cli, bad_log):
    """The view is disposable, and a compressed file has the same lines at the same offsets."""
    cli("quarantine", "--acknowledge")
    content = (bad_log / _NAME).read_bytes()
    (bad_log / f"{_NAME}.gz").write_bytes(gzip.compress(content))
    (bad_log / _NAME).unlink()
    assert cli("rebuild").code == 0
    found = cli("status", "--json").json
    assert (found["lines"]["quarantined"], found["quarantine_new"]) == (3, 0)


@pytest.mark.parametrize("rubbish", [b"", b"[]", b"\xff", b'{"events_20200101.ndjson": "x"}'])
def test_a_memory_that_is_rubbish_costs_a_second_look(base, cli, bad_log, rubbish):
    """Nothing fails, and nothing is taken for acknowledged."""
    (base / "config").mkdir()
    (base / "config" / "quarantine.json").write_bytes(rubbish)
    assert cli("status", "--json").json["quarantine_new"] == 3
    assert cli("quarantine", "--acknowledge").code == 0
    assert cli("status").code == 0


@pytest.mark.needs("modes")
def test_the_memory_is_its_owners_alone(base, cli, bad_log):
    """As all that we write."""
    cli("quarantine", "--acknowledge")
    path = base / "config" / "quarantine.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [other.name for other in path.parent.iterdir()] == ["quarantine.json"]


def test_where_there_is_nothing_to_acknowledge_nothing_is_written(base, cli, client):
    """Looking at a base that is well leaves no trace."""
    client.start_run("agent", "job")
    assert cli("quarantine", "--acknowledge").code == 0
    assert not (base / "config").exists()
