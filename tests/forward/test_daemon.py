"""Forwarding by a real daemon to a real server, with deaths, slowness and bad settings."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from indexer.database.rebuild import rebuild
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.cli import COMMAND, in_process
from tests.support.daemon import eventually, running_daemon, start_daemon
from tests.support.database import count_runs
from tests.support.forward import Hostile, received, record
from tests.support.process import environment
from tests.support.throwaway import certificate

pytestmark = pytest.mark.needs("signals")

_TOKEN = "s3cr3t-T0ken-f0r-tests"


@pytest.fixture
def server() -> Iterator[Hostile]:
    with Hostile() as hostile:
        hostile.plan(token=_TOKEN)
        yield hostile


def _variables(server: Hostile, **more: str) -> dict[str, str]:
    return {"METRICS_API_URL": server.url, "METRICS_API_TOKEN": _TOKEN, **more}


def _settings(base: Path, text: str) -> None:
    (base / "config").mkdir(parents=True, exist_ok=True)
    (base / "config" / "telemetry.toml").write_text(text)


def _posted(base: Path) -> int:
    try:
        with closing(sqlite3.connect(base / "db" / "telemetry.sqlite")) as connection:
            return connection.execute("SELECT sum(api_posted) FROM agent_runs").fetchone()[0] or 0
    except sqlite3.OperationalError:
        return 0


def _status(base: Path, **variables: str) -> dict[str, Any]:
    found: dict[str, Any] = in_process(base, "status", "--json", **variables).json
    return found


def test_a_run_reaches_the_server_and_is_not_sent_again(base: Path, server: Hostile) -> None:
    """Posted, receipted in the log, folded; a changed run is another key; a rebuild sends none."""
    (run,) = record(base)
    with running_daemon(base, **_variables(server)):
        eventually(lambda: _posted(base) == 1)
        config = TelemetryConfig.for_base(base)
        TelemetryClient(config).associate_commit(run, "0123abcd")
        eventually(lambda: set(server.held()["held"]) == {f"{run}:2", f"{run}:3"})
        eventually(lambda: _posted(base) == 1)
    assert [(name, data["revision"], data["outcome"]) for name, data in received(base)] == [
        (run, 2, "delivered"),
        (run, 3, "delivered"),
    ]
    before = server.held()["requests"]
    shutil.rmtree(base / "db")
    rebuild(Base(TelemetryConfig.for_base(base)))
    ran = in_process(base, "forward", "--json", **_variables(server))
    assert (ran.code, ran.json["targets"][0]["waiting"]) == (0, 0), ran
    shutil.rmtree(base / "db")
    with running_daemon(base, **_variables(server)):
        eventually(lambda: _posted(base) == 1)
    assert server.held()["requests"] == before


_DIE = "import os, signal; die = lambda *_: os.kill(os.getpid(), signal.SIGKILL); "


@pytest.mark.parametrize(
    ("moment", "before", "tries"),
    [
        (
            "between the 200 and its receipt",
            "from indexer.outbox.receipts import Receipts; Receipts.write = die",
            2,
        ),
        (
            "between the receipt and its commit",
            "from indexer.forward import forwarder; forwarder.save_state = die",
            1,
        ),
        (
            "between the attempt's note and the attempt",
            "from indexer.forward.sender import Sender; Sender.send = die",
            1,
        ),
    ],
)
def test_a_killed_daemon_sends_the_same_bytes_under_the_same_key(
    base: Path, server: Hostile, moment: str, before: str, tries: int
) -> None:
    """`kill -9` around the commit: one key, one body, and no second one where a receipt stands."""
    (run,) = record(base)
    killed = start_daemon(base, **_variables(server, BEFORE_DAEMON=_DIE + before))
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, moment
    with closing(sqlite3.connect(base / "db" / "telemetry.sqlite")) as connection:
        ((attempts,),) = connection.execute("SELECT attempts FROM outbox").fetchall()
        assert attempts == 1, "the attempt was written down before it was made"
        # Else the next attempt would wait as if this one had just failed.
        connection.execute("UPDATE outbox SET next_attempt_at = 0")
        connection.commit()
    with running_daemon(base, **_variables(server)):
        eventually(lambda: _posted(base) == 1)
    held = server.held()
    assert held["tries"] == {f"{run}:2": tries}, moment
    assert held["faults"] == []


@pytest.mark.laboratory
def test_daemons_killed_at_any_moment_lose_nothing_and_double_no_key(
    base: Path, server: Hostile
) -> None:
    """Eight kills among runs that come and a server that resets: all is held, one body a key."""
    rng = random.Random(7)
    server.plan(token=_TOKEN, ways=["ok", "ok", "reset after", "reset before"], bad=1)
    runs = []
    for _ in range(8):
        runs += record(base, 5)
        process = start_daemon(base, **_variables(server))
        time.sleep(rng.uniform(0.3, 1.5))
        process.kill()
        process.communicate()
    with running_daemon(base, **_variables(server)):
        eventually(lambda: len(server.held()["held"]) == len(runs))
        eventually(lambda: _posted(base) == len(runs))
    held = server.held()
    assert set(held["held"]) == {f"{run}:2" for run in runs}
    assert held["faults"] == []


def test_a_slow_api_never_delays_indexing(base: Path, server: Hostile) -> None:
    """While each attempt hangs for its whole time, what is recorded is indexed as ever."""
    server.plan(token=_TOKEN, ways=["hang"], bad=1000)
    record(base, 4)
    with running_daemon(base, poll_interval=0.2, **_variables(server)):
        eventually(lambda: server.held()["requests"] >= 4)
        for number in range(5, 25):
            record(base)
            eventually(lambda number=number: count_runs(TelemetryConfig.for_base(base)) == number)
        assert server.held()["requests"] == 4, "all of that within one attempt"


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTP_PROXY": "nonsense://user:pr0xy-s3cret@host"},
        pytest.param(
            {"SSL_CERT_FILE": "/nowhere/at.all"},
            marks=pytest.mark.skipif(
                tuple(map(int, httpx.__version__.split(".")[:2])) < (0, 28),
                reason="older httpx passes over a file that is not there",
            ),
        ),
    ],
)
def test_a_bad_proxy_or_certificate_variable_is_an_error_in_the_status(
    base: Path, server: Hostile, variables: dict[str, str]
) -> None:
    """The daemon lives, indexes, and says what to look at."""
    record(base)
    reported = _variables(server, **variables)
    with running_daemon(base, **reported):
        eventually(
            lambda: bool(_status(base, **reported)["forwarding"]["targets"][0]["last_error"])
        )
        record(base)
        eventually(lambda: count_runs(TelemetryConfig.for_base(base)) == 2)
        (target,) = _status(base, **reported)["forwarding"]["targets"]
    assert "SSL_CERT_FILE" in target["last_error"]
    assert "HTTP_PROXY" in target["last_error"]
    assert "s3cret" not in str(target)
    assert server.held()["requests"] == 0


@pytest.mark.parametrize(("host", "fits"), [("DNS:other.example", False), ("IP:127.0.0.1", True)])
def test_a_certificate_has_to_match(base: Path, tmp_path: Path, host: str, fits: bool) -> None:
    """Nothing is sent to who can't prove to be meant; what waits goes when it can."""
    record(base)
    with Hostile(str(certificate(tmp_path, host))) as server:
        server.plan(token=_TOKEN)
        variables = {
            "METRICS_API_URL": server.secure_url,
            "METRICS_API_TOKEN": _TOKEN,
            "SSL_CERT_FILE": str(tmp_path / "cert.pem"),
        }
        ran = in_process(base, "forward", "--json", **variables)
        (target,) = ran.json["targets"]
        assert server.held()["requests"] == int(fits)
    assert target["waiting"] == int(not fits)
    assert ("certificate" in (target["last_error"] or "").lower()) is not fits


