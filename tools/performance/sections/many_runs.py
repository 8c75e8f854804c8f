"""The page's first byte at a million runs, in turns with a bare Starlette response."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Callable
from urllib.parse import urlsplit

import orjson

from indexer.store.connection import open_writer
from indexer.store.schema.check import create_schema
from indexer.system.base import Base
from telemetry_core.timestamp import format_time
from tools.performance.figure import Figure, Goal, Spread, percentile
from tools.performance.section import Bench, Section
from tools.performance.served import page_server, server
from tools.performance.turns import by_turns

_RUNS = 1_000_000
_ROUNDS = 60
_ADDRESSES = (
    "/",
    "/runs",
    "/runs?since=24h",
    "/runs?status=failed",
    "/runs?agent=rare",
    "/runs?q=zzz",
    "/runs?q=cost%3E100",
    "/runs?agent=agent-1&status=failed&since=7d",
    "/runs?sort=duration",
    "/agents",
    "/usage",
    "/runs/run-0",
)
_BARE = """
import sys, uvicorn
from starlette.responses import HTMLResponse
async def app(scope, receive, send):
    await HTMLResponse(b"x" * 30_000)(scope, receive, send)
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", lifespan="off")
"""
_ROW = (
    "INSERT INTO agent_runs (run_id, agent_name, job_type, status, start_time, end_time,"
    " duration_ms, items_discovered, items_succeeded, error_summary, last_event_time,"
    " event_count, revision) VALUES (?, ?, 'nightly', ?, ?, ?, ?, 40, 38, ?, ?, 12, 3)"
)


def _run(bench: Bench) -> Iterator[Figure]:
    base = bench.directory / "base"
    runs = _RUNS // 20 if bench.quick else _RUNS
    bench.say(f"a database of {runs:,} runs")
    _record(Base.at(base, {}).database_path, runs)
    with page_server(base) as page, _bare_server(bench) as bare:
        secret = orjson.loads((base / "config" / "ui.json").read_bytes())["secret"]
        floor = _asking(bare, "/", {})
        for address in _ADDRESSES:
            bench.say(address)
            ours = _asking(page.url, address, {"Authorization": f"Bearer {secret}"})
            sides = {"ours": ours, "bare": floor}
            yield _figure(address, by_turns(sides, bench.rounds(_ROUNDS)))


def _figure(address: str, found: dict[str, list[float]]) -> Figure:
    ours, bare = ([1e3 * one for one in found[name]] for name in ("ours", "bare"))
    return Figure(
        f"{address}, first byte, p95",
        "ms",
        percentile(ours, 95),
        percentile(bare, 95),
        "bare Starlette",
        Spread.of_ratios(ours, bare),
        Goal(200, of="ours"),
    )


def _asking(url: str, path: str, headers: dict[str, str]) -> Callable[[], float]:
    """Return what asks once, and returns the seconds until the answer begins."""
    host = urlsplit(url).netloc

    def ask() -> float:
        connection = HTTPConnection(host, timeout=30)
        begun = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        took = time.perf_counter() - begun
        answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        return took

    return ask


@contextmanager
def _bare_server(bench: Bench) -> Iterator[str]:
    """Starlette and uvicorn with nothing behind them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with server([sys.executable, "-c", _BARE, str(port)], url, bench.directory, {}):
        yield url


def _record(path: Path, runs: int) -> None:
    """Make a database with so many runs, the newest of them now."""
    path.parent.mkdir(parents=True)
    connection = open_writer(path)
    create_schema(connection)
    now = datetime.now(timezone.utc)
    connection.execute("BEGIN")
    connection.executemany(_ROW, (_row(now, number) for number in range(runs)))
    connection.execute("COMMIT")
    connection.close()


def _row(now: datetime, number: int) -> tuple[Any, ...]:
    start = format_time(now - timedelta(seconds=2.6 * number))
    agent = "rare" if number % 200_003 == 0 else f"agent-{number * 7919 % 9}"
    failed = number % 19 == 0
    status, error = ("failed", "TimeoutError: no reply") if failed else ("success", None)
    return f"run-{number}", agent, status, start, start, number * 7919 % 90_000, error, start


SECTION = Section("many_runs", "The page at a million runs", _run)
