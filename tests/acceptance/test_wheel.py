"""An agent records with it where only orjson and portalocker are installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from telemetry_core import TelemetryConfig
from tests.support.database import rows
from tests.support.process import ROOT

_AGENT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from telemetry.client import RunContext as OldContext
from telemetry.config import TelemetryConfig as OldConfig
from telemetry.models import RunRecord as OldRecord
from telemetry.schema import SCHEMA_VERSION as OldVersion
from telemetry import (
    APIPayload, RunContext, RunEvent, RunRecord, SCHEMA_VERSION, TelemetryClient, TelemetryConfig
)
import telemetry_core
assert telemetry_core.TelemetryClient is TelemetryClient
assert (OldContext, OldConfig, OldRecord) == (RunContext, TelemetryConfig, RunRecord)
assert OldVersion == SCHEMA_VERSION
client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[2])))
with client.track_run("wheel", "job") as run:
    assert isinstance(run, RunContext)
    run.log_event("step", {"n": 1})
record = RunRecord("r", "a", "j", "cli", "2026-01-01T00:00:00Z", host="h")
assert APIPayload.from_run_record(record).to_dict()["host"] == "h"
assert RunEvent("r", "x", "2026-01-01T00:00:00Z").to_dict()["record_type"] == "event"
foreign = {m.split(".")[0] for m in sys.modules} - set(sys.stdlib_module_names) - {"__main__"}
foreign = {name for name in foreign if not name.startswith("_sysconfigdata")}
assert foreign <= {"telemetry", "telemetry_core", "orjson", "portalocker"}, foreign
assert {"sqlite3", "asyncio", "httpx", "logging"} & set(sys.modules) == set()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it would be published."""
    directory = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = directory.glob("*.whl")
    return built


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    """Both packages, the old name, the typing marker, the report's style; no tests, no tools."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in names} == {"telemetry_core", "indexer", "telemetry"}
    assert {"telemetry_core/py.typed", "telemetry/py.typed", "indexer/report/style.css"} <= names
    assert {"indexer/docs/RUNBOOK.md", "indexer/report/templates/report.html"} <= names


@pytest.mark.skipif(sys.version_info < (3, 10), reason="needs sys.stdlib_module_names to look")
def test_an_agent_records_with_the_wheel_and_two_libraries(
    wheel: Path, tmp_path: Path, base: Path
) -> None:
    """Nothing else is importable, nothing else is imported, and the run is in the log."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    for name in ("orjson", "portalocker"):
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.submodule_search_locations is not None
        (site / name).symlink_to(found.submodule_search_locations[0])
    # -I and -S: neither the environment's packages nor the repository can be seen.
    subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", _AGENT, str(site), str(base)],
        check=True,
        cwd=tmp_path,
    )
    found_runs = rows(TelemetryConfig.for_base(base), "SELECT agent_name, status FROM agent_runs")
    assert found_runs == [("wheel", "success")]


_TYPED = """
from typing import Optional
from telemetry import RunContext, RunRecord, TelemetryClient, current_run, span
from telemetry.client import TelemetryClient as ByModule
from telemetry.models import RunRecord as RecordByModule

client: ByModule = TelemetryClient("/tmp")
with client.track_run("agent", "job", product="p") as run:
    event: Optional[str] = run.log_event("step", {"n": 1})
    with run.llm_call("model", provider="p") as call:
        call.usage(input_tokens=1)

@span
def work(n: int) -> str:
    return str(n)

@client.tracked("agent", "job")
async def later(n: int) -> str:
    inside: Optional[RunContext] = current_run()
    return work(n)

record: RunRecord = RecordByModule("r", "a", "j", "cli", "2026-01-01T00:00:00Z")
items: int = record.items_failed
again: RunRecord = RunRecord.from_dict(record.to_dict())
"""
_MISTYPED = """
record.no_such_field
record.items_failed + "text"
work("no number")
"""


def test_a_users_script_is_checked_by_its_type_checker(wheel: Path, tmp_path: Path) -> None:
    """What is right passes strictly, and each wrong line is found."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    script = tmp_path / "script.py"
    script.write_text(_TYPED + _MISTYPED)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(script)],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(site)},
        capture_output=True,
        text=True,
    )
    errors = [line for line in checked.stdout.splitlines() if ": error: " in line]
    first_wrong = _TYPED.count("\n") + 2
    assert [int(line.split(":")[1]) for line in errors] == [
        first_wrong,
        first_wrong + 1,
        first_wrong + 2,
    ], checked.stdout
