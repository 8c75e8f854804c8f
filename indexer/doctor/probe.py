"""Check with a probe: an event goes all the way, in a base directory of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.database.freshness import index_once
from indexer.doctor.finding import Finding, failure, ok
from indexer.doctor.subject import Subject
from indexer.store.connection import reading
from indexer.system.base import Base
from indexer.terminal.format import duration

PROBE_PREFIX = ".telemetry-probe-"
_PATIENCE_SECONDS = 60.0
_REPORT = "see the findings on disk and directories; if those are ok, please report this"


def check(subject: Subject) -> Iterator[Finding]:
    """Write, index and read an event where the base directory is or would be created."""
    place = _place(subject.base.directory)
    try:
        base = Path(tempfile.mkdtemp(prefix=PROBE_PREFIX, dir=place))
    except OSError as error:
        what = f"nothing can be written in {place}: {error.strerror}"
        yield failure(what, "see the findings on directories and disk")
        return
    try:
        yield _probe(base, subject.base)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _place(base: Path) -> Path:
    """Return the base directory, or its nearest parent that exists: likely the same disk."""
    return next(path for path in (base, *base.parents) if path.is_dir())


def _probe(directory: Path, base: Base) -> Finding:
    written = _write(directory, base.config.durability)
    if not written.get("is_written"):
        return failure(f"an event could not be written: {written['error']}", _REPORT)
    own = Base.at(directory)
    own.config.journal_mode = base.config.journal_mode
    index_once(own)
    with reading(own.database_path) as connection:
        row = connection.execute(
            "SELECT status, event_count FROM agent_runs WHERE run_id = ?", (written["run_id"],)
        ).fetchone()
    if row != ("success", 3):
        return failure(f"a run of three events was written, but read back as {row}", _REPORT)
    return ok(
        f"three events written in {duration(written['seconds'] * 1000)}, indexed and read back"
    )


def _write(base: Path, durability: str) -> dict[str, Any]:
    """Let an agent write; return its report."""
    done = subprocess.run(
        [sys.executable, "-m", "indexer.doctor.probe_agent", str(base), durability],
        # It imports what this process imports, even from a checkout that is not installed.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().rpartition("\n")[2]
        return {"error": last or f"the agent exited with code {done.returncode}"}
    return report
