"""`telemetry init` makes what is missing, says so, and harms nothing that is there."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys

import pytest

from indexer.store.schema.script import TABLES, VIEWS, schema_sql
from tests.support.cli import Cli
from tests.support.process import ROOT, environment
from tests.support.tree import snapshot

_DIRECTORIES = ("raw", "db", "reports", "exports", "config", "logs", "backups")


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.mark.needs("modes")
def test_the_whole_tree_is_made_for_its_owner_alone(base, cli):
    """Every directory with 0700 and every file with 0600, whatever the umask."""
    before = os.umask(0o002)
    try:
        assert cli("init").code == 0
    finally:
        os.umask(before)
    for path in [base, *base.rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
    assert {path.name for path in base.iterdir()} == set(_DIRECTORIES)


def test_it_says_what_it_made_and_what_was_there(base, cli):
    """The first time everything was made, the second time nothing was."""
    first, second = cli("init", "--json").json, cli("init", "--json").json
    assert first["base"] == second["base"] == str(base)
    assert {place["outcome"] for place in first["places"]} == {"made"}
    assert {place["outcome"] for place in second["places"]} == {"present"}
    paths = {place["name"]: place["path"] for place in first["places"]}
    assert paths["database file"] == str(base / "db" / "telemetry.sqlite")
    assert paths["schema"] == str(base / "config" / "schema.sql")
    assert str(base / "raw") in cli("init").out


def test_nothing_that_is_there_is_touched(base, cli, client):
    """Not a log, not a view, not a directory's mode: the second run changes no byte."""
    client.start_run("agent", "job")
    cli("init")
    cli("index")
    (base / "reports").chmod(0o750)
    (base / "reports" / "mine.html").write_text("mine")
    before = snapshot(base)
    assert cli("init").code == 0
    assert snapshot(base) == before


def test_the_view_is_ready_and_the_schema_is_the_one_it_has(base, cli):
    """Both come from one definition: the script makes in SQLite what the view has."""
    cli("init")
    script = (base / "config" / "schema.sql").read_text()
    assert script == schema_sql()
    made = sqlite3.connect(":memory:")
    made.executescript(script)
    view = sqlite3.connect(base / "db" / "telemetry.sqlite")
    names = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    assert set(view.execute(names)) == set(made.execute(names))
    assert {name for (name,) in view.execute(names)} >= {*TABLES, *VIEWS}
    made.close()
    view.close()


def test_a_schema_of_another_version_is_brought_up_to_date(base, cli):
    """It is generated, so it has to say what the view is now."""
    cli("init")
    (base / "config" / "schema.sql").write_text("-- of long ago")
    places = {place["name"]: place["outcome"] for place in cli("init", "--json").json["places"]}
    assert places["schema"] == "updated"
    assert (base / "config" / "schema.sql").read_text() == schema_sql()


def test_a_file_where_a_directory_belongs_is_an_error_that_names_it(base, cli):
    """It is not ours to delete."""
    base.mkdir()
    (base / "reports").write_text("a file")
    ran = cli("init")
    assert ran.code == 1
    assert str(base / "reports") in ran.err
    assert (base / "reports").read_text() == "a file"


@pytest.mark.needs("symlinks")
@pytest.mark.parametrize("name", ["setup_storage", "setup_database"])
def test_the_scripts_work_in_a_checkout(base, tmp_path, name):
    """From any directory, without the package installed, and with the command's options."""
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / "tools" / f"{name}.py"), "--base", str(base)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment(PYTHONPATH=_dependencies(tmp_path)),
    )
    assert done.returncode == 0, done.stderr
    assert (base / "db" / "telemetry.sqlite").is_file()


def test_a_script_without_its_dependencies_says_how_to_get_them(tmp_path):
    """No traceback: what is missing, and what to run."""
    done = subprocess.run(
        [sys.executable, "-E", "-S", str(ROOT / "tools" / "setup_storage.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: No module named 'click'. Run `pip install")


def _dependencies(directory):
    """A directory with the runtime dependencies and without this project."""
    site = directory / "site"
    site.mkdir()
    for name in ("click", "orjson", "portalocker", "watchdog", "httpx", "rich"):
        module = __import__(name)
        (site / name).symlink_to(os.path.dirname(module.__file__))
    return str(site)


def _texts(value):
    """Every text in a value of JSON."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode here")
@pytest.mark.parametrize("command", ["init", "status", "backup", "report"])
def test_a_base_whose_name_is_no_text_is_answered_in_json(command, tmp_path, capsys):
    """Its bytes appear as lone surrogates, as Python spells them; nothing is reported as a bug."""
    base = tmp_path / os.fsdecode(b"caf\xe9")
    cli = Cli(base, capsys)
    assert cli("init").code == 0
    (base / "raw" / "events_20261122.ndjson").write_bytes(b"")
    ran = cli(command, "--json")
    assert (ran.code, "Traceback" in ran.err) == (0, False)
    assert command == "report" or str(base) in "".join(_texts(ran.json))
