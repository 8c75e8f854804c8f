"""`telemetry status` tells how things are, and its exit code whether somebody should look."""

from __future__ import annotations

import gzip
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
import zstandard

from indexer.cli.main import run as run_command
from indexer.system.base import DAEMON, Base
from tests.support.cli import COMMAND, Cli, in_process
from tests.support.disk import leave_free
from tests.support.process import environment, run


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.fixture
def daemon(base):
    """A daemon on `base`, in a process of its own."""
    base.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "--base", str(base), "index", "--watch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    assert "indexing" in process.stderr.readline()
    yield process
    process.kill()
    process.wait()
    process.stderr.close()


def touch_status(base, **columns):
    connection = sqlite3.connect(base / "db" / "telemetry.sqlite")
    names = ", ".join(f"{name} = ?" for name in columns)
    connection.execute("INSERT OR IGNORE INTO indexer_status (id) VALUES (1)")
    connection.execute(f"UPDATE indexer_status SET {names}", tuple(columns.values()))
    connection.commit()
    connection.close()


def test_without_a_daemon_all_is_well(cli, client):
    """Agents that record and nobody who watches is a fine state."""
    client.start_run("agent", "job")
    ran = cli("status", "--json")
    assert ran.code == 0
    status = ran.json
    assert (status["state"], status["problems"]) == ("ok", [])
    assert status["daemon"]["running"] is False
    assert status["lag_bytes"] == 0
    assert status["bytes"]["log"] == status["bytes"]["read"] == status["bytes"]["accounted"] > 0
    assert status["lines"] == {"indexed": 1, "duplicate": 0, "quarantined": 0}


def test_a_running_daemon_is_shown(cli, client, daemon):
    """Its pid and heartbeat are there, and a reader waits for it rather than indexing."""
    client.start_run("agent", "job")
    ran = cli("status", "--json")
    assert ran.code == 0
    assert ran.json["daemon"]["running"] is True
    assert ran.json["daemon"]["pid"] == daemon.pid
    assert ran.json["runs"] == {"running": 1}
    assert f"process {daemon.pid} on" in cli("status").out


def test_a_second_daemon_says_who_is_there(base, daemon):
    """One indexer a base: the other exits 1 and names the first."""
    ran = in_process(base, "index", "--watch")
    assert ran.code == 1
    assert f"process {daemon.pid}" in ran.err


@pytest.mark.needs("signals")
def test_a_daemon_ends_on_sigterm(base, cli, client, daemon):
    """It finishes and exits 0; the status no longer shows it."""
    client.start_run("agent", "job")
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(timeout=60) == 0
    assert cli("status", "--json").json["daemon"]["running"] is False


def test_a_daemon_that_was_killed_is_not_taken_for_alive(cli, client, daemon):
    """The note it left behind deceives nobody, and its absence is no trouble."""
    client.start_run("agent", "job")
    cli("status")
    daemon.kill()
    daemon.wait()
    ran = cli("status", "--json")
    assert ran.code == 0
    assert ran.json["daemon"]["running"] is False


@pytest.mark.needs("signals")
def test_a_silent_daemon_is_trouble(base, cli, client, daemon):
    """A daemon that holds the base and leaves lines where they are makes exit code 3."""
    client.start_run("agent", "job")
    cli("status")
    daemon.send_signal(signal.SIGSTOP)
    try:
        (base / "raw" / "events_20260101.ndjson").write_text(_LATE)
        touch_status(base, heartbeat="2020-01-01T00:00:00.000000Z")
        note = base / "db" / "indexer.json"
        note.write_text(note.read_text().replace('"since":"20', '"since":"19'))
        ran = cli("status", "--json")
    finally:
        daemon.send_signal(signal.SIGCONT)
    assert ran.code == 3
    assert "silent" in ran.json["problems"][0]


def test_a_daemon_with_nothing_to_do_need_not_say_so(base, cli, client, daemon):
    """It writes nothing then; that it was last at work years ago is no trouble."""
    client.start_run("agent", "job")
    cli("status")
    touch_status(base, heartbeat="2020-01-01T00:00:00.000000Z")
    note = base / "db" / "indexer.json"
    note.write_text(note.read_text().replace('"since":"20', '"since":"19'))
    ran = cli("status", "--json")
    assert ran.json["daemon"]["running"] is True
    assert ran.json["problems"] == []


def test_lines_that_are_no_events_are_trouble(base, cli, client):
    """They are counted, the latest are shown with place and reason, and the exit code is 3."""
    client.start_run("agent", "job")
    (base / "raw" / "events_20200101.ndjson").write_bytes(b"garbage\n")
    ran = cli("status", "--json")
    assert ran.code == 3
    assert ran.json["state"] == "degraded"
    (line,) = ran.json["quarantine"]
    assert (line["file"], line["offset"], line["length"]) == ("events_20200101.ndjson", 0, 8)
    text = cli("status").out
    assert "1 log line could not be parsed" in text
    assert "events_20200101.ndjson" in text


