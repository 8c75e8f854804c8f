"""Messages of alerts go by the same outbox and sender as runs, and are as durable."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from indexer.database.session import Session
from indexer.forward.forwarding import Forwarding
from indexer.outbox.parcel import ALERT
from indexer.outbox.queue import NewParcel, backlogs, enqueue
from indexer.outbox.target import Target
from indexer.system.base import Base
from indexer.system.wakeup import Wakeup
from telemetry_core import TelemetryConfig
from tests.support.forward import record
from tests.support.log import Log

_SUBJECT = "telemetry.alert.nightly"


def _message(number: int) -> NewParcel:
    payload = json.dumps({"rule": "nightly", "number": number}).encode()
    key = f"nightly:{number}"
    time = f"2026-01-01T00:00:0{number}.000000Z"
    return NewParcel("alert:hook", _SUBJECT, number, key, payload, time, ALERT)


def _forward(base: Base, session: Session, channel: Target) -> None:
    """Do what the daemon does, until nothing is left that may be sent now."""
    with closing(Wakeup()) as wakeup:
        forwarding = Forwarding(base, wakeup.set, channels=(channel,))
        try:
            for _ in range(100):
                session.run_pass()
                forwarding.step(session)
                if forwarding.is_done:
                    return
                wakeup.wait(min(forwarding.wait, 1.0))
            pytest.fail("it never ends")
        finally:
            forwarding.stop(session)


def _sent(file: Path) -> list[str]:
    return [json.loads(line)["key"] for line in file.read_text().splitlines()]


def test_messages_are_delivered_in_order_once_and_receipted(base: Path, tmp_path: Path) -> None:
    """Without any target for runs; a run that is recorded waits for nothing."""
    record(base)
    config = Base(TelemetryConfig.for_base(base))
    channel = Target("alert:hook", "file", str(tmp_path / "hook.ndjson"))
    with closing(Session.open(config)) as session:
        session.run_pass()
        session.write(lambda connection: enqueue(connection, map(_message, (1, 2, 3))))
        _forward(config, session, channel)
        assert backlogs(session.connection, ALERT) == {}
        _forward(config, session, channel)
    assert _sent(tmp_path / "hook.ndjson") == ["nightly:1", "nightly:2", "nightly:3"]
    receipts = [one for one in Log(base / "raw").events() if one.type == "alert.delivered"]
    assert [(one.run_id, one.data["revision"]) for one in receipts] == [
        (_SUBJECT, 1),
        (_SUBJECT, 2),
        (_SUBJECT, 3),
    ]


def test_runs_and_alerts_leave_each_other_alone(base: Path, tmp_path: Path) -> None:
    """Queueing runs again removes no message, and what waits of alerts is nobody's backlog."""
    record(base)
    environ = {"METRICS_API_URL": "http://127.0.0.1:1/"}
    config = Base(TelemetryConfig.for_base(base, environ))
    with closing(Session.open(config)) as session:
        session.write(lambda connection: enqueue(connection, [_message(1)]))
        session.run_pass()
        assert backlogs(session.connection).keys() == {"api"}
        assert backlogs(session.connection, ALERT).keys() == {"alert:hook"}
        (key,) = _keys(session.connection)
        assert key == "nightly:1"


def _keys(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT key FROM outbox WHERE kind = ?", (ALERT,))
    return [key for (key,) in rows]
