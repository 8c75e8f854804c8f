"""The course of the demo, from its first process to its last.

It records a run of its own, which is the parent of the agents' runs, kills one agent on purpose,
and returns the outcome.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple, Optional

from indexer.database.freshness import refresh_database
from indexer.database.verify import Verification, verify
from indexer.demo.display import Display
from indexer.demo.processes import Processes
from indexer.demo.snapshot import (
    AgentRun,
    Snapshot,
    failed_files,
    is_in_tool,
    last_words,
    take_snapshot,
    usage_in_words,
)
from indexer.demo.source_files import SourceFile, divide, find_files, sample
from indexer.log.segments import list_segments
from indexer.store.connection import reading
from indexer.system.base import Base
from telemetry_core import RunContext, TelemetryClient
from telemetry_core.errors import TelemetryError

AGENTS = 4
DEMO = "demo"
"""The agent and the trigger type of the demo's runs."""
DOOMED = "doomed"
"""The agent that is killed during its work."""

RESEARCHER = "researcher"
STUCK = "stuck"
"""The agent that is killed inside a tool call."""

_PARSER = "parser-"
_STUCK_SECONDS = 1.0
_DOOMED_FILES = 60
# Slow enough that it can be seen before it is killed.
_DOOMED_SECONDS = 20.0
_DOOMED_PATIENCE = 12.0
_LOOK_SECONDS = 0.12


class NothingToParse(TelemetryError):
    """The path has no Python files."""

    hint = "Choose a directory that has some: `telemetry demo PATH`"


class Outcome(NamedTuple):
    """The result of a demo."""

    root: Path
    files: int
    seconds: float
    snapshot: Snapshot
    failed: list[tuple[str, str]]
    report: Verification
    unexpected: list[str]
    """Agents that ended unexpectedly."""
    last_words: dict[str, str]
    """What the killed agents were doing, by agent, as far as they were in a span."""
    usage: Optional[str]


def has_other_runs(base: Base) -> bool:
    """Return whether a base directory has a log with runs that are not of a demo."""
    if not list_segments(base.log_directory):
        return False
    refresh_database(base)
    with reading(base.database_path) as connection:
        found = connection.execute(
            "SELECT 1 FROM agent_runs WHERE ifnull(trigger_type, '') <> ?"
            " AND ifnull(agent_name, '') <> ? LIMIT 1",
            (DEMO, DEMO),
        ).fetchone()
    return found is not None


def perform(base: Base, path: Path, display: Display) -> Outcome:
    """Run the demo on the files under `path`. Raises TelemetryError or OSError."""
    root, files = find_files(path)
    if not files:
        raise NothingToParse(f"no Python files under {path}")
    began = time.monotonic()
    with _end_on_signals(), closing(Processes(base)) as processes:
        processes.ensure_daemon()
        run_id = _run_agents(base, root, files, processes, display)
        refresh_database(base)
        processes.stop_daemon()
    # The daemon looks for lost processes from time to time; this pass looks right away.
    refresh_database(base)
    snapshot = take_snapshot(base, run_id, processes.killed)
    return Outcome(
        root,
        len(files),
        time.monotonic() - began,
        snapshot,
        failed_files(base, run_id),
        verify(base),
        processes.failures(),
        last_words(base, snapshot.agents),
        usage_in_words(base, run_id),
    )


def _run_agents(
    base: Base, root: Path, files: Sequence[SourceFile], processes: Processes, display: Display
) -> str:
    client = TelemetryClient(base.config)
    with client.track_run(
        DEMO, DEMO, "cli", items_discovered=len(files), input_summary=str(root)
    ) as run:
        _start_agents(run, root, files, processes)
        with closing(display):
            _watch(base, run.run_id, processes, display)
        parsers = _parsers(take_snapshot(base, run.run_id, processes.killed))
        run.set_metrics(
            items_succeeded=sum(one.succeeded for one in parsers),
            items_failed=sum(one.failed for one in parsers),
            items_skipped=sum(one.skipped for one in parsers),
        )
    return run.run_id


def _parsers(snapshot: Snapshot) -> list[AgentRun]:
    """Return the agents that share the files; the doomed one parses some of them once more."""
    return [one for one in snapshot.agents if one.agent.startswith(_PARSER)]


def _start_agents(
    run: RunContext, root: Path, files: Sequence[SourceFile], processes: Processes
) -> None:
    # It has the variable that makes the runs of these processes children of this run.
    environ = run.child_env(os.environ)
    for number, share in enumerate(divide(files, AGENTS), 1):
        processes.start_agent(f"{_PARSER}{number}", root, share, environ)
    some = sample(files, _DOOMED_FILES)
    processes.start_agent(DOOMED, root, some, environ, pause=_DOOMED_SECONDS / len(some))
    processes.start_researcher(RESEARCHER, environ)
    processes.start_researcher(STUCK, environ, "--stuck")


def _watch(base: Base, run_id: str, processes: Processes, display: Display) -> None:
    """Show the view until all agents are done; kill two, one of them inside a tool call."""
    give_up_at = time.monotonic() + _DOOMED_PATIENCE
    while processes.are_agents_running():
        processes.ensure_daemon()
        snapshot = take_snapshot(base, run_id, processes.killed)
        display.show(snapshot)
        is_late = time.monotonic() > give_up_at
        if DOOMED not in processes.killed and (is_late or _is_at_work(snapshot)):
            processes.kill_agent(DOOMED)
        if STUCK not in processes.killed and (
            is_late or is_in_tool(base, run_id, STUCK, _STUCK_SECONDS)
        ):
            processes.kill_agent(STUCK)
        time.sleep(_LOOK_SECONDS)
    refresh_database(base)
    display.show(take_snapshot(base, run_id, processes.killed))


def _is_at_work(snapshot: Snapshot) -> bool:
    return any(
        run.agent == DOOMED and run.done * 5 >= run.discovered > 0 for run in snapshot.agents
    )


@contextmanager
def _end_on_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block with an exception, so that it cleans up."""

    def end(number: int, frame: Optional[FrameType]) -> None:  # noqa: ARG001  # signal's
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
