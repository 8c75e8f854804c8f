"""Every script, crontab line, CI step and writer runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cli import in_process
from tests.support.log import Log
from tests.support.process import ROOT, environment

_DOCS = ROOT / "docs"
_EXAMPLES = _DOCS / "examples"
_NODE, _BASH = shutil.which("node"), shutil.which("bash")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="shell scripts")


def _snippets(page: str, language: str) -> list[str]:
    text = (_DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def shell(base: Path, tmp_path: Path):
    """Runs a script as a user would, with `telemetry` on the PATH."""
    binary = tmp_path / "bin" / "telemetry"
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m indexer "$@"\n')
    binary.chmod(0o755)
    variables = environment(TELEMETRY_GIT="false", TELEMETRY_BASE_DIR=str(base))
    variables["PATH"] = f"{binary.parent}:{os.environ['PATH']}"

    def run(script: str, interpreter: str = "sh") -> str:
        done = subprocess.run(
            [interpreter, "-eu", "-c", script]
            if interpreter != "node"
            else [str(_NODE), "--input-type=module", "-e", script],
            cwd=_EXAMPLES,
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    return run


def _runs(base: Path) -> list[dict[str, Any]]:
    return list(json.loads(in_process(base, "runs", "--json", "--limit", "0").out))


@pytest.mark.parametrize(
    "script", [one for one in _snippets("recording-without-python.md", "sh") if "make" not in one]
)
def test_the_scripts_of_the_page_record_what_it_says(base: Path, shell, script: str) -> None:
    """Each leaves one run that has ended."""
    shell(script)
    (run,) = _runs(base)
    assert run["status"] in ("success", "failed")
    assert run["agent_name"] in ("importer", "report")


def test_the_crontab_lines_record_a_run(base: Path, shell) -> None:
    """As cron hands them to sh, five fields before the command."""
    (crontab,) = _snippets("recording-without-python.md", "crontab")
    for line in crontab.splitlines():
        fields = line.split(None, 5)
        assert all(re.fullmatch(r"[0-9*/,-]+", one) for one in fields[:5])
        shell(fields[5])
    assert {run["agent_name"]: run["status"] for run in _runs(base)} == {
        "backup": "success",
        "probe": "success",
    }


def test_the_ci_steps_record_a_run(base: Path, shell) -> None:
    """The steps of the job, one after the other."""
    (text,) = _snippets("recording-without-python.md", "yaml")
    job = yaml.safe_load(text)
    printed = [shell(step["run"]) for step in job["steps"]]
    assert printed[0] == "41 passed\n"
    assert "unit" in printed[1]


def _assert_last_values(base: Path, runs: int) -> None:
    """Of fields that were set again and again the last value counts, in every run."""
    rows = _runs(base)
    assert [(row["status"], row["items_succeeded"]) for row in rows] == [("success", 20)] * runs
    assert Log(base / "raw").torn() == []
    assert in_process(base, "verify").code == 0


@pytest.mark.skipif(_NODE is None, reason="needs Node")
def test_the_writer_for_node_keeps_the_order_of_its_events(base: Path, shell) -> None:
    """Twenty updates within a millisecond, in each of fifty runs; the page's lines as well."""
    shell(
        'import { startRun, setFields, endRun } from "./writer.mjs";'
        "for (let n = 0; n < 50; n++) { const run = startRun('a b', 'j');"
        " for (let i = 1; i <= 20; i++) setFields(run, { items_succeeded: i }); endRun(run); }",
        "node",
    )
    _assert_last_values(base, 50)
    (snippet,) = _snippets("other-languages.md", "js")
    shell(snippet, "node")
    assert any(run["agent_name"] == "importer" for run in _runs(base))
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in Log(base / "raw").files())


@pytest.mark.skipif(_BASH is None or shutil.which("flock") is None, reason="needs bash and flock")
def test_the_writer_for_bash_keeps_the_order_of_its_events(base: Path, shell) -> None:
    """Also after a fragment that somebody left, and with other writers."""
    version = subprocess.run([str(_BASH), "-c", "echo ${EPOCHREALTIME:+5}"], capture_output=True)
    if version.stdout.strip() != b"5":
        pytest.skip("needs bash 5")
    shell(
        ". ./writer.bash; one() { run=$(telemetry_start a j); for i in 5 20; do"
        ' telemetry_event run.updated "$run" "{\\"items_succeeded\\":$i}"; done;'
        ' telemetry_event run.ended "$run" \'{"status":"success"}\'; }; one & one & wait',
        "bash",
    )
    _assert_last_values(base, 2)
    (today,) = Log(base / "raw").shared()
    with open(today, "a", encoding="utf-8") as file:
        file.write('{"torn')
    (snippet,) = _snippets("other-languages.md", "bash-script")
    shell(snippet, "bash")
    assert any(run["agent_name"] == "importer" for run in _runs(base))
    assert len(Log(base / "raw").torn()) == 1
