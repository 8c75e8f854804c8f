"""`telemetry doctor` tells what is wrong, and what to do, also where everything is broken."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from indexer.cli.main import run
from indexer.doctor import clock, dependencies, disk, inotify, mounts, settings
from indexer.doctor import sqlite as sqlite_check
from indexer.doctor.examination import CHECKS
from indexer.doctor.subject import Subject
from indexer.store.connection import reading
from indexer.store.status import read_status
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from tests.support.cli import COMMAND, Cli, Ran, at_terminal, in_process
from tests.support.daemon import eventually, running_daemon, start_daemon
from tests.support.database import lines_of
from tests.support.disk import leave_free
from tests.support.process import ROOT, environment
from tests.support.tree import snapshot
from tests.support.working_agents import working_agents


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


def found(ran, topic, state=None):
    """What was found of a topic, as one text."""
    return " | ".join(
        f"{one['what']} -> {one['todo']}"
        for one in ran.json["findings"]
        if one["topic"] == topic and state in (None, one["state"])
    )


def subject(base, **environ):
    return Subject(Base(TelemetryConfig.for_base(base, environ)), environ, True)


def state_of(pid):
    """The letter that Linux gives a process's state."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def states(findings):
    return [finding.state for finding in findings]


def test_a_base_that_is_well_is_fine(cli, client):
    """Every check has spoken, nothing is degraded, and an event went all the way."""
    client.start_run("agent", "job")
    cli("init")
    ran = cli("doctor", "--json")
    assert (ran.code, ran.json["state"]) == (0, "ok")
    assert {one["topic"] for one in ran.json["findings"]} >= set(CHECKS) - {"inotify"}
    assert "three events written in" in found(ran, "probe", "ok")
    text = cli("doctor").out
    assert "three events written in" in text
    assert "TELEMETRY_STALE_AFTER" in text


@pytest.mark.needs("signals")
@pytest.mark.parametrize("state", ["empty", "used", "daemon at work", "daemon killed"])
def test_nothing_is_changed(base, cli, client, state):
    """Not a byte, not a file, not a mode: whether or not somebody has the view open."""
    base.mkdir()
    if state != "empty":
        client.start_run("agent", "job")
        cli("index")
    daemon = None
    if state.startswith("daemon"):
        daemon = start_daemon(base, 3600)
        eventually(lambda: (base / "db" / "telemetry.sqlite-wal").exists())
        # It has begun, and has nothing more to write.
        eventually(lambda: _heartbeat(base) is not None)
        # Stopped, it writes no heartbeat meanwhile; killed, it leaves its files behind.
        daemon.send_signal(signal.SIGKILL if state == "daemon killed" else signal.SIGSTOP)
        eventually(lambda: state_of(daemon.pid) in "TZ")
    try:
        before = _without_directories(base)
        cli("doctor")
        assert _without_directories(base) == before
    finally:
        if daemon is not None:
            daemon.kill()
            daemon.communicate()


def _heartbeat(base):
    with reading(base / "db" / "telemetry.sqlite") as connection:
        return read_status(connection).get("heartbeat")


def _without_directories(base):
    """The base as it stands, but for its own time, since the probe's directory came and went.

    The `-shm` file holds no data: opening a database that was left open fills it again.
    """
    left_out = (str(base), str(base / "db" / "telemetry.sqlite-shm"))
    return {path: found for path, found in snapshot(base).items() if path not in left_out}


def test_a_base_that_is_not_there_is_fine_and_stays_away(base, cli):
    """It is made on first use, and the probe goes where it would be made."""
    ran = cli("doctor", "--json")
    assert ran.code == 0
    assert "does not exist yet" in found(ran, "directories", "note")
    assert found(ran, "probe", "ok")
    assert not base.exists()
    assert list(base.parent.iterdir()) == []


