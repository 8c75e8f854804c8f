"""`telemetry tail` shows the latest events, and with -f each that follows, once."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess

import pytest

from indexer.cli.event_follower import EventFollower
from indexer.store.connection import reading
from indexer.store.run_queries import RunFilter
from tests.support.cli import COMMAND, Cli
from tests.support.process import environment


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.fixture
def follow(base):
    """Start `telemetry tail -f --json` with some arguments; it is ended at the end."""
    started = []

    def start(*arguments):
        base.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [*COMMAND, "--base", str(base), "tail", "-f", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def steps(lines):
    events = [json.loads(line) for line in lines]
    return [event["payload_json"] for event in events if event["event_type"] == "step"]


def test_the_last_events_come_oldest_first(cli, client):
    """As many as asked for, of whatever run, in order of time."""
    for number in range(30):
        client.log_event(f"run-{number % 7}", "step", number)
    assert steps(cli("tail", "--json", "-n", "5").out.splitlines()) == [25, 26, 27, 28, 29]
    assert len(cli("tail").out.splitlines()) == 10
    assert cli("tail", "-n", "0").out == ""


def test_events_of_one_agent_or_run(cli, client):
    """Filters leave only what they name; a run is named as for show."""
    for number, agent in enumerate(["one", "two", "one"]):
        run_id = client.start_run(agent, "job", run_id=f"{agent}-{number}")
        client.log_event(run_id, "step", number)
    assert steps(cli("tail", "--json", "--agent", "one").out.splitlines()) == [0, 2]
    assert steps(cli("tail", "--json", "--run", "two-1").out.splitlines()) == [1]
    assert steps(cli("tail", "--json", "--run", "latest").out.splitlines()) == [2]
    assert cli("tail", "--run", "nonsense").code == 1


def test_a_line_has_time_agent_run_and_payload(cli, client):
    """What people read is one line an event, without control characters."""
    run_id = client.start_run("agent", "job")
    client.log_event(run_id, "a\nb", {"text": "x\x1b[31m\n"})
    line = cli("tail", "-n", "1").out
    assert line.count("\n") == 1
    assert "\x1b" not in line
    for part in ("agent", run_id, "a\\nb", '{"text":"x\\u001b[31m\\n"}'):
        assert part in line


@pytest.mark.needs("signals")
def test_follow_shows_each_event_once(client, follow):
    """Events of old and new runs come as they arrive, each once; Ctrl-C ends it with 0."""
    run_id = client.start_run("agent", "job")
    client.log_event(run_id, "step", "before")
    process = follow("-n", "1")
    assert steps([process.stdout.readline()]) == ["before"]
    for number in range(5):
        client.log_event(run_id, "step", number)
        assert steps([process.stdout.readline()]) == [number]
    other = client.start_run("agent", "job")
    assert json.loads(process.stdout.readline())["run_id"] == other
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err


def test_follow_begins_before_there_is_anything(client, follow):
    """The first event of a base that was empty is shown too."""
    process = follow()
    assert "nothing recorded yet" in process.stderr.readline()
    client.log_event("run", "step", "first")
    assert steps([process.stdout.readline()]) == ["first"]


def test_follow_sees_events_that_come_late(base, client, follow):
    """An event with an old time, from a file that arrives late, is shown when it arrives."""
    client.log_event("run", "step", "now")
    process = follow("-n", "1")
    process.stdout.readline()
    late = {
        "specversion": "1.0",
        "id": "late",
        "source": "far/1",
        "type": "run.event",
        "subject": "run",
        "time": "2020-01-01T00:00:00Z",
        "data": {"event_type": "step", "payload": "late"},
    }
    (base / "raw" / "events_20200101.ndjson").write_text(json.dumps(late) + "\n")
    assert steps([process.stdout.readline()]) == ["late"]


def test_follow_goes_on_over_a_rebuild(base, client, cli, follow):
    """A rebuilt database repeats nothing and misses nothing."""
    client.log_event("run", "step", 1)
    process = follow("-n", "1")
    process.stdout.readline()
    assert cli("rebuild").code == 0
    client.log_event("run", "step", 2)
    assert steps([process.stdout.readline()]) == [2]


def test_follow_filters_too(client, follow):
    """Only the agent asked for is followed."""
    client.start_run("one", "job", run_id="one")
    client.start_run("two", "job", run_id="two")
    process = follow("-n", "0", "--agent", "two")
    # Nothing tells when it has begun to follow, so both go on until it shows something.
    import threading

    stop = threading.Event()

    def write():
        while not stop.wait(0.05):
            client.log_event("one", "step", "one")
            client.log_event("two", "step", "two")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert steps([process.stdout.readline() for _ in range(3)]) == ["two"] * 3
    finally:
        stop.set()
        writer.join()


def test_following_a_big_run_reads_its_new_events_only(base, client, cli):
    """One event more of thousands is found by its id, unless an old one arrives late."""
    client.log_events("run", [("step", number) for number in range(3_000)])
    cli("index")
    follower = EventFollower(RunFilter(), None)
    with reading(base / "db" / "telemetry.sqlite") as connection:
        connection.row_factory = sqlite3.Row
        follower.skip(connection)
        client.log_event("run", "step", "new")
        cli("index")
        steps_taken = []
        connection.set_progress_handler(lambda: steps_taken.append(1), 1_000)
        assert [row["payload_json"] for row in follower.look(connection)] == ['"new"']
    # A look at all events would take some twenty steps of SQLite's machine for each.
    assert len(steps_taken) < 10


def test_events_stand_in_columns(cli, client):
    """Time, agent, run, type and payload begin at the same place in each line."""
    for agent, kind in (("a", "x"), ("agent-with-a-longer-name", "a.longer.type")):
        run_id = client.start_run(agent, "job", run_id=f"run-of-{agent}")
        client.log_event(run_id, kind, {"a": 1})
    lines = [line for line in cli("tail").out.splitlines() if '{"a":1}' in line]
    assert len({line.index('{"a":1}') for line in lines}) == 1
    assert len({line.index("run-of-") for line in lines}) == 1
