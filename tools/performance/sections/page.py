"""The page in a browser: its budgets, and the same HTML without style, script or server of ours."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import click
import orjson

from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.run_context import RunContext
from tools.performance.browser import Chromium, Load, Window, chromium
from tools.performance.figure import Figure, Goal, Spread, percentile
from tools.performance.moves import moves
from tools.performance.section import Bench, Section
from tools.performance.sections.idle import taken
from tools.performance.served import PageServer, memory_mb, page_server

_RUNS = 2_000
_LOADS = 10
_UPDATES = 200
_STREAMS = 50
_IDLE_SECONDS = 10.0
_BETWEEN = 0.15
_GIVEN_UP_MS = 60_000.0
_FLOOR = "bare HTML"


class _Budget(NamedTuple):
    """A page, and what it may take."""

    name: str
    path: str
    ready: str
    paint_ms: float
    kilobytes: float


def _run(bench: Bench) -> Iterator[Figure]:
    with chromium() as browser:
        if browser is None:
            click.echo("no Chromium or no playwright: the page is left out", err=True)
            return
        base = bench.directory / "base"
        client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "false"}))
        budgets = _recorded(client)
        with page_server(base) as server:
            browser.sign_in(server.link)
            for budget in budgets:
                bench.say(budget.name)
                yield from _loading(bench, browser, server, budget)
            bench.say("live")
            yield from _live(browser, server, client, bench.rounds(_UPDATES))
            bench.say("at rest")
            yield from _idle(browser, server)
            yield from _streams(server, base)
            bench.say("scrolling")
            yield from moves(browser, server.url + budgets[-1].path, budgets[-1].ready)


def _recorded(client: TelemetryClient) -> list[_Budget]:
    """Record what the pages show, and return the pages with their budgets."""
    for number in range(_RUNS):
        run_id = client.start_run(f"crawler-{number % 20}", "nightly", items_discovered=40)
        status = "failed" if number % 10 == 0 else "success"
        client.end_run(run_id, status, items_succeeded=38)
    with client.track_run("trainer", "tune") as series:
        for step in range(1_000):
            series.log_metrics({"loss": 1 / (step + 1), "rate": step % 7}, step=step)
    small, large = _spans(client, 500), _spans(client, 10_000)
    tree = ".wf-body.virtual .wf-row"
    return [
        _Budget("overview", "/", "#sentence", 150, 80),
        _Budget("runs", "/runs", "#runs-table tbody tr", 150, 80),
        _Budget("metrics of 1,000 steps", f"/runs/{series.run_id}?tab=metrics", ".curve", 150, 130),
        _Budget("run of 500 spans", f"/runs/{small}", tree, 200, 110),
        _Budget("run of 10,000 spans", f"/runs/{large}", tree, 400, 1_000),
    ]


def _spans(client: TelemetryClient, count: int) -> str:
    with client.track_run("agent", f"{count} spans") as run:
        for number in range(count // 10):
            with run.span(f"turn {number}", kind="agent"):
                for inner in range(9):
                    with run.tool_call(f"tool {inner}"):
                        pass
    return str(run.run_id)


def _loading(
    bench: Bench, browser: Chromium, server: PageServer, budget: _Budget
) -> Iterator[Figure]:
    loads: list[Load] = []
    bare: list[float] = []
    with _bare(browser, server.url + budget.path) as floor:
        for _ in range(bench.rounds(_LOADS)):
            loads.append(browser.load(server.url + budget.path, budget.ready))
            bare.append(browser.load(floor, "body").first_paint_ms)
    paints, last = [one.first_paint_ms for one in loads], loads[-1]
    yield Figure(
        f"{budget.name}, first paint",
        "ms",
        percentile(paints, 50),
        percentile(bare, 50),
        _FLOOR,
        Spread.of_ratios(paints, bare),
        Goal(budget.paint_ms, of="ours"),
    )
    note = f"{last.requests} requests, {last.nodes:,} nodes"
    goal = Goal(budget.kilobytes, of="ours")
    yield Figure(f"{budget.name}, transferred", "kB", last.kilobytes, goal=goal, note=note)
    heap, script = (percentile([getattr(one, name) for one in loads], 50) for name in _HELD)
    yield Figure(f"{budget.name}, heap", "MB", heap, goal=Goal(3, of="ours"))
    yield Figure(f"{budget.name}, script on load", "ms", script, goal=Goal(20, of="ours"))


_HELD = ("heap_mb", "script_ms")


@contextmanager
def _bare(browser: Chromium, url: str) -> Iterator[str]:
    """The same HTML without style and script, from a server that only has these bytes."""
    with browser.window() as window:
        window.page.goto(url)
        html = window.page.context.request.get(url).text()
    kept = (line for line in html.splitlines() if "/assets/" not in line)
    body = "\n".join(kept).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the base class's name
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listener.server_address[1]}/"
        listener.shutdown()


def _live(
    browser: Chromium, server: PageServer, client: TelemetryClient, rounds: int
) -> Iterator[Figure]:
    found = []
    with browser.window() as window, client.track_run("live", "job", items_discovered=10**9) as run:
        run.add(items_succeeded=1_000_000)
        window.page.goto(f"{server.url}/runs?agent=live")
        window.page.locator(".live[data-state=live]").wait_for()
        for number in range(rounds):
            found.append(_change(window, run, 1_000_001 + number))
            time.sleep(_BETWEEN)
    note = f"of {rounds}"
    for name, percent, limit in (("p50", 50, None), ("p95", 95, 100), ("maximum", 100, 250)):
        goal = Goal(limit, of="ours") if limit else None
        label = f"log_event to the open page, {name}"
        yield Figure(label, "ms", percentile(found, percent), goal=goal, note=note)


def _change(window: Window, run: RunContext, number: int) -> float:
    def record() -> float:
        run.add(items_succeeded=1)
        return time.time()

    return window.appears(f"{number:,}/", record) or _GIVEN_UP_MS


def _idle(browser: Chromium, server: PageServer) -> Iterator[Figure]:
    with browser.window() as window:
        window.load(f"{server.url}/runs?status=success", "#runs-table")
        requests, worked = window.requests, window.metric("TaskDuration")
        window.page.wait_for_timeout(_IDLE_SECONDS * 1e3)
        asked, busy = window.requests - requests, window.metric("TaskDuration") - worked
    note = f"in {_IDLE_SECONDS:.0f} s"
    yield Figure("idle tab, requests", "", asked, goal=Goal(0, of="ours"), note=note)
    yield Figure("idle tab, main thread", "ms", busy * 1e3, goal=Goal(30, of="ours"), note=note)


def _streams(server: PageServer, base: Path) -> Iterator[Figure]:
    without, _ = taken(server.pid, _IDLE_SECONDS)
    open_now = 0
    with ExitStack() as stack:
        for _ in range(_STREAMS):
            open_now += _stream(stack, server.url, base)
        with_them, _ = taken(server.pid, _IDLE_SECONDS)
        memory = memory_mb(server.pid, alone=True)
    note = f"{open_now} of {_STREAMS} streams accepted"
    more = 100 * (with_them - without)
    name = "server at rest, more for all streams"
    yield Figure(name, "% of a core", more, goal=Goal(1, of="ours"), note=note)
    yield Figure("server, memory", "MB", memory, goal=Goal(60, of="ours"), note=note)


def _stream(stack: ExitStack, url: str, base: Path) -> bool:
    """Open a stream for the length of a block; return whether it was accepted."""
    secret = orjson.loads((base / "config" / "ui.json").read_bytes())["secret"]
    parts = urlsplit(url)
    connection = stack.enter_context(socket.create_connection((parts.hostname, parts.port)))
    connection.settimeout(10)
    head = f"GET /events HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {secret}\r\n\r\n"
    connection.sendall(head.encode())
    return connection.recv(64).startswith(b"HTTP/1.1 200")


SECTION = Section("page", "The page", _run)
