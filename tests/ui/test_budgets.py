"""How much a page reads, sends and asks for: what can be counted, on any machine alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

import indexer.ui.pages.usage as usage_page
import indexer.ui.queries.scan as scan_module
import indexer.ui.readers as readers_module
from indexer.store.connection import open_writer
from indexer.store.schema.check import create_schema
from indexer.system.base import Base
from indexer.ui.readers import Deadline
from telemetry_core import TelemetryClient
from telemetry_core.timestamp import format_time
from tests.support.browser import serving, watched
from tests.support.page import Visitor, visiting

_RUNS = 150_000
"""More than any page looks through."""
_CALLS = 150_000
_EVENTS = 20_000
_MOST_STEPS = 12_000_000
"""Of SQLite's machine, for one page. Two cores of 2026 take some 100 ms for as many."""

_LISTS = [
    "/",
    "/runs",
    "/runs?since=24h",
    "/runs?agent=rare",
    "/runs?q=zzz",
    "/runs?q=cost%3E100",
    "/runs?status=failed",
    "/runs?status=stale",
    "/runs?sort=duration",
    "/runs?agent=agent-1&status=failed&since=7d",
    "/agents",
    "/usage",
    "/usage?by=day&since=5000w",
    "/usage?by=agent&since=5000w",
    "/usage?by=project",
    "/health",
]
_TABS = ["spans", "events", "events&q=zzz", "metrics", "usage", "raw", "transcript"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose database has many runs, many calls, and one run with many events."""
    base = tmp_path_factory.mktemp("many") / "base"
    path = Base.at(base, {}).database_path
    path.parent.mkdir(parents=True)
    connection = open_writer(path)
    create_schema(connection)
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO agent_runs (run_id, agent_name, job_type, status, start_time, end_time,"
        " duration_ms, items_discovered, items_succeeded, error_summary, last_event_time,"
        " event_count, revision) VALUES (?, ?, 'nightly', ?, ?, ?, ?, 40, 38, ?, ?, 12, 3)",
        _runs(),
    )
    connection.executemany(
        "INSERT INTO run_spans (run_id, span_id, name, kind, start_time, end_time, model,"
        " provider, input_tokens, output_tokens, cost_reported_usd, counted)"
        " VALUES (?, ?, 'chat', 'llm', ?, ?, ?, 'openai', 1200, 80, 0.01, 1)",
        _calls(),
    )
    connection.executemany(
        "INSERT INTO run_events (run_id, event_id, event_type, timestamp, type, source,"
        " payload_json, file_id, offset, length)"
        " VALUES ('run-0', ?, 'tick', ?, 'run.event', 'h/1', '{\"a\":1}', 1, ?, 100)",
        ((f"{number:08d}", _time(number), number * 100) for number in range(_EVENTS)),
    )
    connection.execute("COMMIT")
    connection.close()
    return base


def _time(number: int) -> str:
    return format_time(datetime.now(timezone.utc) - timedelta(seconds=2.6 * number))


def _runs() -> Iterator[tuple[Any, ...]]:
    for number in range(_RUNS):
        start = _time(number)
        agent = "rare" if number % 20_011 == 0 else f"agent-{number * 7919 % 9}"
        failed = number % 19 == 0
        status, error = ("failed", "TimeoutError: no reply") if failed else ("success", None)
        duration = number * 6_364_136_223 % 90_000
        yield (f"run-{number}", agent, status, start, start, duration, error, start)


def _calls() -> Iterator[tuple[Any, ...]]:
    for number in range(_CALLS):
        run = 0 if number < _EVENTS else number
        start = _time(number)
        yield (f"run-{run}", f"call-{number}", start, start, f"model-{number % 7}")


class _Endless(Deadline):
    """A deadline that never comes, on a machine that is as fast as one likes."""

    looks = 0

    def is_over(self) -> bool:
        _Endless.looks += 1
        return False


@pytest.fixture
def visitor(many: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visitor]:
    """Somebody who looks at the many runs; nothing ends because of the time that it takes."""
    for module in (readers_module, scan_module, usage_page):
        monkeypatch.setattr(module, "Deadline", _Endless)
    with visiting(many) as one:
        yield one


def _steps(visitor: Visitor, path: str) -> int:
    """How many steps of its machine SQLite took for a page; a look comes every 2,000 steps."""
    _Endless.looks = 0
    assert visitor.get(path).status_code == 200
    return _Endless.looks * readers_module._STEPS_BETWEEN_LOOKS


@pytest.mark.parametrize("path", _LISTS)
def test_a_page_reads_a_bounded_part_of_many_runs(visitor: Visitor, path: str) -> None:
    """However many runs and calls there are, and however much time there is."""
    assert _steps(visitor, path) < _MOST_STEPS


@pytest.mark.parametrize("tab", _TABS)
def test_a_run_reads_a_bounded_part_of_its_events(visitor: Visitor, tab: str) -> None:
    """Also of one that has tens of thousands of events and spans."""
    assert _steps(visitor, f"/runs/run-0?tab={tab}") < _MOST_STEPS


@pytest.mark.parametrize("path", ["/", "/runs", "/agents", "/usage", "/health"])
def test_pages_are_small(visitor: Visitor, path: str) -> None:
    """With style and script, which are loaded once, a page stays under 80 kB."""
    assert len(visitor.get(path).content) < 55_000


def test_a_first_load_takes_three_requests(browser: Any, many: Path) -> None:
    """The page, its style and its script, 60 kB in all; the stream opens when they are there."""
    with serving(many) as server, watched(browser, server) as window:
        tab = window.context.new_page()
        tab.goto(server.url + "/runs")
        sizes = tab.evaluate(
            "performance.getEntriesByType('navigation')"
            ".concat(performance.getEntriesByType('resource'))"
            ".filter((one) => !one.name.includes('/events')).map((one) => one.transferSize)"
        )
        assert len(sizes) == 3
        assert 0 < sum(sizes) < 60_000


@pytest.mark.laboratory
def test_an_idle_page_asks_for_nothing(browser: Any, base: Path, client: TelemetryClient) -> None:
    """Ten seconds in which nothing happens are ten seconds without a request."""
    with client.track_run("before", "job"):
        pass
    with serving(base) as server, watched(browser, server) as window:
        page = window.go("/runs")
        page.locator(".live[data-state=live]").wait_for()
        page.wait_for_timeout(3_000)
        window.requests.clear()
        page.wait_for_timeout(10_000)
        assert window.requests == []
