"""An agent that can only call tools finds out why last night's import failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer.mcp.tools import NAMES, Tools
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig


class _FakeModel:
    """A model offline: it reads the last answer, and asks the next question or answers."""

    def next_step(self, answers: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        if not answers:
            return "what_failed", {"since": "1d", "agent": "importer"}
        data = answers[-1]["data"]
        if "failures" in data:
            return "show_run", {"run_id": data["failures"][0]["latest_run"]}
        run, fix = data["run"], answers[0]["data"]["failures"][0]["next_success_commit"]
        span = next(one["name"] for one in data["spans"] if one["status"] == "error")
        return "", {"answer": f"{run['error_summary']} in {span}; fixed by {fix}"}


def _loop(model: _FakeModel, tools: dict[str, Callable[..., dict[str, Any]]]) -> str:
    answers: list[dict[str, Any]] = []
    for _ in range(5):
        name, arguments = model.next_step(answers)
        if not name:
            return str(arguments["answer"])
        answers.append(tools[name](**arguments))
    raise AssertionError("no answer")


def test_an_agent_answers_from_the_tools_alone(base: Path) -> None:
    """With the error, the step in which it happened, and the commit after which it worked."""
    client = TelemetryClient(TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "0"}))
    fails = pytest.raises(ValueError, match="price")
    with fails, client.track_run("importer", "nightly") as run, run.span("parse prices.csv"):
        raise ValueError("no column price")
    with client.track_run("importer", "nightly") as run:
        run.set_metrics(git_commit_hash="abc123")
    tools = Tools(Base(TelemetryConfig.for_base(base)))
    found = _loop(_FakeModel(), {name: getattr(tools, name) for name in NAMES})
    assert found == "ValueError: no column price in parse prices.csv; fixed by abc123"
