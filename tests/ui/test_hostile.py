"""What agents write is text: it neither runs nor breaks a page, whatever it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.database.freshness import index_once
from indexer.system.base import Base
from telemetry_core import TelemetryClient
from telemetry_core.event import Event
from telemetry_core.line import encode
from telemetry_core.run_fields import RUN_FIELDS
from tests.support.browser import serving, watched
from tests.support.page import visiting

EVIL = (
    "</script><script>window.pwned=1;alert(1)</script><img src=x onerror=alert(2)>"
    "\"'><svg onload=alert(3)> javascript:alert(4) {{7777*7777}} {% raw %}"
    " \x00\x07\x1b[31m \u202egnirts"
    " \u2066\ufeff\r\n &lt;b&gt; \ud7ff"
)
_LONG = "wordwithoutanybreak" * 300


@pytest.fixture
def evil_base(base: Path, client: TelemetryClient) -> Path:
    """A base in which every field of a run, event, span and metric is hostile."""
    given = ("agent_name", "job_type", "status", "parent_run_id")
    texts = [f.name for f in RUN_FIELDS if f.kind == "text" and f.name not in given]
    fields = {name: f"{EVIL} {name}" for name in texts}
    with client.track_run(f"agent {EVIL}", EVIL, **fields) as run:
        run.log_event(EVIL, {EVIL: EVIL, "long": _LONG})
        run.log_metrics({EVIL: 1.5, "huge": 1e308, "tiny": -1e308}, step=1)
        with run.llm_call(EVIL, provider=EVIL) as call:
            call.usage(input_tokens=10**18, output_tokens=1)
        with run.tool_call(EVIL, arguments={"x": EVIL}) as tool:
            tool.result(EVIL)
        run.end(status=EVIL)
    with client.track_run(_LONG, _LONG, item_name=_LONG, error_summary=_LONG):
        pass
    index_once(Base.at(base, {}))
    return base


def _paths(base: Path) -> list[str]:
    """Every page that shows what the agents wrote."""
    with visiting(base) as visitor:
        runs = visitor.get("/runs.json").json()["runs"]
    ids = [quote(run["run_id"], safe="") for run in runs]
    tabs = ("spans", "events", "metrics", "usage", "raw", "compare", "transcript")
    return [
        "/",
        "/runs",
        "/agents",
        "/usage?by=model",
        "/usage?by=agent",
        "/health",
        "/sql?q=SELECT+*+FROM+run_events,agent_runs",
        "/runs?q=" + quote(EVIL),
        "/runs?agent=" + quote(EVIL),
        "/" + quote(EVIL),
        "/runs/" + quote(EVIL),
        *(f"/runs/{run_id}?tab={tab}" for run_id in ids for tab in tabs),
    ]


def test_nothing_that_an_agent_wrote_becomes_markup(evil_base: Path) -> None:
    """No page has the text as it was given, nor a control character or a turned direction."""
    paths = _paths(evil_base)
    with visiting(evil_base) as visitor:
        for path in paths:
            text = visitor.get(path).text
            for piece in ("<script>window", "<img src=x", "<svg onload", "\x1b", "\u202e", "\x00"):
                assert piece not in text, path
            assert "60481729" not in text, path


def test_nothing_that_an_agent_wrote_runs_or_breaks_the_layout(
    browser: Any, evil_base: Path
) -> None:
    """In a real browser: no dialog, no error, nothing refused by the policy, no page too wide."""
    paths = _paths(evil_base)
    with serving(evil_base) as server, watched(browser, server, "phone") as window:
        for path in paths:
            page = window.page
            page.goto(window.url + path)
            assert page.evaluate("window.pwned") is None
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        window.problems = [reported for reported in window.problems if "404" not in reported]


def test_a_payload_of_megabytes_is_cut_and_can_be_had_as_text(
    base: Path, client: TelemetryClient
) -> None:
    """A page stays small; the whole is a plain text of its own."""
    with client.track_run("agent", "job") as run:
        run.log_event("big", {"text": "x" * 900_000})
    index_once(Base.at(base, {}))
    with visiting(base) as visitor:
        page = visitor.get(f"/runs/{run.run_id}?tab=events").text
        assert len(page) < 60_000
        link = page.partition("part=payload")[2].partition('"')[0].replace("&amp;", "&")
        whole = visitor.get(f"/runs/{run.run_id}?tab=events&part=payload{link}")
        assert whole.headers["content-type"] == "text/plain; charset=utf-8"
        assert len(whole.content) > 100_000


def test_ten_thousand_nested_spans(browser: Any, base: Path, client: TelemetryClient) -> None:
    """The page has few nodes, opens, scrolls to the end, and can be walked by keyboard."""
    with client.track_run("agent", "deep") as run:
        pass
    index_once(Base.at(base, {}))
    _nest(base, run.run_id, 10_000)
    index_once(Base.at(base, {}))
    with serving(base) as server, watched(browser, server) as window:
        page = window.go(f"/runs/{run.run_id}")
        page.locator(".wf-body.virtual .wf-row").first.wait_for()
        assert page.evaluate("document.querySelectorAll('*').length") < 2000
        page.locator("#wf-body").focus()
        page.keyboard.press("Home")
        page.keyboard.press("*")
        page.keyboard.press("End")
        page.locator(".wf-row.chosen", has_text="level 9999").wait_for()
        assert page.evaluate("document.querySelectorAll('*').length") < 2000


def _nest(base: Path, run_id: str, count: int) -> None:
    time = "2026-01-01T00:00:00.{:06d}Z"
    lines = bytearray()
    for number in range(count):
        span = {"span_id": f"{number:016x}", "name": f"level {number}", "kind": "step"}
        if number:
            span["parent_span_id"] = f"{number - 1:016x}"
        event = Event(f"s{number:06d}", "h/1", "span.started", run_id, time.format(number), span)
        lines += encode(event)
    (base / "raw" / "events_20260101.ndjson").write_bytes(bytes(lines))