def test_a_token_that_is_refused_pauses_the_target_until_somebody_says_retry(
    base: Path, server: Hostile
) -> None:
    """One attempt, an alarm; then `telemetry forward retry` with the daemon running."""
    server.plan(token="another")
    record(base, 3)
    reported = _variables(server)
    _settings(base, "[targets.api]\nin_flight = 1\n")
    with running_daemon(base, **reported):
        eventually(lambda: server.held()["requests"] == 1)
        eventually(
            lambda: _status(base, **reported)["forwarding"]["targets"][0]["state"] == "paused"
        )
        ran = in_process(base, "status", **reported)
        assert ran.code == 3
        assert "rejected our credentials (HTTP 401 Unauthorized): fix the token" in ran.out
        assert server.held()["requests"] == 1
        server.plan(token=_TOKEN)
        assert in_process(base, "forward", "retry", **reported).code == 0
        eventually(lambda: len(server.held()["held"]) == 3)
        eventually(lambda: in_process(base, "status", **reported).code == 0)


def test_a_dead_letter_stays_one_after_a_rebuild_until_it_is_retried(
    base: Path, server: Hostile
) -> None:
    """A 400 parks one run and no other; the log remembers it, and who has it tried again."""
    server.plan(token=_TOKEN, poison="broken")
    good = record(base, 2)
    (bad,) = record(base, product="broken")
    reported = _variables(server)
    ran = in_process(base, "forward", **reported)
    assert ran.code == 3, ran
    assert set(server.held()["held"]) == {f"{run}:2" for run in good}
    (letter,) = in_process(base, "forward", "dead", "--json", **reported).json
    assert (letter["run_id"], letter["target"], letter["revision"]) == (bad, "api", 2)
    assert letter["reason"] == "HTTP 400 Bad Request"
    shutil.rmtree(base / "db")
    before = server.held()["requests"]
    assert in_process(base, "forward", **reported).code == 3
    assert server.held()["requests"] == before, "rejected for good, also in a new database"
    server.plan(token=_TOKEN)
    retried = in_process(base, "forward", "retry", "--json", **reported).json
    assert retried == {"targets": ["api"], "retried": 1, "written": True}
    assert in_process(base, "forward", **reported).code == 0
    assert f"{bad}:2" in server.held()["held"]
    assert in_process(base, "forward", "dead", "--json", **reported).json == []


