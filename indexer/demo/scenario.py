"""The stage: the demo from its first process to its last.

Called by `telemetry demo`. It records a run of its own, which the agents' runs are children of,
kills one agent on purpose, and hands over what came of it.
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
from indexer.demo.display import Screen
from indexer.demo.processes import Crew
from indexer.demo.snapshot import (
    Picture,
    failed_files,
    is_in_tool,
    last_words,
    look,
    usage_in_words,
)
from indexer.demo.source_files import SourceFile, divide, find_files, sample
from indexer.system.base import Base
from telemetry_core import RunContext, TelemetryClient
from telemetry_core.errors import TelemetryError

AGENTS = 4
DOOMED = "doomed"
"""The agent that is killed in the middle of its work."""

RESEARCHER = "researcher"
STUCK = "stuck"
"""The agent that is killed inside a tool call."""

_STUCK_SECONDS = 1.0
_DOOMED_FILES = 60
# It takes its time, or it could end before anybody has seen it begin.
_DOOMED_SECONDS = 20.0
_DOOMED_PATIENCE = 12.0
_LOOK_SECONDS = 0.12


class NothingToParse(TelemetryError):
    """There are no Python files where the demo was sent."""

    hint = "Name a directory that has some: `telemetry demo PATH`"


class Outcome(NamedTuple):
    """What came of a demo."""

    root: Path
    files: int
    seconds: float
    picture: Picture
    failed: list[tuple[str, str]]
    report: Verification
    trouble: list[str]
    last_words: dict[str, str]
    """What the killed agents were doing, by agent, as far as they were in a span."""
    usage: Optional[str]


def perform(base: Base, path: Path, screen: Screen) -> Outcome:
    """Run the demo on the files under `path`. Raises TelemetryError or OSError."""
    root, files = find_files(path)
    if not files:
        raise NothingToParse(f"no Python files under {path}")
    began = time.monotonic()
    with _ended_by_signals(), closing(Crew(base)) as crew:
        crew.look_after_daemon()
        run_id = _let_agents_work(base, root, files, crew, screen)
        refresh_database(base)
        crew.stop_daemon()
    # The daemon looks for lost processes now and then; a pass of our own looks right away.
    refresh_database(base)
    picture = look(base, run_id, crew.killed)
    return Outcome(
        root,
        len(files),
        time.monotonic() - began,
        picture,
        failed_files(base, run_id),
        verify(base),
        crew.failures(),
        last_words(base, picture.agents),
        usage_in_words(base, run_id),
    )


def _let_agents_work(
    base: Base, root: Path, files: Sequence[SourceFile], crew: Crew, screen: Screen
) -> str:
    client = TelemetryClient(base.config)
    with client.track_run(
        "demo", "demo", "cli", items_discovered=len(files), input_summary=str(root)
    ) as run:
        _start_agents(run, root, files, crew)
        with closing(screen):
            _watch(base, run.run_id, crew, screen)
    return run.run_id


def _start_agents(run: RunContext, root: Path, files: Sequence[SourceFile], crew: Crew) -> None:
    # With the variable that makes the runs of these processes children of this run.
    environ = run.child_env(os.environ)
    for number, share in enumerate(divide(files, AGENTS), 1):
        crew.start_agent(f"parser-{number}", root, share, environ)
    some = sample(files, _DOOMED_FILES)
    crew.start_agent(DOOMED, root, some, environ, pause=_DOOMED_SECONDS / len(some))
    crew.start_researcher(RESEARCHER, environ)
    crew.start_researcher(STUCK, environ, "--stuck")


def _watch(base: Base, run_id: str, crew: Crew, screen: Screen) -> None:
    """Show the view until all agents are done; kill two, one of them inside a tool call."""
    give_up_at = time.monotonic() + _DOOMED_PATIENCE
    while crew.is_at_work():
        crew.look_after_daemon()
        picture = look(base, run_id, crew.killed)
        screen.show(picture)
        is_late = time.monotonic() > give_up_at
        if DOOMED not in crew.killed and (is_late or _is_at_work(picture)):
            crew.kill_agent(DOOMED)
        if STUCK not in crew.killed and (
            is_late or is_in_tool(base, run_id, STUCK, _STUCK_SECONDS)
        ):
            crew.kill_agent(STUCK)
        time.sleep(_LOOK_SECONDS)
    refresh_database(base)
    screen.show(look(base, run_id, crew.killed))


def _is_at_work(picture: Picture) -> bool:
    return any(run.agent == DOOMED and run.done * 5 >= run.discovered > 0 for run in picture.agents)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have SIGTERM and a closed terminal end the block as an exception would: tidily."""

    def end(number: int, frame: Optional[FrameType]) -> None:  # noqa: ARG001  # signal's
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
