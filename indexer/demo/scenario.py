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
from indexer.demo.snapshot import Picture, failed_files, look
from indexer.demo.source_files import SourceFile, divide, find_files, sample
from indexer.system.base import Base
from telemetry_core import RunContext, TelemetryClient
from telemetry_core.errors import TelemetryError

AGENTS = 4
DOOMED = "doomed"
"""The agent that is killed in the middle of its work."""

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
    return Outcome(
        root,
        len(files),
        time.monotonic() - began,
        look(base, run_id, crew.killed),
        failed_files(base, run_id),
        verify(base),
        crew.failures(),
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


def _watch(base: Base, run_id: str, crew: Crew, screen: Screen) -> None:
    """Show the view until all agents are done; kill one when it is well into its work."""
    give_up_at = time.monotonic() + _DOOMED_PATIENCE
    while crew.is_at_work():
        crew.look_after_daemon()
        picture = look(base, run_id, crew.killed)
        screen.show(picture)
        if not crew.killed and (_is_at_work(picture) or time.monotonic() > give_up_at):
            crew.kill_agent(DOOMED)
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
