"""`telemetry service` writes what each service manager can read, and undoes it."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from indexer.service import definition, systemd, windows
from indexer.service.definition import ServiceDefinition, define
from indexer.service.install import native_kind
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.settings import SETTINGS
from tests.support.cli import Cli
from tests.support.process import environment
from tests.support.tree import snapshot

_AWKWARD = "with blank %h 100% $HOME 's"
if os.name == "posix":
    # Windows allows neither in a name.
    _AWKWARD += ' "q" \\back'
_TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory of its own, and no manager that could be reached."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    return tmp_path / "home"


@pytest.fixture
def cli(tmp_path, home, capsys):
    """The command line on a base whose name is as awkward as can be."""
    return Cli(tmp_path / _AWKWARD, capsys)


def service(directory: Path, **environ: str) -> ServiceDefinition:
    return define("a-name", Base(TelemetryConfig.for_base(directory)), environ)


def unit_words(line: str) -> list[str]:
    """The words of a unit's line, as systemd's manual says that they are read."""
    words, word, quoted, rest = [], "", False, iter(line)
    for character in rest:
        if character == '"':
            quoted = not quoted
        elif character == "\\":
            word += next(rest)
        elif character in "%$":
            assert next(rest) == character, line
            word += character
        elif character == " " and not quoted:
            words.append(word)
            word = ""
        else:
            word += character
    return [*words, word]


def c_arguments(line: str) -> list[str]:
    """The arguments of a Windows command line, as its C runtime splits it."""
    words, word, quoted, slashes = [], "", False, 0
    for character in line + " ":
        if character == "\\":
            slashes += 1
            continue
        if character == '"':
            word += "\\" * (slashes // 2)
            if slashes % 2:
                word += '"'
            else:
                quoted = not quoted
        elif character == " " and not quoted:
            words.append(word + "\\" * slashes)
            word = ""
        else:
            word += "\\" * slashes + character
        slashes = 0
    return words


def test_print_touches_nothing(cli, tmp_path):
    """Of every kind, on any system: the text on stdout, and no file made."""
    before = snapshot(tmp_path)
    for kind in ("systemd", "launchd", "windows"):
        ran = cli("service", "install", "--print", "--kind", kind)
        assert (ran.code, ran.err) == (0, "")
        assert "index" in ran.out
        assert "--watch" in ran.out
    assert snapshot(tmp_path) == before


@pytest.mark.needs("paths")
def test_the_unit_says_what_was_asked_for(tmp_path):
    """Notify, watchdog, restart; base and settings written in; no privilege needed."""
    text = systemd.text(service(tmp_path, TELEMETRY_POLL_INTERVAL="5"))
    for line in (
        "Type=notify",
        "WatchdogSec=300",
        "Restart=on-failure",
        "NoNewPrivileges=yes",
        "WantedBy=default.target",
        'Environment="TELEMETRY_POLL_INTERVAL=5"',
        f'Environment="TELEMETRY_BASE_DIR={tmp_path}"',
    ):
        assert line in text.splitlines()
    assert not re.search("^(Protect|Private|ReadOnly|InaccessiblePaths)", text, re.MULTILINE)


def test_a_unit_reads_back_as_it_was_meant(tmp_path):
    """Blanks, quotes, backslashes, percent and dollar signs arrive as they are."""
    meant = service(tmp_path / _AWKWARD)
    text = systemd.text(meant._replace(python="/p y", options=(), target=("-m", _AWKWARD)))
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert unit_words(lines["ExecStart"]) == ["/p y", "-m", _AWKWARD, "index", "--watch"]
    found = [
        unit_words(line.split("=", 1)[1].replace("$", "$$"))[0]
        for line in text.splitlines()
        if line.startswith("Environment=")
    ]
    assert found == [f"{name}={value}" for name, value in meant.environment.items()]
    assert lines["EnvironmentFile"] == f"-{meant.secrets_file}".replace("%", "%%")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path):
    """`systemd-analyze verify` finds nothing, not even the program missing at its awkward path."""
    python = tmp_path / "with blank %h 100% $HOME" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    meant = service(tmp_path / "base %i")
    unit = tmp_path / "local-telemetry.service"
    unit.write_bytes(systemd.data(meant._replace(python=str(python))))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    if "Failed to" in done.stderr and "bus" in done.stderr:
        pytest.skip(f"systemd-analyze can't work here: {done.stderr}")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_property_list_reads_back_as_it_was_meant(cli, tmp_path):
    """The agent gets the same program, environment and places, whatever is in their names."""
    found = plistlib.loads(cli("service", "install", "--print", "--kind", "launchd").out.encode())
    base = tmp_path / _AWKWARD
    assert found["ProgramArguments"][0] == sys.executable
    assert found["ProgramArguments"][-2:] == ["index", "--watch"]
    assert found["EnvironmentVariables"]["TELEMETRY_BASE_DIR"] == str(base)
    assert found["StandardErrorPath"] == str(base / "logs" / "local-telemetry.log")
    assert found["KeepAlive"] == {"SuccessfulExit": False}


def test_the_task_reads_back_as_it_was_meant(tmp_path):
    """The program that the scheduler starts runs the daemon on that very base."""
    meant = service(tmp_path / _AWKWARD)
    exec_ = ET.fromstring(windows.data(meant)).find(f".//{_TASK}Exec")
    arguments = exec_.findtext(f"{_TASK}Arguments")
    assert exec_.findtext(f"{_TASK}Command") == sys.executable
    assert not {"%", "$"} & set(arguments)
    process = subprocess.Popen(
        [sys.executable, *c_arguments(arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert process.stderr.readline().rstrip().endswith(f"indexing {meant.base / 'raw'}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    # Windows has no SIGTERM: the process is ended at once.
    assert process.returncode == (0 if os.name == "posix" else 1)


def test_every_place_is_named_in_full(tmp_path, monkeypatch):
    """The manager starts it elsewhere and without our variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(definition, "_ISOLATION", ())
    environ = {
        "TELEMETRY_DB_PATH": "b/db/x.sqlite",
        "TELEMETRY_NDJSON_DIR": "log",
        "PYTHONPATH": f"src{os.pathsep}{tmp_path}",
    }
    found = define("n", Base(TelemetryConfig.from_env(environ)), environ).environment
    assert found["TELEMETRY_BASE_DIR"] == str(tmp_path / "b")
    assert found["TELEMETRY_DB_PATH"] == str(tmp_path / "b/db/x.sqlite")
    assert found["TELEMETRY_NDJSON_DIR"] == str(tmp_path / "log")
    assert found["PYTHONPATH"] == f"{tmp_path / 'src'}{os.pathsep}{tmp_path}"


