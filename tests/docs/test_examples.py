"""Each runs as it stands, and what it records can be read."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from indexer.database.freshness import index_once
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.process import ROOT, environment

EXAMPLES = ROOT / "docs" / "examples"


def _record(name: str, base: Path) -> list[tuple[Any, ...]]:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        env=environment(TELEMETRY_BASE_DIR=str(base), TELEMETRY_GIT="false"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    config = TelemetryConfig.for_base(base)
    index_once(Base(config))
    with closing(sqlite3.connect(config.database_path)) as database:
        return database.execute(
            "SELECT agent_name, status, items_succeeded, items_failed FROM agent_runs"
        ).fetchall()


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("cron_job.py", ("nightly-sums", "partial", 1, 1)),
        ("process_pool.py", ("squares", "success", 20, None)),
        ("asyncio_agent.py", ("researcher", "success", 3, None)),
        ("web_handler.py", ("web", "success", None, None)),
    ],
)
def test_an_example_runs_and_records_what_it_says(
    name: str, row: tuple[Any, ...], base: Path
) -> None:
    """One run, with the status and the counts that the example is about."""
    assert _record(name, base) == [row]


def test_every_example_is_run_here() -> None:
    """A new example needs a row above."""
    tested = test_an_example_runs_and_records_what_it_says.pytestmark[0].args[1]
    assert {name for name, _ in tested} == {path.name for path in EXAMPLES.glob("*.py")}
