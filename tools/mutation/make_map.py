"""The map made: all tests run once, each line noting which of them reached it.

Called by the command. Children that the tests start are measured as well, and what they run
belongs to the test that started them.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from settings import COVERAGE_DATA, DURATIONS, PYTEST, ROOT, STATE, TESTS

# In a child the context is the test that started it, which pytest puts into its environment.
_COVERAGE = """\
[run]
branch = True
source = telemetry_core,indexer
parallel = True
context = ${PYTEST_CURRENT_TEST-}
patch = _exit,fork
"""


def make_map() -> None:
    """Run the tests under coverage. The few that mind being measured may fail."""
    STATE.mkdir(exist_ok=True)
    # A child that gave up its user tells of what it ran, too.
    STATE.chmod(0o1777)
    for old in STATE.glob(f"{COVERAGE_DATA.name}*"):
        old.unlink()
    settings = STATE / "coverage.ini"
    settings.write_text(f"{_COVERAGE}data_file = {COVERAGE_DATA}\n")
    files = sorted({file for files in TESTS.values() for file in files})
    os.chdir(ROOT)
    pytest.main(
        [*PYTEST, "--cov", "--cov-context=test", f"--cov-config={settings}", "--cov-report=",
         *files],
        plugins=[_Recorder(settings)],
    )  # fmt: skip


class _Recorder:
    """Notes how long each test takes, and has the children that tests start measured as well."""

    def __init__(self, settings: Path) -> None:
        self._settings = settings
        self._seconds: Counter[str] = Counter()

    def pytest_sessionstart(self) -> None:
        os.environ["COVERAGE_PROCESS_START"] = str(self._settings)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        DURATIONS.write_text(json.dumps(self._seconds))
