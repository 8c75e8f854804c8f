"""A month of agents for the pictures of the page: what people would want to see, made up.

usage: page_story.py BASE     writes a log under BASE, which is then indexed by `telemetry index`

Called by page_pictures.py. Times are relative to now; the same numbers come out each time.
"""

from __future__ import annotations

import random
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from telemetry_core.event import Event
from telemetry_core.line import encode
from telemetry_core.timestamp import format_time

_MODELS = (
    ("claude-sonnet-4-5", "anthropic"),
    ("gpt-5", "openai"),
    ("gemini-2.5-pro", "gcp.gemini"),
    ("house-model-7b", "local"),
)
_TOOLS = ("search", "read_file", "edit_file", "run_tests", "fetch_page")
_ERRORS = (
    "TimeoutError: no reply from api.example after 30 s",
    "ValueError: no such column: price",
    "RateLimitError: 429 from the provider, retry after 20 s",
)
_TRACEBACK = """Traceback (most recent call last):
  File "crawler/run.py", line 88, in fetch
    reply = client.get(url, timeout=30)
  File "crawler/http.py", line 41, in get
    raise TimeoutError(f"no reply from {host} after {timeout} s")
TimeoutError: no reply from api.example after 30 s
"""


class Story:
    """A log, written event by event at times of its own."""

    def __init__(self, base: Path) -> None:
        self.now = datetime.now(timezone.utc)
        self._base = base
        self._events: list[Event] = []
        # The same numbers each time, so that pictures change only when the page does.
        self.chance = random.Random(7)  # noqa: S311

    def add(self, run: str, when: datetime, kind: str, data: dict[str, Any]) -> None:
        """Add an event."""
        number = f"{len(self._events):08d}"
        source = f"build-1/{1 if 'demo' in run else 77}"
        self._events.append(Event(f"e-{number}", source, kind, run, format_time(when), data))

    def start(self, agent: str, job: str, when: datetime, **fields: Any) -> str:
        """Start a run and return its id."""
        run = f"{when:%Y%m%dT%H%M%SZ}-{agent}-{len(self._events):024x}"
        data = {"agent_name": agent, "job_type": job, "host": "build-1", **fields}
        self.add(run, when, "run.started", data)
        return run

    def end(self, run: str, began: datetime, seconds: float, status: str, **fields: Any) -> None:
        """End a run."""
        data = {"status": status, "duration_ms": round(seconds * 1000), **fields}
        self.add(run, began + timedelta(seconds=seconds), "run.ended", data)

    def span(  # noqa: PLR0917  # the parts of a span, in their order
        self,
        run: str,
        at: datetime,
        seconds: float,
        name: str,
        kind: str,
        parent: str = "",
        **more: Any,
    ) -> str:
        """Add a span and return its id; with `seconds` of zero or less it stays open."""
        span = f"{len(self._events):016x}"
        data = {"span_id": span, "name": name, "kind": kind, "attributes": more.pop("given", {})}
        if parent:
            data["parent_span_id"] = parent
        self.add(run, at, "span.started", data)
        if seconds > 0:
            ended = {"span_id": span, "status": "ok", "duration_ms": seconds * 1000, **more}
            self.add(run, at + timedelta(seconds=seconds), "span.ended", ended)
        return span

    def call(self, run: str, at: datetime, seconds: float, parent: str, model: int = 0) -> None:
        """Add a model call."""
        name, provider = _MODELS[model]
        fresh, cached = self.chance.randint(400, 4_000), self.chance.randint(2_000, 30_000)
        given = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": name,
            "gen_ai.provider.name": provider,
        }
        used = {
            "gen_ai.usage.input_tokens": fresh + cached,
            "gen_ai.usage.cache_read.input_tokens": cached,
            "gen_ai.usage.output_tokens": self.chance.randint(60, 1_800),
        }
        self.span(run, at, seconds, f"chat {name}", "llm", parent, given=given, attributes=used)

    def tool(self, run: str, at: datetime, seconds: float, parent: str, **more: Any) -> str:
        """Add a tool call."""
        name = more.pop("tool", None) or self.chance.choice(_TOOLS)
        given = {"gen_ai.tool.name": name, "gen_ai.tool.call.arguments": {"query": "price of tea"}}
        return self.span(
            run, at, seconds, f"execute_tool {name}", "tool", parent, given=given, **more
        )

    def work(self, run: str, began: datetime, seconds: float, turns: int, model: int = 0) -> str:
        """Fill a run with turns of an agent: a model call, then tools. Return the last turn."""
        at, each, step = began + timedelta(seconds=0.2), (seconds - 0.4) / turns, ""
        for number in range(turns):
            step = self.span(run, at, each * 0.97, f"turn {number + 1}", "agent")
            self.call(run, at + timedelta(seconds=each * 0.02), each * 0.5, step, model)
            tools = self.chance.choice((1, 1, 2, 3, 8))
            for place in range(tools):
                start = at + timedelta(seconds=each * (0.55 + 0.4 * place / tools))
                tool = {"tool": "read_file"} if tools == 8 else {}
                self.tool(run, start, each * 0.36 / tools, step, **tool)
            at += timedelta(seconds=each)
        return step

    def write(self) -> None:
        """Write the log."""
        folder = self._base / "raw"
        folder.mkdir(parents=True, exist_ok=True)
        days: dict[str, list[Event]] = {}
        for event in sorted(self._events, key=lambda event: event.time):
            days.setdefault(event.time[:10].replace("-", ""), []).append(event)
        for day, events in days.items():
            path = folder / f"events_{day}.ndjson"
            path.write_bytes(b"".join(encode(event) for event in events))