def test_a_file_in_the_bases_place_is_a_failure(base, cli):
    """It is named, and every other check still speaks."""
    base.write_text("a file")
    ran = cli("doctor", "--json")
    assert (ran.code, ran.json["state"]) == (3, "degraded")
    assert f"{base} is not a directory" in found(ran, "directories", "failure")
    assert found(ran, "python", "ok")
    assert base.read_text() == "a file"


@pytest.mark.parametrize("name", ["raw", "db", "reports"])
def test_a_file_in_a_directorys_place_is_a_failure(base, cli, name):
    """Also where only one of them is wrong."""
    base.mkdir(mode=0o700)
    (base / name).write_text("a file")
    ran = cli("doctor", "--json")
    assert ran.code == 3
    assert f"{base / name} is not a directory -> move it away" in found(
        ran, "directories", "failure"
    )


def _without_power(base, *arguments):
    """Run a command as somebody whom modes keep out, which root is not."""
    command = [*COMMAND, "--base", str(base), *arguments]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root goes where it likes, and there is no setpriv to keep it from that")
        bounds = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={bounds}", f"--inh-caps={bounds}", *command]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    return done.returncode, json.loads(done.stdout)["findings"], done.stderr


@pytest.mark.needs("modes")
@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_base_that_one_may_not_use_is_a_failure(base, cli, client, mode):
    """Unreadable, or read-only: it says so and what to do, and no traceback."""
    client.start_run("agent", "job")
    cli("init")
    base.chmod(mode)
    try:
        code, findings, errors = _without_power(base, "doctor", "--json")
    finally:
        base.chmod(0o700)
    assert (code, errors) == (3, "")
    reported = [one for one in findings if one["state"] == "failure"]
    assert any("this user can't read and write" in one["what"] for one in reported)
    assert any(one["topic"] == "probe" for one in reported)
    assert all(one["todo"] for one in reported)


@pytest.mark.needs("modes")
def test_a_log_file_that_one_may_not_write_is_a_failure(base, cli, client):
    """An agent that ran as another user left it: the next one's events go elsewhere."""
    client.start_run("agent", "job")
    cli("init")
    (log,) = (base / "raw").glob("*.ndjson")
    log.chmod(0o400)
    code, findings, _ = _without_power(base, "doctor", "--json")
    assert code == 3
    assert any(log.name in one["what"] for one in findings if one["state"] == "failure")


