"""What the section on appending has our writer do, a block at a time.

Called by the section in its own process, and in another one without the extension in C: then as
`python -m tools.performance.appending DIRECTORY`, which reads the name of a block from each line
and answers with the seconds that an event of it took.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.speed import PURE_VARIABLE
from tools.performance.turns import block
from tools.performance.workload import SIZES, payloads

CALLS = 300
BATCH = 100
RUN = "20261122T123456Z-crawler-0c2f1a2b3c4d5e6f7a8b9c0d"

_ROOT = Path(__file__).resolve().parents[2]

Blocks = dict[str, Callable[[], float]]


def calls_of(size: int) -> int:
    """Return how many events of a size make a block."""
    return CALLS if size < 10_000 else CALLS // 6


def logging(log_event: Callable[..., object], size: int) -> Callable[[], object]:
    """Return what logs one event of that size, the next payload each time."""
    following = itertools.cycle(payloads(size)).__next__
    return lambda: log_event(RUN, "page_fetched", following())


def blocks(directory: Path) -> Blocks:
    """Return every block by its name, each ready to be measured."""
    client = TelemetryClient(TelemetryConfig.for_base(directory / "ours", {}))
    synced = {"TELEMETRY_DURABILITY": "fsync"}
    durable = TelemetryClient(TelemetryConfig.for_base(directory / "synced", synced))
    by_size = {str(n): block(logging(client.log_event, n), calls_of(n)) for n in SIZES}
    return {
        **by_size,
        "batch": _of_batches(client),
        "fsync": block(logging(durable.log_event, 200), 10),
        **_of_spans(client),
    }


def _of_batches(client: TelemetryClient) -> Callable[[], float]:
    following = itertools.cycle(payloads(200)).__next__

    def batch() -> Any:
        return client.log_events(RUN, [("page_fetched", following()) for _ in range(BATCH)])

    measure = block(batch, 3)
    return lambda: measure() / BATCH


def _of_spans(client: TelemetryClient) -> Blocks:
    following = itertools.cycle(payloads(200)).__next__
    run = client.track_run("bench", "spans").__enter__()

    def span() -> None:
        with run.span("fetch", **following()):
            pass

    def two_events() -> None:
        client.log_event(RUN, "page_fetched", following())
        client.log_event(RUN, "page_fetched", None)

    return {"span": block(span, CALLS // 2), "two events": block(two_events, CALLS // 2)}


@contextmanager
def in_python(directory: Path) -> Iterator[Callable[[str], Callable[[], float]]]:
    """Give the blocks of a process that does without the extension, by their names."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tools.performance.appending", str(directory)],
        cwd=_ROOT,
        env={**os.environ, PURE_VARIABLE: "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    said, told = child.stdout, child.stdin
    if said is None or told is None:
        raise RuntimeError("a process has no pipes")

    def named(name: str) -> Callable[[], float]:
        def measure() -> float:
            told.write(f"{name}\n")
            told.flush()
            return float(said.readline())

        return measure

    try:
        yield named
    finally:
        child.communicate()


def main(directory: Path) -> None:
    """Measure the blocks that are asked for, until nothing is asked for any longer."""
    known = blocks(directory)
    for line in sys.stdin:
        print(known[line.strip()](), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
