"""Help, version, errors, exit codes, pipes."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.cli.main import COMMANDS
from indexer.errors import DatabaseUnusable
from tests.support.cli import COMMAND, Cli, in_process
from tests.support.process import environment
from tests.support.process import run as run_python

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
READING = ("status", "quarantine", "runs", "show", "tail", "stats", "sql", "verify", "report")


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_it_answers_without_importing_what_it_does_not_need(argument):
    """Neither needs the database, the watch, the terminal library or any command."""
    out = run_python(
        """
        import sys
        from indexer.cli.main import run
        run([sys.argv[1]])
        heavy = {"sqlite3", "pathlib", "watchdog", "rich", "httpx", "indexer.cli.commands"}
        print("loaded:", sorted(heavy & sys.modules.keys()))
        """,
        argument,
    )
    assert out.endswith("loaded: []\n")


@pytest.mark.parametrize(
    "how",
    [
        ("-m", "indexer"),
        pytest.param(
            (str(Path(sys.executable).parent / "telemetry"),),
            marks=pytest.mark.skipif(os.name == "nt", reason="its script is a program there"),
        ),
    ],
)
def test_a_module_of_the_users_does_not_shadow_it_in_isolated_mode(how, tmp_path):
    """A package `indexer` in PYTHONPATH, as a crontab or a shell profile may have it."""
    (tmp_path / "indexer").mkdir()
    (tmp_path / "indexer" / "__init__.py").write_text("raise SystemExit('not ours')")
    ran = subprocess.run(
        [sys.executable, "-I", *how, "--version"],
        env=environment(PYTHONPATH=str(tmp_path)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("command", ["runs", "stats", "status", "show latest"])
def test_a_reading_command_imports_only_what_it_needs(base, client, command):
    """With nothing new in the log: no hash (which loads OpenSSL), no compression, no watch."""
    client.start_run("agent", "job")
    code = """
        import sys
        known = set()
        if sys.platform == "win32":
            import portalocker  # which agents import there, and which imports some of these
            known = set(sys.modules)
        from indexer.cli.main import run
        run(sys.argv[1:])
        heavy = {"hashlib", "shutil", "lzma", "gzip", "logging", "watchdog", "rich"}
        heavy |= {"http", "httpx", "indexer.fleet"}
        print("loaded:", sorted(heavy & sys.modules.keys() - known))
    """
    arguments = ["--base", str(base), *command.split()]
    run_python(code, *arguments)
    assert run_python(code, *arguments).endswith("loaded: []\n")


def test_every_command_has_help_with_an_example(cli):
    """`--help` of each command works and shows how it is called."""
    for name in COMMANDS:
        ran = cli(name, "--help")
        assert ran.code == 0
        assert "Examples:" in ran.out
        assert f"telemetry {name}" in ran.out
        # A script for a shell and a page of documentation are about no base.
        assert "--base" in ran.out or name in ("completion", "docs", "skill")


def test_the_help_names_every_command(cli):
    """`telemetry --help` lists all commands with a line each."""
    ran = cli("--help")
    for name, entry in COMMANDS.items():
        assert name in ran.out
        assert entry.summary in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("runs", "--since", "nonsense"),
        ("runs", "--limit", "-1"),
        ("show",),
        ("sql",),
        ("sql", "--format", "xml", "SELECT 1"),
        ("sql", "--timeout", "x", "SELECT 1"),
        ("status", "extra"),
        ("status", "--json", "--prometheus"),
        ("--nonsense",),
        ("demo", "/no/such/directory"),
    ],
)
def test_wrong_usage_exits_2(arguments, cli):
    """What can't be understood is said on stderr, with exit code 2."""
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err


def test_a_name_that_is_nearly_right_is_suggested(cli):
    """A typing error costs no look at the help."""
    assert "Did you mean runs?" in cli("run").err


@pytest.mark.parametrize("name", READING)
def test_a_base_that_is_not_there_is_empty_and_stays_away(name, cli, base):
    """Looking at nothing says where it looked, and creates nothing."""
    extra = {
        "show": ["latest"],
        "sql": ["SELECT count(*) AS runs FROM agent_runs"],
        "report": ["--output", "-"],
    }.get(name, [])
    ran = cli(name, *extra)
    assert ran.code == (1 if name == "show" else 0)
    assert str(base / "raw") in ran.err
    assert not base.exists()


@pytest.mark.parametrize("name", [name for name in READING if name != "show"])
def test_json_of_an_empty_base_is_json(name, cli):
    """A script needs no special case for a base that is not there yet."""
    extra = ["SELECT * FROM agent_runs"] if name == "sql" else []
    ran = cli(name, "--json", *extra)
    assert ran.code == 0
    assert ran.out == "" if name == "tail" else ran.json in ([], ran.json)


def test_base_may_stand_on_either_side(base, client, capsys):
    """`--base` is taken before the command's name and after it; the nearer one wins."""
    client.start_run("agent", "job")
    cli = Cli(base.parent / "other", capsys)
    assert len(cli("runs", "--json", "--base", str(base)).json) == 1


def test_base_overrides_the_variables_that_name_paths(base, client, cli, monkeypatch):
    """With --base, nothing of another base is read or written."""
    client.start_run("agent", "job")
    monkeypatch.setenv("TELEMETRY_DB_PATH", str(base.parent / "elsewhere" / "db" / "t.sqlite"))
    monkeypatch.setenv("TELEMETRY_NDJSON_DIR", str(base.parent / "elsewhere" / "raw"))
    assert len(cli("runs", "--json").json) == 1
    assert not (base.parent / "elsewhere").exists()


