"""Two weeks of four agents on two hosts: a base that has an answer to what people ask."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from telemetry_core.event import Event
from telemetry_core.line import encode
from telemetry_core.timestamp import format_time

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class History:
    """A log that is written run by run, each at a time of its own."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._events: list[Event] = []

    def run(
        self,
        agent: str,
        began: datetime,
        minutes: float,
        status: str = "success",
        steps: tuple[tuple[str, Any], ...] = (),
        **fields: Any,
    ) -> str:
        """Add a run, its steps spread evenly over its time; one that is running has no end."""
        run_id = f"{began:%Y%m%dT%H%M%SZ}-{agent}-{len(self._events):024x}"
        host = fields.setdefault("host", "web1")
        fields.setdefault("job_type", "nightly")
        self._add(run_id, began, "run.started", {"agent_name": agent, **fields})
        length = timedelta(minutes=minutes)
        for number, (kind, payload) in enumerate(steps, 1):
            data = {"event_type": kind, "payload": payload}
            self._add(run_id, began + length * number / (len(steps) + 1), "run.event", data, host)
        if status != "running":
            ended = {"status": status, "duration_ms": round(minutes * 60_000)}
            self._add(run_id, began + length, "run.ended", ended, host)
        return run_id

    def commit(self, run_id: str, when: datetime, commit: str) -> None:
        """Say later which commit a run led to."""
        data = {"git_commit_hash": commit, "git_commit_source": "llm"}
        self._add(run_id, when, "run.updated", data)

    def write(self, directory: Path) -> None:
        """Write all of it as one file of the log."""
        directory.mkdir(parents=True)
        lines = b"".join(encode(event) for event in self._events)
        (directory / f"events_{self.now:%Y%m%d}.ndjson").write_bytes(lines)

    def _add(
        self, run_id: str, when: datetime, kind: str, data: dict[str, Any], host: str = ""
    ) -> None:
        source = f"{host or data.get('host', 'web1')}/1"
        event_id = f"event-{len(self._events):06d}"
        self._events.append(Event(event_id, source, kind, run_id, format_time(when), data))


def two_weeks(base: Path) -> None:
    """Record what crawler, importer, reporter and mailer did, up to an hour ago."""
    history = History(datetime.now(timezone.utc))
    now = history.now
    for day in range(14, 0, -1):
        _crawl(history, now - day * DAY - 2 * HOUR, minutes=60 if day == 1 else 10)
        _import(history, now - day * DAY - 3 * HOUR, fails=day in (2, 6))
    evening = _last_evening()
    parent = history.run("reporter", evening, 30, job_type="weekly", host="web2")
    for number in (1, 2):
        began = evening + timedelta(minutes=number)
        history.run("reporter", began, 5, job_type="chapter", parent_run_id=parent, host="web2")
    history.commit(parent, evening + HOUR, "0123abcd")
    history.run("crawler", now - 26 * HOUR, 1, "running", job_type="backfill")
    history.run("mailer", now - 10 * DAY, 2, host="web2")
    history.write(base / "raw")


def _crawl(history: History, began: datetime, minutes: float) -> None:
    pages = tuple(("page", {"url": f"/{n}", "ms": 100 * n}) for n in (1, 2, 3))
    history.run(
        "crawler",
        began,
        minutes,
        steps=(*pages, ("retry", {"url": "/3"})),
        product="shop",
        items_succeeded=3,
        items_failed=0,
        metrics_json={"tokens": 1000, "cost": 0.25},
    )


def _import(history: History, began: datetime, fails: bool) -> None:
    if not fails:
        history.run("importer", began, 20, items_succeeded=50, item_name="orders.csv")
        return
    history.run(
        "importer",
        began,
        3,
        "failed",
        item_name="orders.csv",
        items_failed=1,
        error_summary="ValueError: no such column: price",
    )
    again = began + timedelta(minutes=10)
    history.run("importer", again, 20, items_succeeded=50, item_name="orders.csv")


def _last_evening() -> datetime:
    """Return ten in the evening of yesterday, as the clock on the wall here showed it."""
    today = time.localtime()
    evening = (today.tm_year, today.tm_mon, today.tm_mday - 1, 22, 0, 0, 0, 0, -1)
    return datetime.fromtimestamp(time.mktime(evening), timezone.utc)
