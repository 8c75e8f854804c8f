"""A base with alert rules, on a virtual clock: what is recorded, evaluated, sent and received."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any, Callable, Optional

from indexer.alerts.alerting import Alerting
from indexer.alerts.evaluation import Evaluation
from indexer.alerts.state import AlertState, read_state
from indexer.database.session import Session
from indexer.forward.forwarder import Forwarder
from indexer.forward.sender import Outcome
from indexer.outbox.attempt import AttemptResult, result_of_status
from indexer.outbox.parcel import Parcel
from indexer.outbox.receipts import Receipts
from indexer.outbox.target import Target
from indexer.store.alerts.events import alert_events
from indexer.store.connection import remove_database
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.event import Event
from telemetry_core.line import encode
from telemetry_core.timestamp import format_time, moment_of

HOOK = '[channels.hook]\nkind = "webhook"\nurl = "http://127.0.0.1:1/hook"\n'
START = 1_790_000_000.0


def rule(name: str, kind: str, **settings: Any) -> str:
    """A rule in TOML that notifies the channel hook."""
    values = {"name": name, "kind": kind, "channels": ["hook"], "group": "1s", **settings}
    return "[[alerts]]\n" + "".join(f"{key} = {json.dumps(v)}\n" for key, v in values.items())


class Inbox:
    """What a receiver has: by key, once; each attempt may fail before or after it is kept."""

    def __init__(self, rng: Optional[random.Random] = None) -> None:
        self._rng = rng
        self._coming: list[Outcome] = []
        self.is_down = False
        self.by_key: dict[str, dict[str, Any]] = {}
        self.bodies: dict[str, bytes] = {}

    def send(self, _target: Target, parcel: Parcel) -> None:
        self._coming.append((parcel, self._answer(parcel)))

    def outcomes(self) -> list[Outcome]:
        found, self._coming = self._coming, []
        return found

    def lose_answers(self) -> None:
        """Who waited for them has died."""
        self._coming.clear()

    def _answer(self, parcel: Parcel) -> AttemptResult:
        if self.is_down:
            return result_of_status(503)
        fails = self._rng is not None and self._rng.random() < 0.2
        if not fails or (self._rng is not None and self._rng.random() < 0.5):
            assert self.bodies.setdefault(parcel.key, parcel.payload) == parcel.payload
            self.by_key.setdefault(parcel.key, json.loads(parcel.payload))
        return result_of_status(500 if fails else 200)


class AlertBase:
    """One base, its daemon as far as alerts go, and a receiver."""

    def __init__(
        self,
        directory: Path,
        *rules: str,
        rng: Optional[random.Random] = None,
        problems: Callable[[Any], list[str]] = lambda _: [],
    ) -> None:
        self.now = START
        self.inbox = Inbox(rng)
        self.directory = directory
        self._problems = problems
        self._number = 0
        self._jitter = random.Random(1)
        (directory / "config").mkdir(parents=True)
        (directory / "raw").mkdir()
        self.configure(*rules)
        self.base = Base(TelemetryConfig.for_base(directory))
        self.session: Optional[Session] = None
        self.restart()

    def configure(self, *rules: str) -> None:
        """Write the settings file; a restart reads it."""
        (self.directory / "config" / "telemetry.toml").write_text(HOOK + "".join(rules))

    def restart(self) -> None:
        """Be another daemon: with what is on the disk."""
        if self.session is not None:
            self.session.close()
        self.inbox.lose_answers()
        self.session = Session.open(self.base)
        self.alerting = Alerting(self.base, self._problems, lambda: self.now)
        self.forwarder = Forwarder(
            (),
            Receipts(self.base),
            self.inbox,
            lambda: self.now,
            self._jitter.random,
            channels=self.alerting.settings.channels,
        )

    def lose_database(self) -> None:
        """Delete `db/`, and start again."""
        assert self.session is not None
        self.session.close()
        self.session = None
        remove_database(self.base.database_path)
        self.restart()

    def copy_to(self, directory: Path) -> None:
        """Back the log up."""
        shutil.copytree(self.directory / "raw", directory)

    def write(self, kind: str, run_id: str, /, at: Optional[float] = None, **data: Any) -> None:
        """Append an event, at the virtual time."""
        self._number += 1
        time = format_time(moment_of((self.now if at is None else at) + self._number * 1e-6))
        event = Event(f"id-{self._number:08d}", "host/1", kind, run_id, time, data)
        with open(self.directory / "raw" / "events_20260101.ndjson", "ab") as log:
            log.write(encode(event))

    def run(
        self, status: str = "success", agent: str = "cron", job: str = "nightly", **f: Any
    ) -> str:
        """Record a run that ends now; return its id."""
        run_id = f"run-{self._number:05d}"
        seconds = f.pop("seconds", 1)
        self.write("run.started", run_id, self.now - seconds, agent_name=agent, job_type=job)
        self.write("run.ended", run_id, status=status, duration_ms=seconds * 1000, **f)
        return run_id

    def step(self, seconds: float = 0.0) -> None:
        """Let time pass, and do what the daemon does in one round."""
        self.now += seconds
        assert self.session is not None
        self.session.run_pass()
        self.alerting.step(self.session)
        self.session.write(self.forwarder.step)

    def settle(self, seconds: float = 0.0) -> None:
        """Let time pass, and go on until what is due now has been sent, retries included."""
        self.now += seconds
        for _ in range(12):
            self.step(2.0)

    def messages(self, change: str = "") -> list[dict[str, Any]]:
        """What the receiver has, in the order of arrival."""
        return [one for one in self.inbox.by_key.values() if change in ("", one["change"])]

    def subjects(self, change: str = "fired") -> list[str]:
        """The subjects of all messages of a change."""
        return [item["subject"] for one in self.messages(change) for item in one["alerts"]]

    def state(self) -> AlertState:
        """What the database says of the rules."""
        assert self.session is not None
        return read_state(alert_events(self.session.connection))

    def truth(self, name: str) -> list[str]:
        """The subjects of which a rule finds something now."""
        assert self.session is not None
        on = Evaluation(self.base, self.session.connection, moment_of(self.now), self._problems)
        (wanted,) = [one for one in self.alerting.settings.rules if one.name == name]
        return [one.subject for one in on.conditions_of(wanted, self.state().of(name).started_at)]

    def close(self) -> None:
        """Close all files, so that the directory can be deleted everywhere."""
        if self.session is not None:
            self.session.close()
            self.session = None
        # Receipts are written by this process's one writer for the log.
        TelemetryClient(self.base.config).close()