def record(base: Path) -> None:
    """Write the story into a base."""
    story = Story(base)
    for day in range(30, 0, -1):
        _day(story, story.now - timedelta(days=day))
    _today(story)
    story.write()


def _day(story: Story, noon: datetime) -> None:
    chance = story.chance
    for number in range(chance.randint(5, 11)):
        began = noon + timedelta(minutes=97 * number + chance.randint(0, 50))
        if began >= story.now - timedelta(hours=1):
            continue
        agent, job, turns, model = chance.choice(
            (
                ("crawler", "daily", 5, 3),
                ("importer", "nightly", 3, 1),
                ("reviewer", "pr", 7, 0),
                ("reporter", "weekly", 2, 2),
            ),
        )
        seconds = chance.uniform(20, 90) * (1.6 if agent == "reviewer" else 1)
        run = story.start(agent, job, began, items_discovered=40)
        story.work(run, began, seconds, turns, model)
        if chance.random() < 0.08:
            story.end(run, began, seconds, "failed", error_summary=chance.choice(_ERRORS))
        else:
            done = chance.choice((40, 40, 40, 38))
            status = "success" if done == 40 else "partial"
            story.end(run, began, seconds, status, items_succeeded=done, items_failed=40 - done)


def _today(story: Story) -> None:
    now = story.now
    for minutes in (150, 95, 31):
        _failing(story, now - timedelta(minutes=minutes))
    _training(story, now - timedelta(minutes=52))
    _running(story, now - timedelta(seconds=213))


def _failing(story: Story, began: datetime) -> None:
    run = story.start("crawler", "daily", began, items_discovered=40, git_branch="main")
    story.work(run, began, 94, 4, 3)
    at = began + timedelta(seconds=94)
    step = story.span(run, at, 30.0, "turn 5", "agent", status="error", error=_ERRORS[0])
    story.tool(run, at, 30, step, tool="fetch_page", status="error", error=_ERRORS[0])
    for number in range(12):
        page = {"event_type": "page.fetched", "payload": {"url": f"/tea/{number}", "ms": 80}}
        story.add(run, began + timedelta(seconds=7 * number), "run.event", page)
    story.end(
        run,
        began,
        124,
        "failed",
        error_summary=_ERRORS[0],
        error_details=_TRACEBACK,
        items_succeeded=12,
        items_failed=1,
    )


def _training(story: Story, began: datetime) -> None:
    run = story.start("trainer", "fine-tune", began, item_name="classifier-v3")
    for step in range(400):
        loss = 2.4 / (1 + step / 40) + story.chance.uniform(-0.05, 0.05)
        metrics = {"loss": round(loss, 4), "accuracy": round(0.96 - loss / 4, 4)}
        when = began + timedelta(seconds=4.5 * step)
        story.add(run, when, "run.metrics", {"step": step, "metrics": metrics})
    story.end(run, began, 1800, "success")


def _running(story: Story, began: datetime) -> None:
    run = story.start("importer", "nightly", began, items_discovered=1790, items_succeeded=812)
    story.work(run, began, 170, 5, 1)
    step = story.span(run, began + timedelta(seconds=170), 0, "turn 6", "agent")
    story.call(run, began + timedelta(seconds=171), 6, step, 1)
    story.tool(run, began + timedelta(seconds=178), 0, step, tool="run_tests")
    pr = story.start("reviewer", "pr", story.now - timedelta(seconds=14), item_name="#481")
    story.span(pr, story.now - timedelta(seconds=13), 0, "chat claude-sonnet-4-5", "llm")


if __name__ == "__main__":
    record(Path(sys.argv[1]))
