"""`telemetry completion`: a real bash completes real command lines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from indexer.cli.context import Settings
from indexer.cli.main import cli as command_line
from indexer.cli.main import run
from tests.support.cli import Cli
from tests.support.process import environment


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.fixture
def bin_directory(tmp_path):
    """A directory with `telemetry` in it, as an installation puts it on PATH."""
    script = tmp_path / "bin" / "telemetry"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m indexer "$@"\n')
    script.chmod(0o755)
    return script.parent


def completed(bin_directory, shell, *words):
    """What bash offers for a line of these words, the last one unfinished."""
    code = (
        'eval "$(telemetry completion bash)" || exit 9\n'
        'function=$(complete -p telemetry | sed "s/.*-F \\([^ ]*\\) .*/\\1/")\n'
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))\n'
        '"$function" telemetry "${COMP_WORDS[COMP_CWORD]}" ""\n'
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    path = os.pathsep.join([str(bin_directory), os.environ["PATH"]])
    done = subprocess.run(
        [shell, "-c", code, "bash", "telemetry", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(PATH=path),
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes(bin_directory):
    """Commands, options of a command, values of an option, and commands of a command."""
    assert completed(bin_directory, "bash", "stat") == ["status", "stats"]
    assert "--since" in completed(bin_directory, "bash", "runs", "--s")
    assert completed(bin_directory, "bash", "sql", "--format", "nd") == ["ndjson"]
    assert completed(bin_directory, "bash", "service", "in") == ["install"]
    assert completed(bin_directory, "bash", "--ver") == ["--version", "--verbose"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_names_the_program(cli, shell):
    """It is printed, asks for no shell to be there, and calls `telemetry`."""
    ran = cli("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert f"_TELEMETRY_COMPLETE={shell}_complete" in ran.out
    assert "%(" not in ran.out


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_the_script(cli, shell, tmp_path):
    """Where one is installed, it finds no mistake in it."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    script = tmp_path / "script"
    script.write_text(cli("completion", shell).out)
    assert subprocess.run([shell, "-n", str(script)], check=False).returncode == 0


def test_completing_a_command_imports_none(bin_directory):
    """It has to answer while somebody waits with a finger on the key."""
    code = (
        "import sys; from indexer.cli.main import run\n"
        "try: run([])\n"
        "except SystemExit: pass\n"
        "print([n for n in sys.modules if n.startswith('indexer.cli.commands')], file=sys.stderr)"
    )
    variables = {
        "_TELEMETRY_COMPLETE": "bash_complete",
        "COMP_WORDS": "telemetry s",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(**variables)
    )
    assert "plain,status" in done.stdout
    assert done.stderr == "[]\n"


def test_an_unknown_shell_is_a_usage_error(cli):
    """And those that are known are named."""
    ran = cli("completion", "tcsh")
    assert ran.code == 2
    assert "bash" in ran.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("runs --agent cr", {"crawler"}),
        ("runs --job d", {"daily"}),
        ("runs --status s", {"success", "stale"}),
        ("show my-", {"my-own-id"}),
        ("show la", {"latest"}),
        ("docs run", {"runbook"}),
    ],
)
def test_values_from_the_database_are_completed(words, expected, base, client, monkeypatch):
    """Agents, job types, statuses, run ids and topics of the documentation."""
    client.end_run(client.start_run("crawler", "daily", run_id="my-own-id"))
    assert run(["--base", str(base), "index"]) == 0
    monkeypatch.setenv("TELEMETRY_BASE_DIR", str(base))
    assert expected <= set(_completions(words))


def test_nothing_is_completed_where_there_is_no_database(base, monkeypatch):
    """A shell gets no error, and nothing is created."""
    monkeypatch.setenv("TELEMETRY_BASE_DIR", str(base))
    assert _completions("runs --agent x") == []
    assert not base.exists()


def _completions(words: str) -> list[str]:
    *arguments, incomplete = words.split()
    completion = ShellComplete(
        command_line, {"obj": Settings()}, "telemetry", "_TELEMETRY_COMPLETE"
    )
    return [item.value for item in completion.get_completions(arguments, incomplete)]