def test_a_target_that_is_added_later_gets_history_on_request_only(
    base: Path, server: Hostile, tmp_path: Path
) -> None:
    """It starts when it is first seen, also after a rebuild; a backfill sends the rest, once."""
    old = record(base, 3)
    reported = _variables(server)
    assert in_process(base, "forward", **reported).code == 0
    file = tmp_path / "runs.ndjson"
    _settings(base, f'[targets.copy]\nkind = "file"\npath = "{file}"\n')
    ran = in_process(base, "forward", **reported)
    assert (ran.code, file.exists()) == (0, False)
    assert "copy gets runs that end from now on; `telemetry forward backfill copy`" in ran.err
    shutil.rmtree(base / "db")
    new = record(base)
    assert in_process(base, "forward", **reported).code == 0
    assert _keys(file) == [f"{run}:2" for run in new]
    asked = in_process(base, "forward", "backfill", "copy", "--since", "1h", "--json", **reported)
    assert (asked.code, asked.json["target"], asked.json["written"]) == (0, "copy", True)
    for _ in range(2):
        assert in_process(base, "forward", **reported).code == 0
        assert sorted(_keys(file)) == sorted(f"{run}:2" for run in [*new, *old])
    assert server.held()["requests"] == 4, "the first target is sent nothing again"
    assert in_process(base, "forward", "backfill", "nobody", **reported).code == 1


def test_a_target_starts_on_a_base_without_runs(base: Path, server: Hostile) -> None:
    """Forwarding by hand before anything is recorded, then after it."""
    reported = _variables(server)
    assert in_process(base, "forward", **reported).code == 0
    (run,) = _record_only(base)
    assert in_process(base, "forward", **reported).code == 0
    assert set(server.held()["held"]) == {f"{run}:2"}


def _record_only(base: Path) -> list[str]:
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "0"}))
    with client.track_run("crawler", "nightly") as run:
        pass
    return [run.run_id]


def _keys(file: Path) -> list[str]:
    return [json.loads(line)["key"] for line in file.read_text().splitlines()]