def test_a_read_only_disk_is_a_failure(base):
    """A real one."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    base.mkdir()
    script = (
        'mount -t tmpfs -o ro none "$1" || exit 99;exec "$2" -m indexer --base "$1" doctor --json'
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(base), sys.executable],
        capture_output=True,
        text=True,
        env=environment(),
    )
    if done.returncode not in (0, 3):
        pytest.skip(f"no file system can be mounted here: {done.stderr}")
    assert done.returncode == 3
    reported = {
        one["topic"]: one["what"]
        for one in json.loads(done.stdout)["findings"]
        if one["state"] == "failure"
    }
    assert "Read-only file system" in reported["probe"]


def test_a_view_that_is_rubbish_is_a_failure(base, cli, client):
    """The log is not harmed, and a rebuild mends it."""
    client.start_run("agent", "job")
    (base / "db").mkdir()
    (base / "db" / "telemetry.sqlite").write_bytes(b"rubbish" * 1000)
    ran = cli("doctor", "--json")
    assert ran.code == 3
    assert "telemetry rebuild" in found(ran, "database", "failure")
    assert cli("rebuild").code == 0
    assert found(cli("doctor", "--json"), "database", "failure") == ""


def test_a_view_of_another_version_is_told(base, cli, client):
    """It is rebuilt by itself, and that takes a while."""
    client.start_run("agent", "job")
    cli("index")
    view = sqlite3.connect(base / "db" / "telemetry.sqlite")
    view.execute("PRAGMA user_version = 1")
    view.close()
    assert "has another version" in found(cli("doctor", "--json"), "database", "warning")


@pytest.mark.needs("signals")
def test_a_daemon_is_told_alive_stopped_or_killed(base, cli, client):
    """And none is fine."""
    client.start_run("agent", "job")
    assert "no daemon runs" in found(cli("doctor", "--json"), "daemon", "note")
    with running_daemon(base) as process:
        eventually(lambda: (base / "db" / "indexer.json").exists())
        assert f"process {process.pid}" in found(cli("doctor", "--json"), "daemon", "ok")
        process.send_signal(signal.SIGSTOP)
        eventually(lambda: state_of(process.pid) == "T")
        try:
            ran = cli("doctor", "--json")
        finally:
            process.send_signal(signal.SIGCONT)
        assert f"kill -CONT {process.pid}" in found(ran, "daemon", "warning")
        note = (base / "db" / "indexer.json").read_text()
    (base / "db" / "indexer.json").write_text(note)
    ran = cli("doctor", "--json")
    assert "was killed" in found(ran, "daemon", "note")
    (base / "db" / "indexer.json").write_text(note.replace('"host":"', '"host":"other-'))
    assert "check there" in found(cli("doctor", "--json"), "daemon", "note")


@pytest.mark.needs("modes")
def test_what_is_open_to_others_is_told(base, cli):
    """To everybody: a warning, with the command; to read it: a note."""
    cli("init")
    (base / "raw").chmod(0o755)
    ran = cli("doctor", "--json")
    assert (ran.code, f"chmod 700 {base / 'raw'}" in found(ran, "directories", "note")) == (0, True)
    (base / "raw").chmod(0o777)
    ran = cli("doctor", "--json")
    assert ran.code == 3
    assert "is writable by everybody" in found(ran, "directories", "warning")


def test_settings_say_where_they_come_from(base, monkeypatch, capsys):
    """The environment, the base, a default; and which variable named the base."""
    monkeypatch.setenv("TELEMETRY_BASE_DIR", str(base))
    monkeypatch.setenv("AGENT_METRICS_DIR", str(base / "old"))
    monkeypatch.setenv("TELEMETRY_POLL_INTERVAL", "2.5")
    monkeypatch.setenv("TELEMETRY_STALE_AFTER", "soon")
    ran = in_env(capsys, "doctor", "--json")
    table = {one["setting"]: (one["value"], one["source"]) for one in ran.json["settings"]}
    assert table["TELEMETRY_BASE_DIR"] == (str(base), "TELEMETRY_BASE_DIR")
    assert table["TELEMETRY_NDJSON_DIR"] == (str(base / "raw"), "base")
    assert table["TELEMETRY_POLL_INTERVAL"] == (2.5, "environment")
    assert table["TELEMETRY_STALE_AFTER"] == (3600.0, "default, instead of a bad value")
    assert table["TELEMETRY_DURABILITY"] == ("kernel", "default")
    assert "by TELEMETRY_BASE_DIR" in found(ran, "settings", "ok")
    warnings = found(ran, "settings", "warning")
    assert "AGENT_METRICS_DIR is" in warnings
    assert "TELEMETRY_STALE_AFTER is 'soon'" in warnings


def in_env(capsys, *arguments):
    """The command line on the base that the environment names."""
    code = run(arguments)
    return Ran(code, *capsys.readouterr())


@pytest.mark.parametrize(
    ("name", "state", "meant"),
    [
        ("TELEMETRY_BASEDIR", "warning", "TELEMETRY_BASE_DIR"),
        ("AGENT_METRIC_DIR", "warning", "AGENT_METRICS_DIR"),
        ("METRICS_API_TOKN", "warning", "METRICS_API_TOKEN"),
        ("TELEMETRY_COLOUR_OF_THE_SKY", "note", ""),
        ("AGENT_SMITH", None, ""),
        ("METRICS_PORT", None, ""),
    ],
)
def test_misspelled_variables_are_found(base, name, state, meant):
    """With what was meant; those of others are left alone."""
    strange = [one for one in settings.check(subject(base, **{name: "x"})) if name in one.what]
    assert states(strange) == ([state] if state else [])
    if meant:
        assert meant in strange[0].todo


def test_secrets_are_never_shown(base, cli, monkeypatch):
    """Neither the token, nor what a URL or a misspelled variable carries."""
    monkeypatch.setenv("METRICS_API_TOKEN", "s3cret")
    monkeypatch.setenv("METRICS_API_TOKN", "s3cret")
    monkeypatch.setenv("METRICS_API_URL", "https://me:s3cret@host/path?key=s3cret")
    for arguments in (("doctor",), ("doctor", "--json")):
        ran = cli(*arguments)
        assert "s3cret" not in ran.out + ran.err
        assert "https://host/path" in ran.out


@pytest.mark.skipif(sys.platform == "win32", reason="portalocker, which locks here, is missing")
def test_a_missing_dependency_is_named(base, tmp_path):
    """Not even orjson need be there for the doctor to speak; what needs it is not examined."""
    code = (
        "import sys\n"
        "for name in ('orjson', 'watchdog', 'rich', 'httpx', 'portalocker'):\n"
        "    sys.modules[name] = None\n"
        "from importlib import metadata\n"
        "real = metadata.version\n"
        "def version(name):\n"
        "    if name == 'orjson': raise metadata.PackageNotFoundError(name)\n"
        "    return '1.0' if name == 'rich' else real(name)\n"
        "metadata.version = version\n"
        "import indexer.doctor.dependencies as d\n"
        "d.find_spec = lambda name: None\n"
        "from indexer.cli.main import run\n"
        "sys.exit(run(['--base', sys.argv[1], 'doctor', '--json']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(base)], capture_output=True, text=True, env=environment()
    )
    assert (done.returncode, done.stderr) == (3, "")
    findings = json.loads(done.stdout)["findings"]
    reported = {one["what"]: one["todo"] for one in findings if one["state"] == "failure"}
    assert reported["orjson is not installed"].startswith("pip install --upgrade 'orjson>=")
    assert any(what.startswith("rich 1.0 is older than") for what in reported)
    assert any(one["what"].startswith("not checked") for one in findings)


def test_requirements_are_those_of_the_project(monkeypatch):
    """From what was installed, and from the checkout where nothing was."""
    installed = dependencies.requirements()
    names = {"click", "httpx", "jinja2", "orjson", "portalocker", "rich", "watchdog"}
    assert installed.keys() - {"tomli"} == names
    monkeypatch.setattr(dependencies, "_DISTRIBUTION", "no-such-distribution")
    assert dependencies.requirements() == installed


@pytest.mark.parametrize("distribution", ["local-telemetry", "no-such-distribution"])
@pytest.mark.parametrize(
    ("python", "is_needed"), [((3, 9), True), ((3, 10), True), ((3, 11), False), ((3, 13), False)]
)
def test_tomli_is_checked_where_python_has_no_tomllib(python, is_needed, distribution, monkeypatch):
    """It is a dependency of 3.9 and 3.10 only; what an extra needs is not one."""
    monkeypatch.setattr(dependencies, "_DISTRIBUTION", distribution)
    needed = dependencies.requirements(python)
    assert ("tomli" in needed) == is_needed
    assert "pyarrow" not in needed


def _findings_on_writers(cli, level):
    findings = cli("doctor", "--json").json["findings"]
    return [one["what"] for one in findings if (one["topic"], one["state"]) == ("writers", level)]


def test_events_whose_order_is_lost_are_found(cli, base, client):
    """Of one source and time, with ids that don't rise: the last value is then a matter of luck.

    Not of what was imported or received, whose ids never rise: its fields say the order.
    """
    client.start_run("agent", "job")
    cli("index")
    assert _findings_on_writers(cli, "warning") == []
    lines = [
        {
            "specversion": "1.0",
            "id": one_id,
            "source": source,
            "type": "run.updated",
            "subject": f"run of {source}",
            "time": "2026-01-01T00:00:00.123Z",
            "data": {"items_succeeded": number},
        }
        for source in ("node-host/7", "telemetry/import", "telemetry/receive")
        for number, one_id in enumerate([f"b {source}", f"a {source}"])
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (base / "raw" / "events_20260101.ndjson").write_text(text)
    cli("index")
    (found,) = _findings_on_writers(cli, "warning")
    assert found.endswith(": node-host/7")


def test_misspelled_fields_and_statuses_are_found(cli, client):
    """With the name that was probably meant; made-up ones are nobody's mistake."""
    run_id = client.start_run("agent", "job", item_succeeded=3, colour="red")
    client.end_run(run_id, "sucess")
    client.end_run(client.start_run("agent", "job"), "archived")
    cli("index")
    fields, statuses = _findings_on_writers(cli, "note")
    assert "item_succeeded (did you mean items_succeeded?)" in fields
    assert "colour" not in fields
    assert "sucess (did you mean success?)" in statuses
    assert "archived" not in statuses


