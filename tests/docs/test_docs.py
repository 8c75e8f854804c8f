"""Every snippet runs, every table says what the code says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.alerts.settings.load import load_alerts
from indexer.cli.main import COMMANDS
from indexer.database.pricing.book import load_prices
from indexer.outbox.settings_file import TARGET_SETTINGS
from indexer.outbox.targets import load_targets
from indexer.store.schema.columns import RUN_COLUMNS
from indexer.store.schema.script import TABLES, VIEWS
from indexer.system.base import Base
from telemetry_core.config import TelemetryConfig
from telemetry_core.run_fields import RUN_FIELDS
from telemetry_core.settings import SETTINGS
from tests.support.process import ROOT, environment

_PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_GOES_ON = re.compile(r"--watch|^telemetry (up|ui)\b")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _snippets(language: str) -> list[tuple[Path, str]]:
    found = []
    for page in _PAGES:
        found += [
            (page, m[2])
            for m in _FENCE.finditer(page.read_text(encoding="utf-8"))
            if m[1] == language
        ]
    return found


def _commands() -> list[str]:
    """Every telemetry command that a reader would type, but those that go on until stopped."""
    lines = [line for _, block in _snippets("bash") for line in block.splitlines()]
    lines += [
        line[2:]
        for _, block in _snippets("console")
        for line in block.splitlines()
        if line.startswith("$ telemetry")
    ]
    return sorted(
        line for line in {*lines} if line.startswith("telemetry ") and not _GOES_ON.search(line)
    )


def _run(arguments: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    variables = environment(TELEMETRY_BASE_DIR=str(directory / "base"))
    return subprocess.run(
        arguments, cwd=directory, env=variables, text=True, capture_output=True, check=False
    )


def _telemetry(command: str) -> list[str]:
    return [sys.executable, "-m", "indexer", *shlex.split(command, comments=True)[1:]]


@pytest.mark.parametrize(
    ("page", "code"), _snippets("python"), ids=lambda value: getattr(value, "name", "snippet")
)
def test_python_snippets_run(page: Path, code: str, tmp_path: Path) -> None:
    """As they stand, each in a process of its own."""
    done = _run([sys.executable, "-W", "error", "-c", code], tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", _commands())
def test_commands_run(command: str, tmp_path: Path) -> None:
    """Every command of the docs works on a base that has runs in it."""
    for _, code in _snippets("python")[:2]:
        assert _run([sys.executable, "-c", code], tmp_path).returncode == 0
    done = _run(_telemetry(command), tmp_path)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("page", "text"), _snippets("toml"), ids=lambda value: getattr(value, "name", "snippet")
)
def test_settings_files_make_sense(page: Path, text: str, tmp_path: Path) -> None:
    """As they stand, with the variable that the page has set before."""
    (tmp_path / "config").mkdir()
    if text.startswith("[models"):
        (tmp_path / "config" / "prices.toml").write_text(text)
        prices = load_prices(tmp_path)
        assert prices.problems == []
        assert prices.book is not None
        return
    (tmp_path / "config" / "telemetry.toml").write_text(text)
    url = {"METRICS_API_URL": "https://api.example.com/runs"}
    loaded = load_targets(Base(TelemetryConfig.for_base(tmp_path, url)))
    assert loaded.problems == ()
    alerts = load_alerts(Base(TelemetryConfig.for_base(tmp_path)), {})
    assert alerts.problems == ()
    assert len(alerts.rules) == text.count("[[alerts]]")
    assert len(alerts.channels) == text.count("[channels.")
    named = {"api", *re.findall(r"targets\.(\w+)", text)}
    assert {target.name for target in (*loaded.targets, *loaded.centres)} == named


def test_every_setting_of_a_target_is_documented() -> None:
    """A row each."""
    page = (ROOT / "docs" / "forwarding.md").read_text(encoding="utf-8")
    assert [name for name in TARGET_SETTINGS if f"| `{name}` |" not in page] == []


def test_links_lead_somewhere() -> None:
    """Every relative link of a page names a file."""
    for page in _PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_field_is_documented() -> None:
    """The table of fields is the one list, row for row."""
    text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    rows = [f"| {field.name} | {field.kind} | {field.meaning} |" for field in RUN_FIELDS]
    assert "\n".join(rows) in text


def test_every_column_table_and_view_is_documented() -> None:
    """Every name of the SQL is there."""
    text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
    for name in (*RUN_COLUMNS, *TABLES, *VIEWS):
        assert name in text


def _generate_docs(*arguments: str, columns: int = 80) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "generate_docs.py"), *arguments],
        env=environment(COLUMNS=str(columns)),
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("columns", [40, 200])
def test_commands_and_settings_are_documented_as_they_are(columns: int) -> None:
    """The pages made from the code are what it makes now, at a terminal of any width."""
    done = _generate_docs("--check", columns=columns)
    assert done.returncode == 0, done.stderr


def test_a_wrong_option_of_the_generator_writes_nothing() -> None:
    """A misspelt --check is an error and no rewrite."""
    done = _generate_docs("--chek")
    assert (done.returncode, done.stdout) == (2, "")


def test_every_command_that_can_exit_3_says_so() -> None:
    """The help says when the exit code is 3."""
    for name, entry in COMMANDS.items():
        path = ROOT / "indexer" / "cli" / "commands" / f"{entry.module}.py"
        if re.search(r"return (3|_?DEGRADED) if", path.read_text(encoding="utf-8")):
            page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
            section = page.partition(f"### telemetry {name}\n")[2].partition("\n### telemetry ")
            reported = section[0] + section[2] * (name == "service")
            assert re.search(r"[Ee]xits?\s+3", reported), name


def test_every_variable_the_code_reads_is_a_setting() -> None:
    """No hidden switches."""
    read = set()
    for path in (*(ROOT / "telemetry_core").glob("**/*.py"), *(ROOT / "indexer").glob("**/*.py")):
        read |= set(
            re.findall(r'"((?:TELEMETRY|METRICS|AGENT)_[A-Z_]+)"', path.read_text(encoding="utf-8"))
        )
    assert read <= {setting.variable for setting in SETTINGS}


def test_nothing_names_a_machine() -> None:
    """No path of anybody's machine is in the repository."""
    files = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split("\n")
    homes = (os.path.expanduser("~") + "/.", str(ROOT) + "/")
    for name in filter(None, files):
        path = ROOT / name
        if path.is_file():
            text = path.read_text(errors="replace")
            assert not any(home in text for home in homes), name
