"""`pytest --telemetry`, run as its users run it: a session is a run, a test is a span."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.log import Log
from tests.support.process import environment

_TESTS = """
import pytest

def test_well():
    from telemetry_core import current_run
    assert current_run() is None

def test_bad():
    assert 1 == 2, "no"

@pytest.fixture
def broken():
    raise ValueError("setup")

def test_broken(broken):
    pass

@pytest.mark.skip
def test_skipped():
    pass
"""


@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n", "2"]], ids=["alone", "xdist"])
def test_a_session_is_a_run_and_each_test_a_span(tmp_path: Path, workers: list[str]) -> None:
    """With its outcome and its error; counted; failed as the session was."""
    if workers:
        pytest.importorskip("xdist", reason="needs pytest-xdist")
    (tmp_path / "test_it.py").write_text(_TESTS)
    plugins = ["-p", "no:cacheprovider", "-p", "telemetry_core.pytest_plugin"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--telemetry", *plugins, *workers, "test_it.py"],
        cwd=tmp_path,
        env={
            **environment(TELEMETRY_BASE_DIR=str(tmp_path / "base")),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONWARNINGS": "",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    events = Log(tmp_path / "base/raw").events()
    (run_id,) = {event.run_id for event in events}
    fields = Log(tmp_path / "base/raw").run(run_id)
    assert (fields["agent_name"], fields["status"]) == ("pytest", "failed")
    counts = [fields[f"items_{name}"] for name in ("succeeded", "failed", "skipped")]
    assert counts == [1, 2, 1]
    names = {e.data["span_id"]: e.data["name"] for e in events if e.type == "span.started"}
    ended = {names[e.data["span_id"]]: e.data for e in events if e.type == "span.ended"}
    assert {
        name.partition("::")[2]: data["attributes"]["outcome"] for name, data in ended.items()
    } == {
        "test_well": "passed",
        "test_bad": "failed",
        "test_broken": "failed",
        "test_skipped": "skipped",
    }
    assert ended["test_it.py::test_bad"]["status"] == "error"
