"""Where no centre is configured shipping costs a daemon nothing. No server is needed."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path

import pytest

from indexer.database.opening import open_or_rebuild
from indexer.fleet.fleet_shipping import FleetShipping
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.database import event, lines_of
from tests.support.process import run

_GATE = "indexer.fleet.fleet_shipping"
_DAEMON = """
import sqlite3, sys, threading, time
from contextlib import closing
from pathlib import Path
from indexer.daemon.loop import Daemon
from indexer.system.base import Base
from telemetry_core import TelemetryConfig

base = Base(TelemetryConfig.for_base(Path(sys.argv[1])))
daemon = Daemon(base)

def is_done():
    if sys.argv[2:] == ["shipping"]:
        return "indexer.fleet.worker" in sys.modules
    try:
        with closing(sqlite3.connect(base.database_path.as_uri() + "?mode=ro", uri=True)) as reader:
            return reader.execute("SELECT count(*) FROM agent_runs").fetchone() == (1,)
    except sqlite3.Error:
        return False

def stop_when_done():
    while not is_done():
        time.sleep(0.01)
    daemon.stop()

threading.Thread(target=stop_when_done, daemon=True).start()
daemon.run()
print(*sorted(name for name in sys.modules if name.startswith(("indexer.fleet.", "httpx"))))
"""


@pytest.fixture
def base(tmp_path: Path) -> Base:
    """A base with a run in its log."""
    base = Base(TelemetryConfig.for_base(tmp_path))
    base.log_directory.mkdir(parents=True)
    (base.log_directory / "events_20261122.ndjson").write_bytes(
        lines_of([event(1, "run.started")._replace(data={"agent_name": "a"})])
    )
    return base


def test_a_daemon_without_a_centre_imports_nothing_that_could_ship(base: Base) -> None:
    """Only what finds out that there is none."""
    assert run(_DAEMON, base.directory).split() == [_GATE]


def test_a_daemon_with_a_centre_imports_it(base: Base) -> None:
    """So that the test above cannot pass for want of a daemon."""
    (base.directory / "config").mkdir()
    (base.directory / "config" / "telemetry.toml").write_text(
        '[targets.fleet]\nkind = "clickhouse"\nurl = "http://127.0.0.1:9/"\ndatabase = "d"\n'
    )
    loaded = run(_DAEMON, base.directory, "shipping").split()
    assert {_GATE, "indexer.fleet.worker"} <= set(loaded)


def test_without_a_centre_no_statement_is_made_and_nobody_is_woken(base: Base) -> None:
    """After each pass, for as long as the daemon runs."""
    with closing(open_or_rebuild(base)) as session:
        session.run_pass()
        shipping = FleetShipping(base, pytest.fail)
        statements: list[str] = []
        session.connection.set_trace_callback(statements.append)
        for _ in range(3):
            shipping.step(session)
        assert (statements, shipping.wait) == ([], math.inf)
        shipping.stop()
