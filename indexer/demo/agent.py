"""An agent as you might write it: it parses Python files and records what it did.

`telemetry demo` starts several of them, each in a process of its own, with a list of files on
stdin. All it needs is the client; the environment says where the log is, and which run is its
parent. It never opens the database.

By hand: find . -name '*.py' -print0 | python agent.py my-agent .
"""

from __future__ import annotations

import ast
import os
import sys
import time
import warnings
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from telemetry_core import TelemetryClient

client = TelemetryClient()


def main(agent: str, root: str, pause: float = 0.0) -> None:
    """Parse the files named on stdin: one run for all of them, and one nested run per package."""
    files = [os.fsdecode(name) for name in sys.stdin.buffer.read().split(b"\0") if name]
    counts = {"items_succeeded": 0, "items_failed": 0, "items_skipped": 0}
    with client.track_run(
        agent, "parse", "demo", items_discovered=len(files), input_summary=root
    ) as run:
        for package, members in groupby(files, lambda file: package_of(root, file)):
            for outcome in parse_package(agent, root, package, list(members)):
                counts[outcome] += 1
                # Recorded at once: if this process is killed, what it did is known.
                run.set_metrics(**counts)
                time.sleep(pause)
        run.end("partial" if counts["items_failed"] else "success")


def parse_package(agent: str, root: str, package: str, files: list[str]) -> Iterator[str]:
    """Parse the files of one package in a nested run; yield which count each belongs to."""
    counts = {"items_succeeded": 0, "items_failed": 0, "items_skipped": 0}
    with client.track_run(
        agent, "package", "demo", item_name=package, items_discovered=len(files)
    ) as run:
        for file in files:
            outcome, event_type, payload = parse_file(file)
            run.log_event(event_type, {"file": os.path.relpath(file, root), **payload})
            counts[outcome] += 1
            if outcome == "items_failed":
                run.set_metrics(error_summary=payload["error"])
            yield outcome
        run.end("partial" if counts["items_failed"] else "success", **counts)


def parse_file(file: str) -> tuple[str, str, dict[str, Any]]:
    """Parse one file; return which count it belongs to, an event type and a payload."""
    began = time.perf_counter()
    try:
        with open(file, "rb") as opened:
            source = opened.read()
        if not source.strip():
            return "items_skipped", "file.skipped", {"reason": "empty"}
        tree = ast.parse(source, file)
    except Exception as error:
        # An error in one file is recorded, and the others are still parsed.
        return "items_failed", "file.failed", {"error": f"{type(error).__name__}: {error}"}
    kinds = [type(node).__name__ for node in tree.body]
    measured = {
        "bytes": len(source),
        "classes": kinds.count("ClassDef"),
        "functions": kinds.count("FunctionDef") + kinds.count("AsyncFunctionDef"),
        "milliseconds": round((time.perf_counter() - began) * 1000, 3),
    }
    return "items_succeeded", "file.parsed", measured


def package_of(root: str, file: str) -> str:
    """Return the top-level package that a file belongs to."""
    first, _, rest = os.path.relpath(file, root).partition(os.sep)
    return first if rest else "(top level)"


if __name__ == "__main__":
    # Old code is full of invalid escapes, which do not matter here.
    warnings.simplefilter("ignore")
    try:
        main(sys.argv[1], sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
    except KeyboardInterrupt:
        sys.exit(130)