def test_a_broken_file_is_trouble(base, cli, client):
    """A compressed file that can't be decoded is named."""
    client.start_run("agent", "job")
    (base / "raw" / "events_20200101.ndjson.gz").write_bytes(b"\x1f\x8b\x08\x00" + b"\xff" * 100)
    ran = cli("status", "--json")
    assert ran.code == 3
    assert [fault["file"] for fault in ran.json["file_faults"]] == ["events_20200101.ndjson.gz"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_file_that_was_cut_is_trouble_once_it_rests(
    base, cli, client, monkeypatch, suffix
):
    """While it grows it is unfinished, and no trouble; one that stayed so was not reported."""
    client.start_run("agent", "job")
    whole = gzip.compress(b"\n" * 9_000) if suffix == ".gz" else zstandard.compress(b"\n" * 9_000)
    (base / "raw" / f"events_20200101.ndjson{suffix}").write_bytes(whole[:-4])
    assert cli("status", "--json").json["problems"] == []
    monkeypatch.setattr("indexer.health.health._COMPRESSING_SECONDS", 0)
    ran = cli("status", "--json")
    assert ran.code == 3
    assert "ends in the middle" in ran.json["file_faults"][0]["fault"]


def test_an_error_since_the_last_start_is_trouble(base, cli, client):
    """An error is shown; what came before the daemon's last start counts no more."""
    client.start_run("agent", "job")
    cli("index")
    touch_status(base, started_at="2026-01-02", last_error="disk full", last_error_at="2026-01-03")
    ran = cli("status", "--json")
    assert (ran.code, ran.json["last_error"]) == (3, "disk full")
    touch_status(base, started_at="2026-01-04")
    assert cli("status").code == 0


def test_dropped_events_are_trouble(base, cli, client):
    """What writers had to let go is added up, each writer's last word counted once."""
    raw = base / "raw"
    raw.mkdir(parents=True)
    template = (
        '{{"specversion":"1.0","id":"{id}","source":"host/{pid}","type":"writer.dropped",'
        '"subject":"telemetry.writer","time":"2026-01-01T00:00:0{id}Z",'
        '"data":{{"events_dropped":{count}}}}}\n'
    )
    lines = ((1, 7, 3), (2, 7, 5), (3, 8, 10))
    text = "".join(template.format(id=i, pid=pid, count=count) for i, pid, count in lines)
    (raw / "events_20260101.ndjson").write_text(text)
    ran = cli("status", "--json")
    assert (ran.code, ran.json["events_dropped"]) == (3, 15)
    assert "15 events" in cli("status").out


@pytest.mark.needs("proc")
def test_a_run_whose_process_is_gone_is_shown_and_no_trouble(base, cli):
    """A killed agent is the agent's trouble: it is listed, and telemetry is well."""
    run(
        """
        import os, sys
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))
        client.start_run("agent", "job")
        os._exit(0)
        """,
        str(base),
    )
    ran = cli("status", "--json")
    assert ran.code == 0
    assert [run["reason"] for run in ran.json["stale_runs"]] == ["process gone"]
    assert "process gone" in cli("runs").out


@pytest.mark.needs("signals")
def test_status_waits_for_a_busy_daemon_briefly(cli, client, daemon):
    """A reader that the daemon keeps waiting gets an answer, with a warning."""
    client.start_run("agent", "job")
    cli("status")
    daemon.send_signal(signal.SIGSTOP)
    try:
        client.start_run("agent", "job")
        began = time.monotonic()
        ran = cli("runs", "--json")
    finally:
        daemon.send_signal(signal.SIGCONT)
    assert time.monotonic() - began < 60, "it waited for a daemon that is stopped"
    assert len(ran.json) == 1
    assert ran.err.startswith("warning: ")


def test_a_daemon_that_has_just_begun_is_not_silent(base, cli, client):
    """Before its first heartbeat the start counts, and not what an earlier daemon said."""
    client.start_run("agent", "job")
    cli("index")
    with Base(client.config).indexer_lease(DAEMON):
        assert cli("status", "--json").json["problems"] == []
        touch_status(base, heartbeat="2020-01-01T00:00:00.000000Z")
        assert cli("status", "--json").json["problems"] == []


def test_problems_say_where_to_look(base, cli, client):
    """A problem without a next step is only bad news."""
    client.start_run("agent", "job")
    with open(next((base / "raw").glob("*.ndjson")), "a") as log:
        log.write("no event\n")
    (problem,) = cli("status", "--json").json["problems"]
    assert problem == "1 log line could not be parsed: see `telemetry quarantine`"


_LATE = (
    '{"specversion":"1.0","id":"x","source":"h/1","type":"run.event","subject":"r",'
    '"time":"2026-01-01T00:00:00Z","data":{}}\n'
)


@pytest.mark.needs("signals")
@pytest.mark.parametrize("where", ["a file read before", "a new file"])
def test_the_lag_is_told_in_time_as_well(base, cli, client, daemon, where):
    """How long the oldest line that a stopped daemon has not read may have been waiting."""
    client.start_run("agent", "job")
    cli("status")
    daemon.send_signal(signal.SIGSTOP)
    (known,) = (base / "raw").glob("*.ndjson")
    try:
        with open(
            known if where == "a file read before" else base / "raw" / "x.ndjson", "a"
        ) as log:
            log.write(_LATE)
        found = cli("status", "--json").json
    finally:
        daemon.send_signal(signal.SIGCONT)
    assert found["lag_bytes"] == len(_LATE)
    assert found["backlog"]["files"] == 1
    since = time.time() - 1767225600
    if where == "a new file":
        assert since - 600 < found["lag_seconds"] <= since
    else:
        # The event is old, and came after the file was read.
        assert 0 < found["lag_seconds"] < 600


def test_a_line_without_its_end_waits_for_nobody(base, cli, client):
    """It is no lag in time: its writer has not finished it."""
    client.start_run("agent", "job")
    with open(next((base / "raw").glob("*.ndjson")), "a") as log:
        log.write('{"specversion":"1.0"')
    found = cli("status", "--json").json
    assert (found["lag_bytes"], found["lag_seconds"]) == (20, 0)


def test_a_damaged_view_is_found_when_asked_for(base, cli, client):
    """The check costs a reading of the whole file, so it is made only then."""
    for _ in range(200):
        client.start_run("agent", "job")
    cli("index")
    assert cli("status", "--json").json["integrity"] is None
    assert cli("status", "--integrity", "--json").json["integrity"]["ok"] is True
    view = sqlite3.connect(base / "db" / "telemetry.sqlite")
    (page,) = view.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'agent_runs_by_start'"
    ).fetchone()
    (page_bytes,) = view.execute("PRAGMA page_size").fetchone()
    view.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    view.close()
    with open(base / "db" / "telemetry.sqlite", "r+b") as file:
        # The index loses its entries: every page is still one, and they do not agree.
        file.seek((page - 1) * page_bytes + 3)
        file.write(b"\0\0")
    ran = cli("status", "--integrity", "--json")
    assert ran.code == 3
    assert ran.json["integrity"]["ok"] is False
    assert "telemetry rebuild" in ran.json["problems"][0]