def test_an_error_of_ours_is_one_line(base, client, cli):
    """An error is one line with what to do, and exit code 1; a traceback only on -v."""
    client.start_run("agent", "job")
    ran = cli("show", "nonsense")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: no run matches 'nonsense'. `telemetry runs` lists runs\n"
    assert "Traceback" in in_process(base, "-v", "show", "nonsense").err


def test_an_error_of_the_system_is_one_line(base, client, cli):
    """So is what the file system refuses."""
    base.mkdir()
    (base / "raw").write_text("no directory")
    ran = cli("runs")
    assert ran.code == 1
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs",),
        ("tail", "-n", "5000"),
        ("sql", ENDLESS),
        ("sql", "--json", ENDLESS),
    ],
)
def test_a_reader_that_has_enough_is_no_error(arguments, base, client):
    """`telemetry ... | head -1` ends in silence."""
    for number in range(1000):
        client.log_event("run", "event", {"number": number, "text": "x" * 200})
    process = subprocess.Popen(
        [*COMMAND, "--base", str(base), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 0


@pytest.mark.needs("signals")
def test_ctrl_c_exits_130_without_a_traceback(base, client):
    """An interrupted command says nothing more."""
    client.start_run("agent", "job")
    process = subprocess.Popen(
        [*COMMAND, "--base", str(base), "sql", ENDLESS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_python_m_indexer_works_from_a_hostile_directory(tmp_path):
    """The daemon of the demo is started by path: what lies in the directory does not matter."""
    for name in ("ast.py", "json.py", "telemetry_core.py"):
        (tmp_path / name).write_text("raise SystemExit('imported from the working directory')")
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, str(root / "indexer" / "__main__.py"), "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"telemetry ")


def test_a_base_that_is_a_file_says_what_to_do(base, cli):
    """The error names the path and the way to another base."""
    base.write_text("no directory")
    ran = cli("runs")
    assert ran.code == 1
    assert ran.err == (
        f"error: Not a directory: {base / 'raw'}."
        " Set the base directory with --base or TELEMETRY_BASE_DIR\n"
    )


def test_a_full_disk_still_shows_what_was_indexed(base, client, cli, monkeypatch):
    """Where there is no room to index, the view is shown as it stands, with a warning."""
    client.start_run("agent", "job")
    assert cli("index").code == 0
    client.start_run("agent", "not indexed")
    monkeypatch.setattr(
        "indexer.database.freshness.index_once", _refuse(OSError(errno.ENOSPC, "No space"))
    )
    ran = cli("runs", "--json")
    assert (ran.code, len(ran.json)) == (0, 1)
    assert ran.err.startswith("warning: the database may be out of date")
    assert "Free some space" in ran.err


def test_a_full_disk_without_a_database_is_read_in_memory(base, client, cli, monkeypatch):
    """The log can be read, so the rows can be had; and nobody is sent to a rebuild."""
    client.start_run("agent", "job")
    full = DatabaseUnusable("telemetry.sqlite: database or disk is full")
    full.__cause__ = sqlite3.OperationalError("database or disk is full")
    monkeypatch.setattr("indexer.database.freshness.index_once", _refuse(full))
    ran = cli("runs", "--json")
    assert (ran.code, [run["agent_name"] for run in ran.json]) == (0, ["agent"])
    assert "in memory" in ran.err
    assert "Free some space" in ran.err
    assert "rebuild" not in ran.err


def test_a_locked_database_says_what_to_do(base, client, cli, monkeypatch):
    """Nobody is sent to a rebuild, which would wait for the same transaction."""
    client.start_run("agent", "job")
    locked = DatabaseUnusable("telemetry.sqlite: database is locked")
    locked.__cause__ = sqlite3.OperationalError("database is locked")
    monkeypatch.setattr("indexer.database.freshness.index_once", _refuse(locked))
    ran = cli("runs")
    assert (ran.code, ran.out) == (1, "")
    assert "End what keeps a transaction open" in ran.err
    assert "rebuild" not in ran.err


def test_indexing_where_nothing_was_recorded_says_so(base, cli):
    """A base that was mistyped is not made."""
    ran = cli("index")
    assert ran.code == 0
    assert ran.err == f"nothing recorded yet: there is no log in {base / 'raw'}\n"
    assert not base.exists()


def test_a_base_directory_just_made_is_said_to_be_empty(cli, base):
    """Not that rows come from the database: it has none."""
    cli("init")
    assert cli("index").err == f"nothing recorded yet: there is no log in {base / 'raw'}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sql", "SELECT", "1"), "put it in quotes"),
        (("runs", "--since", "yest"), "`yesterday`"),
    ],
)
def test_wrong_usage_names_the_right_one(arguments, words, cli):
    """The error says how it should have been."""
    ran = cli(*arguments)
    assert ran.code == 2
    assert words in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="closed in a shell's way")
def test_closed_output_is_no_error(base, client):
    """A command that is started without stdout and stderr still gives its exit code."""
    client.start_run("agent", "job")
    command = shlex.join([*COMMAND, "--base", str(base), "runs"])
    done = subprocess.run(
        f"{command} >&-", shell=True, env=environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def _refuse(error: Exception) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise error

    return refuse
