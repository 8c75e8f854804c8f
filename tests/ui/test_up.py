"""`telemetry up` on a fresh base: whatever records into it is seen on the open page."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")
pytest.importorskip("opentelemetry.proto", reason="the receiver needs the extra `receive`")

from telemetry_core import TelemetryClient
from tests.support.browser import Server, watched
from tests.support.cli import in_process
from tests.support.daemon import eventually
from tests.support.sessions import assistant, user, write


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_agents_a_session_and_an_otlp_source_appear_by_themselves(
    browser: Any, base: Path, client: TelemetryClient, tmp_path: Path
) -> None:
    """Without a reload: three agents, an imported session, a trace."""
    port = _free_port()
    server = Server(base, command=("up", "--receive-port", str(port)))
    try:
        with watched(browser, server) as window:
            page = window.go("/")
            page.get_by_text("Nothing is recorded yet").wait_for()
            for agent in ("crawler", "importer", "reporter"):
                client.start_run(agent, "job")
            for agent in ("crawler", "importer", "reporter"):
                page.locator(".running li", has_text=agent).wait_for()
            page = window.go("/runs")
            page.locator(".live[data-state=live]").wait_for()
            session = write(tmp_path / "s.jsonl", [user(1), assistant(2, "msg_1")])
            assert in_process(base, "import", "claude-code", str(session)).code == 0
            page.locator("tr", has_text="claude-code").wait_for()
            eventually(lambda: _send_span(port))
            page.locator("tr", has_text="my-service").wait_for()
    finally:
        assert server.stop() == 0


def _send_span(port: int) -> bool:
    now = time.time_ns()
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": "invoke_agent my-agent",
        "kind": 1,
        "startTimeUnixNano": str(now - 10**9),
        "endTimeUnixNano": str(now),
    }
    name = {"key": "service.name", "value": {"stringValue": "my-service"}}
    body = {
        "resourceSpans": [{"resource": {"attributes": [name]}, "scopeSpans": [{"spans": [span]}]}]
    }
    try:
        return httpx.post(f"http://127.0.0.1:{port}/v1/traces", json=body).status_code == 200
    except httpx.HTTPError:
        return False
