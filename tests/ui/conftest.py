"""What the tests in a real browser share: one browser, and one base with a bit of everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.database.freshness import index_once
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.browser import Server, launched, serving


# Of a module, not of the session: while it is there this thread has a running event loop, in which
# tests of other modules could not call asyncio.run.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    with launched() as one:
        yield one


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base in which agents worked, failed, and left a run open."""
    base = tmp_path_factory.mktemp("page") / "base"
    record(TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "false"})))
    index_once(Base.at(base, {}))
    return base


@pytest.fixture(scope="module")
def server(browser: Any, story: Path) -> Iterator[Server]:
    """The page of the story."""
    with serving(story) as one:
        yield one


def record(client: TelemetryClient) -> None:
    """Record a bit of everything."""
    with client.track_run("crawler", "daily", items_discovered=3) as run:
        for number in range(3):
            with run.span(f"page {number}") as span:
                span.set(url=f"/{number}")
                with run.llm_call("gpt-5", provider="openai") as call:
                    call.usage(input_tokens=1200, output_tokens=80, cost_usd=0.01)
                for _ in range(7):
                    with run.tool_call("search", arguments={"q": "tea"}) as tool:
                        tool.result({"hits": 3})
            run.log_event("page", {"number": number})
            run.log_metrics({"loss": 1 / (number + 1)}, step=number)
            run.add(items_succeeded=1)
        with client.track_run("crawler", "child", item_name="inside"):
            pass
    try:
        with client.track_run("importer", "nightly") as failing, failing.span("read"):
            _fail()
    except ValueError:
        pass
    left_open = client.start_run("reviewer", "pr", items_discovered=10, items_succeeded=4)
    client.log_event(left_open, "begun", {"of": "the review"})


def _fail() -> None:
    raise ValueError("no such column: price")