@pytest.mark.parametrize(
    ("version", "has_it"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((3, 53, 1), False),
    ],
)
def test_the_versions_with_the_wal_reset_bug_are_known(version, has_it):
    """From 3.7.0 to 3.51.2, but for the two series that were mended later."""
    assert sqlite_check.has_wal_reset_bug(version) is has_it


def test_an_sqlite_that_is_too_old_is_a_failure(base, monkeypatch):
    """Without window functions the view can't be made."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 24, 0))
    assert states(sqlite_check.check(subject(base))) == ["failure"]


@pytest.mark.parametrize(
    ("free", "state"), [(10_000_000, "failure"), (400_000_000, "warning"), (10_000_000_000, "ok")]
)
def test_little_room_is_told(base, monkeypatch, free, state):
    """Before events are lost, and when they are about to be."""
    leave_free(monkeypatch, free)
    assert states(disk.check(subject(base))) == [state]


@pytest.mark.parametrize(
    ("kind", "mode", "expected"),
    [
        ("ext4", "", ["ok", "ok"]),
        ("nfs4", "", ["note", "note"]),
        ("nfs4", "WAL", ["note", "warning"]),
        ("tmpfs", "", ["ok", "ok", "note"]),
    ],
)
def test_file_systems_are_told_by_what_they_can(base, monkeypatch, kind, mode, expected):
    """No events and no WAL where another kernel writes too; nothing lasts in memory."""
    monkeypatch.setattr(mounts, "filesystem_kind", lambda _: kind)
    monkeypatch.setattr(mounts, "is_shared", lambda _: kind == "nfs4")
    assert states(mounts.check(subject(base, TELEMETRY_DB_JOURNAL_MODE=mode))) == expected


@pytest.mark.needs("inotify")
def test_inotify_is_held_against_its_limits(base, monkeypatch):
    """A running watch is counted; where the limits are used up, a daemon would have to poll."""
    with running_daemon(base):
        # It begins to watch before it opens the view.
        eventually((base / "db" / "telemetry.sqlite").exists)
        assert min(inotify._used(os.getuid())) >= 1
        (now,) = inotify.check(subject(base))
        assert now.what.count(" of ") == 2
        for scarce in ("max_user_instances", "max_user_watches"):
            limits = {scarce: 2}
            monkeypatch.setattr(inotify, "_limit", lambda name, low=limits: low.get(name, 9**9))
            assert states(inotify.check(subject(base))) == ["warning"]
        monkeypatch.setattr(inotify, "_limit", lambda _: 9**9)
        assert states(inotify.check(subject(base))) == ["ok"]


def test_events_and_files_of_the_future_are_told(base, client, monkeypatch):
    """Some clock was ahead, or this one went back."""
    client.start_run("agent", "job")
    assert states(clock.check(subject(base))) == ["ok"]
    later = datetime.now(timezone.utc) + timedelta(days=3)
    (base / "raw" / f"events_{later:%Y%m%d}.ndjson").write_text(
        f'{{"specversion":"1.0","time":"{later:%Y-%m-%dT%H:%M:%SZ}"}}\n'
    )
    reported = list(clock.check(subject(base)))
    assert states(reported) == ["ok", "warning", "note"]
    real = clock.list_segments
    ahead = timedelta(days=1).total_seconds() * 1e9
    monkeypatch.setattr(
        clock,
        "list_segments",
        lambda path: [file._replace(changed=file.changed + int(ahead)) for file in real(path)],
    )
    assert any("the clock was set back" in one.what for one in clock.check(subject(base)))


def test_what_trouble_left_behind_is_told(base, cli, client):
    """Events of single processes, damaged views, probes that were killed."""
    client.start_run("agent", "job")
    cli("index")
    (base / "raw" / "events_20260101.host-17.ndjson").write_text("\n")
    (base / "db" / "telemetry.sqlite.damaged-2026").write_text("x")
    (base / ".telemetry-probe-x").mkdir()
    ran = cli("doctor", "--json")
    assert ran.code == 0
    reported = found(ran, "leftovers", "note")
    assert "1 spill file" in reported
    assert "damaged-2026 is a damaged database" in reported
    assert ".telemetry-probe-x" in reported


def test_an_examination_that_breaks_hides_no_other(cli, monkeypatch):
    """A bug in one check is reported as such."""

    def break_down(_):
        raise ZeroDivisionError("so it is")

    monkeypatch.setattr(sqlite_check, "check", break_down)
    ran = cli("doctor", "--json")
    assert ran.code == 3
    assert "ZeroDivisionError: so it is" in found(ran, "sqlite", "failure")
    assert found(ran, "probe", "ok")


def test_a_disk_without_room_fails_the_probe_and_leaves_nothing(base):
    """A real one, full: what the probe could not write is not written later either."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    base.mkdir()
    script = (
        'mount -t tmpfs -o size=64k none "$1" || exit 99; dd if=/dev/zero of="$1/x" 2>/dev/null;'
        '"$2" -m indexer --base "$1" doctor --json; code=$?; ls -A "$1" >&2; exit $code'
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(base), sys.executable],
        capture_output=True,
        text=True,
        env=environment(),
    )
    if done.returncode not in (0, 3):
        pytest.skip(f"no file system can be mounted here: {done.stderr}")
    assert (done.returncode, done.stderr) == (3, "x\n")
    probes = [one for one in json.loads(done.stdout)["findings"] if one["topic"] == "probe"]
    assert [one["state"] for one in probes] == ["failure"]
    assert "an event could not be written: " in probes[0]["what"]


def test_the_script_works_in_a_checkout(base):
    """tools/validate_installation.py is the command by its earlier name."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "validate_installation.py"), "--base", str(base)],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "three events written" in done.stdout


@pytest.mark.needs("terminal")
def test_colours_are_for_terminals_that_want_them(base):
    """And at a terminal with NO_COLOR; without it, what is wrong stands out there."""
    assert "\x1b" not in in_process(base, "doctor").out
    assert "\x1b" not in at_terminal(base, "doctor", NO_COLOR="1")
    assert "\x1b[32mok" in at_terminal(base, "doctor")


def test_a_model_without_a_price_is_noted_by_its_name(cli, base):
    """With how many calls it has; prices that make no sense are warned of."""
    (base / "raw").mkdir(parents=True)
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(working_agents()))
    (base / "config").mkdir()
    (base / "config" / "prices.toml").write_text(
        '[models."claude*"]\ninput = 3\n[models.bad]\ninput = "x"\n'
    )
    assert cli("usage").code == 0
    ran = cli("doctor", "--json")
    assert "odd-model (1)" in found(ran, "prices", "note")
    assert "bad" in found(ran, "prices", "warning")
    assert "prices.toml" in found(ran, "prices", "ok")
