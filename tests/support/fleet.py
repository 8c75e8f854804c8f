"""A fleet for tests: hosts that shipped, a base that reads them, and one of all their logs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.event import Event
from tests.support.centre import Host, configure
from tests.support.clickhouse import Centre
from tests.support.database import event, lines_of
from tests.support.fleet_judge import union_of
from tests.support.history import two_weeks
from tests.support.working_agents import HELPER, more_work, trace_under_a_run, working_agents

SHARED = "shared-by-two-hosts"


class Fleet(NamedTuple):
    """The same runs, in one centre and in one base."""

    centre: Centre
    reader: Path
    """A base without a log, whose settings name the centre."""
    union: Path


def make_fleet(directory: Path, centre: Centre) -> Fleet:
    """Have three hosts record and ship, one of them part of a run that another began."""
    writers: dict[str, Callable[[Path], None]] = {"a": two_weeks, "b": _work, "c": _spans}
    for name, write in writers.items():
        write(directory / name)
    _client(directory / "a").start_run("shared", "job", run_id=SHARED)
    _client(directory / "c").end_run(SHARED, "failed", error_summary="ValueError: shared")
    hosts = [Host(Base(TelemetryConfig.for_base(directory / name)), centre) for name in writers]
    for host in hosts:
        host.ship()
    configure(directory / "reader", centre.address)
    union = union_of([host.base for host in hosts], directory / "union")
    return Fleet(centre, directory / "reader", union.directory)


def _client(base: Path) -> TelemetryClient:
    return TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "false"}))


def _work(base: Path) -> None:
    (base / "raw").mkdir(parents=True)
    events = [*working_agents(), *more_work(), *_late_call(), *trace_under_a_run(8_000_000)]
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(events))


def _spans(base: Path) -> None:
    client = _client(base)
    with client.track_run("crawler", "daily", items_discovered=3) as run:
        for number in range(3):
            with (
                run.span(f"page {number}") as span,
                run.llm_call("gpt-5", provider="openai") as call,
            ):
                span.set(url=f"/{number}")
                call.usage(input_tokens=1200, output_tokens=80)
            run.log_metrics({"loss": 1 / (number + 1)}, step=number)
            run.log_event("page", {"number": number})
        run.alert("three pages only", level="error")
        with (
            client.track_run("crawler", "child", item_name="inside"),
            client.track_run("leaf", "x"),
        ):
            pass
    left_open = client.start_run("reviewer", "pr", items_discovered=10, items_succeeded=4)
    client.log_event(left_open, "begun", {"of": "the review"})


def _late_call() -> list[Event]:
    """A call seconds after its run began: a report of that second knows its agent."""
    usage = {"gen_ai.request.model": "m-2", "gen_ai.usage.output_tokens": 7}
    data = {"span_id": "late", "name": "chat", "kind": "llm", "attributes": usage}
    return [
        event(9_000_000, "span.started", HELPER)._replace(data=data),
        event(9_100_000, "span.ended", HELPER)._replace(data={"span_id": "late"}),
    ]