def test_forward_says_who_does_it_already(base: Path, server: Hostile) -> None:
    """While a daemon runs, a pass by hand is refused, with its pid."""
    record(base)
    with running_daemon(base, **_variables(server)) as daemon:
        eventually(lambda: _posted(base) == 1)
        ran = in_process(base, "forward", **_variables(server))
    assert ran.code == 1
    assert f"process {daemon.pid}" in ran.err


@pytest.mark.parametrize(
    "enabled", [{"METRICS_API_ENABLED": "false"}, {"TELEMETRY_TEST_MODE": "mock"}]
)
def test_nothing_is_sent_where_it_is_switched_off(
    base: Path, server: Hostile, enabled: dict[str, str]
) -> None:
    """Neither by the daemon nor by hand."""
    record(base)
    reported = _variables(server, **enabled)
    in_process(base, "forward", **reported)
    with running_daemon(base, **reported):
        record(base)
        eventually(lambda: count_runs(TelemetryConfig.for_base(base)) == 2)
    assert server.held()["requests"] == 0


def test_the_token_is_in_nothing_that_is_written(
    base: Path, server: Hostile, tmp_path: Path
) -> None:
    """Log, database, status, logs at their most talkative, tracebacks; nor the URL's secrets."""
    server.plan(token=_TOKEN, poison="broken", ways=["ok", "500", "garbage", "reset after"], bad=2)
    record(base, 3)
    record(base, product="broken")
    url = server.url.replace("//", "//user:passw0rd@") + "?api_key=qu3ry-s3cret"
    reported = {**_variables(server), "METRICS_API_URL": url}
    written = []
    logged = tmp_path / "daemon.log"
    with open(logged, "wb") as file:
        daemon = subprocess.Popen(
            [*COMMAND, "--base", str(base), "-v", "index", "--watch"],
            stderr=file,
            stdout=file,
            env=environment(**reported),
        )
    eventually(lambda: server.held()["requests"] > 0)
    eventually(lambda: "rejected" in str(received(base)))
    server.plan(token="another")
    record(base)
    eventually(lambda: "unauthorized" in str(received(base)))
    daemon.terminate()
    daemon.wait(timeout=60)
    written.append(logged.read_text())
    for command in (
        ["status"],
        ["status", "--json"],
        ["status", "--prometheus"],
        ["forward", "status"],
        ["forward", "status", "--json"],
        ["forward", "dead", "--json"],
        ["forward", "test", "api"],
        ["-v", "forward", "test", "nobody"],
        ["forward", "retry"],
        ["-v", "forward"],
        ["doctor", "--json"],
        ["doctor"],
        ["tail", "--json"],
        ["sql", "SELECT * FROM outbox"],
        ["service", "install", "--print", "--kind", "systemd"],
    ):
        ran = in_process(base, *command, **reported)
        written += [ran.out, ran.err]
    written += [path.read_bytes().decode("latin-1") for path in base.rglob("*") if path.is_file()]
    text = "\n".join(written)
    assert len(text) > 20_000
    for secret in (_TOKEN, "passw0rd", "qu3ry-s3cret"):
        places = [text[max(0, at - 80) : at + 40] for at in _places(text, secret)]
        # A service has to know where to post; see what is said of that in its docs.
        assert [one for one in places if "Environment=" not in one] == []


def _places(text: str, secret: str) -> list[int]:
    return [at for at in range(len(text)) if text.startswith(secret, at)]


def test_settings_that_make_no_sense_are_told_and_cost_nobody_else(
    base: Path, server: Hostile
) -> None:
    """What, where, and what to do; the others are sent to, and indexing goes on."""
    record(base)
    _settings(base, '[targets.bad]\nkind = "pigeon"\nurl = "http://x"\n')
    reported = _variables(server)
    ran = in_process(base, "status", **reported)
    assert ran.code == 3
    assert (
        "telemetry.toml: target bad: kind is 'pigeon': use one of http, sheets, file, otlp"
        in ran.out
    )
    assert in_process(base, "forward", **reported).code == 3
    assert server.held()["requests"] == 1
    _settings(base, "targets = [\n")
    with running_daemon(base, **reported):
        eventually(lambda: _status(base, **reported)["forwarding"]["problems"] != [])
        record(base)
        eventually(lambda: server.held()["requests"] == 2)