def test_a_disk_that_is_nearly_full_is_trouble(cli, client, monkeypatch):
    """Before writers have to let events go."""
    client.start_run("agent", "job")
    leave_free(monkeypatch, 400_000_000)
    ran = cli("status", "--json")
    assert ran.code == 3
    assert ran.json["problems"][0].startswith("the disk has 400 MB left")


def _problems(cli):
    ran = cli("status", "--json")
    assert (ran.code == 3) == bool(ran.json["problems"])
    return ran.json["problems"]


@pytest.mark.needs("modes")
def test_a_segment_that_can_not_be_opened_is_a_problem(base, cli, client):
    """With or without a daemon: events in it may be missing."""
    client.start_run("agent", "job")
    assert _problems(cli) == []
    loop = base / "raw" / "events_20260101.ndjson"
    loop.symlink_to(loop)
    (problem,) = _problems(cli)
    assert problem.startswith("events_20260101.ndjson can't be opened (")
    assert cli("status", "--json").json["unreadable_files"][0]["file"] == loop.name


@pytest.mark.needs("open-moves")
@pytest.mark.parametrize("what", ["one segment", "the directory"])
def test_segments_that_were_indexed_and_are_gone_are_a_problem(what, base, cli, client):
    """Nothing but the database has their events: a rebuild would lose them."""
    client.start_run("agent", "job")
    assert _problems(cli) == []
    if what == "the directory":
        shutil.rmtree(base / "raw")
    else:
        next((base / "raw").glob("*.ndjson")).unlink()
    (problem,) = _problems(cli)
    assert problem.startswith("1 event in the database came from segments that are gone")
    assert cli("status", "--json").json["events_without_segment"] == 1


@pytest.mark.parametrize("name", ["events_20260101.ndjson.swp", "events_20260101 (copy)", "core"])
def test_a_file_in_the_log_directory_that_is_not_read_is_a_problem(name, base, cli, client):
    """It may have events in it; files whose names begin with a dot are ours."""
    client.start_run("agent", "job")
    (base / "raw" / ".hidden").touch()
    assert _problems(cli) == []
    (base / "raw" / name).write_text("")
    (problem,) = _problems(cli)
    assert problem.startswith(f"{name} in the log directory is not read")


def test_a_variable_that_is_ignored_is_a_problem(base, client, capsys, monkeypatch):
    """Somebody's events go elsewhere than they think: status says so, and what named the base."""
    client.start_run("agent", "job")
    monkeypatch.setenv("TELEMETRY_BASE_DIR", str(base))
    assert run_command(["status"]) == 0
    assert f"{base}  (TELEMETRY_BASE_DIR)" in capsys.readouterr().out
    monkeypatch.setenv("TELEMETRY_NDJSON_DIR", "$HOME/events")
    assert run_command(["status"]) == 3
    assert "TELEMETRY_NDJSON_DIR is '$HOME/events'" in capsys.readouterr().out