def test_every_setting_that_is_in_force_reaches_the_service(tmp_path):
    """None is dropped but paths, which are written in full, and secrets, which never are."""
    environ = {one.variable: f"value of {one.variable}" for one in SETTINGS}
    environ.update(TELEMETRY_BASE_DIR=str(tmp_path), TELEMETRY_DB_PATH="", TELEMETRY_NDJSON_DIR="")
    written = define("n", Base(TelemetryConfig.for_base(tmp_path)), environ).environment
    left_out = set(environ) - set(written)
    assert left_out == {"AGENT_METRICS_DIR", *definition.SECRETS}
    assert "METRICS_API_TOKEN" in definition.SECRETS
    assert written["TELEMETRY_PRUNE_AFTER"] == "value of TELEMETRY_PRUNE_AFTER"


def test_a_module_of_the_users_does_not_shadow_ours(tmp_path, monkeypatch):
    """The service runs isolated: PYTHONPATH is neither written nor heeded."""
    (tmp_path / "indexer.py").write_text("raise SystemExit('the wrong indexer')")
    environ = {"PYTHONPATH": str(tmp_path)}
    meant = define("n", Base(TelemetryConfig.for_base(tmp_path / "base")), environ)
    if not meant.options:
        pytest.skip("this checkout is not installed: only PYTHONPATH finds it")
    assert "PYTHONPATH" not in meant.environment
    done = subprocess.run(
        [*meant.program[: -len(meant.arguments)], "--version"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(tmp_path)),
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_secret_is_never_written(cli, monkeypatch, home, tmp_path):
    """Not printed, not installed; a warning says where it may stand."""
    monkeypatch.setenv("METRICS_API_TOKEN", "s3cret")
    for kind in ("systemd", "launchd", "windows"):
        assert "s3cret" not in cli("service", "install", "--print", "--kind", kind).out
    ran = cli("service", "install", "--kind", "systemd", "--no-start")
    assert "METRICS_API_TOKEN is a secret" in ran.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert all(b"s3cret" not in path.read_bytes() for path in files)


@pytest.mark.skipif(native_kind() != "systemd", reason="the unit belongs to systemd's systems")
def test_install_and_uninstall(cli, home):
    """The file is written for its owner alone, what to run is said, and all of it is undone."""
    file = home / ".config" / "systemd" / "user" / "local-telemetry.service"
    ran = cli("service", "install", "--no-start")
    assert ran.code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "systemctl --user enable --now local-telemetry.service" in ran.out
    assert cli("service", "status").code == 3
    assert cli("service", "status", "--json").json["installed"] is True
    assert cli("service", "uninstall").code == 0
    assert not file.exists()
    assert cli("service", "status", "--json").json["installed"] is False
    ran = cli("service", "uninstall")
    assert (ran.code, ran.err.startswith("not installed")) == (0, True)


@pytest.fixture
def systemctl(tmp_path, home, monkeypatch):
    """A manager that answers, notes its commands, and says no to `refused` if that exists."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    reported = tmp_path / "reported"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {reported}\ncase "$*" in *enable*)\n'
        f"  test ! -e {tmp_path}/refused || {{ echo no >&2; exit 1; }};;\nesac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return reported


@pytest.mark.skipif(native_kind() != "systemd", reason="the manager is systemd")
def test_where_the_manager_answers_it_is_told(cli, systemctl, tmp_path):
    """Install starts the service, status asks, uninstall ends it; a refusal is an error."""
    assert "started" in cli("service", "install").out
    assert "--user enable --now local-telemetry.service" in systemctl.read_text()
    assert cli("service", "status", "--json").json["running"] is True
    assert "stopped" in cli("service", "uninstall").out
    assert "--user disable --now local-telemetry.service" in systemctl.read_text()
    (tmp_path / "refused").touch()
    ran = cli("service", "install")
    assert ran.code == 1
    assert "failed: no" in ran.err


@pytest.mark.parametrize("name", ["", "../x", "a b", "x\n[Service]"])
def test_a_name_that_is_none_is_refused(cli, name):
    """It becomes a file's name and is part of commands."""
    assert cli("service", "install", "--print", "--name", name).code == 2
