from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from indexer.doctor.settings import values
from indexer.doctor.subject import Subject
from indexer.service.definition import define
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig, storage
from telemetry_core.settings import PATH, SECRET, SETTINGS
from tests.support.process import ROOT, run


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home directory, and well-known places, of which none exists yet."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    places = tuple(str(tmp_path / name) for name in ("agent-metrics", "opt", "data"))
    monkeypatch.setattr(storage, "_WELL_KNOWN", places)
    return tmp_path


@pytest.mark.needs("paths")
def test_the_base_is_resolved_in_the_order_of_the_contract(home):
    """Base dir, old name, the parent of db/, a well-known directory, the home directory."""
    environ = {
        "TELEMETRY_DB_PATH": str(home / "p/db/t.sqlite"),
        "TELEMETRY_BASE_DIR": str(home / "base"),
        "AGENT_METRICS_DIR": str(home / "old"),
    }
    assert TelemetryConfig.from_env(environ).metrics_dir == home / "base"
    del environ["TELEMETRY_BASE_DIR"]
    assert TelemetryConfig.from_env(environ).metrics_dir == home / "old"
    del environ["AGENT_METRICS_DIR"]
    assert TelemetryConfig.from_env(environ).metrics_dir == home / "p"
    assert TelemetryConfig.from_env({}).metrics_dir == home / "home/.telemetry"
    for name in ("data", "opt", "agent-metrics"):
        (home / name).mkdir()
        assert TelemetryConfig.from_env({}).metrics_dir == home / name
    assert not (home / "home").exists()


@pytest.mark.needs("paths")
@pytest.mark.parametrize("more", [{}, {"TELEMETRY_BASE_DIR": "/b"}])
def test_a_database_path_moves_the_database_alone(home, more):
    """Unless it is the db/ of a base; and never with a base of its own."""
    environ = {"TELEMETRY_DB_PATH": str(home / "t.sqlite"), **more}
    config = TelemetryConfig.from_env(environ)
    assert config.database_path == home / "t.sqlite"
    base = Path("/b") if more else home / "home/.telemetry"
    assert (config.metrics_dir, config.ndjson_dir) == (base, base / "raw")
    assert config.misplaced == ()


@pytest.mark.needs("paths")
@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("{home}/b\r", "b"),
        (" {home}/b ", "b"),
        ('"{home}/b"', "b"),
        ("$HOME/b", None),
        ("${{HOME}}/b", None),
        ("%USERPROFILE%/b", None),
        ("{home}/b\nX=1", None),
        ("~nobody-of-that-name/b", None),
        ("   ", None),
    ],
)
@pytest.mark.parametrize("variable", storage.LOCATION_VARIABLES)
def test_a_path_from_a_file_that_no_shell_read_makes_no_strange_directory(
    home, monkeypatch, variable, text, used
):
    """Carriage returns and quotes are taken off; what is no path is ignored; both are reported."""
    monkeypatch.chdir(home)
    config = TelemetryConfig.from_env({variable: text.format(home=home)})
    paths = (config.metrics_dir, config.database_path, config.ndjson_dir)
    assert (home / (used or "-") in paths) is (used is not None)
    assert all(str(path).isprintable() and "$" not in str(path) for path in paths)
    assert all(path.is_relative_to(home) for path in paths)
    if text.strip():
        (notice,) = config.misplaced
        assert variable in notice
        assert notice in config.validate(strict=False)[1]
    client = TelemetryClient(config)
    assert client.log_event(client.start_run("a", "j"), "e")
    assert {path.name for path in home.iterdir()} <= {"b", "home"}


def test_a_directory_that_is_there_may_have_any_name(home):
    """A dollar sign is a letter like others in the name of what exists."""
    (home / "a$b").mkdir()
    environ = {"TELEMETRY_BASE_DIR": str(home / "a$b")}
    assert TelemetryConfig.from_env(environ).metrics_dir == home / "a$b"


@pytest.mark.needs("paths")
@pytest.mark.parametrize("named", ["missing/below", "file", "", "read-only", "relative"])
def test_a_home_that_cannot_be_written_is_none(home, monkeypatch, tmp_path, named):
    """Events go to the directory for temporary files, and the client says where once."""
    (home / "file").write_text("")
    (home / "read-only").mkdir()
    allowed = os.access
    denied = {home / "read-only", home}
    monkeypatch.setattr(os, "access", lambda p, m: Path(p) not in denied and allowed(p, m))
    monkeypatch.setenv("HOME", named if named in ("", "relative") else str(home / named))
    monkeypatch.setattr(storage, "_home_of_user", lambda: None)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    client = TelemetryClient()
    assert client.config.metrics_dir == tmp_path / "tmp/.telemetry"
    assert client.log_event(client.start_run("a", "j"), "e")
    (notice,) = client.config.misplaced
    assert "TELEMETRY_BASE_DIR" in notice


@pytest.mark.needs("paths")
def test_somebody_elses_temporary_directory_is_not_used(home, monkeypatch, tmp_path):
    """Of the same name there may be one that another user made first."""
    monkeypatch.setattr(storage, "_home", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / ".telemetry").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 4_242)
    assert storage.locate({}).base == tmp_path / ".telemetry-4242"


@pytest.mark.needs("root")
def test_what_root_creates_belongs_to_the_owner_of_the_base(tmp_path):
    """Directories, segments, the lock and spill files; the owner can go on."""
    tmp_path.chmod(0o755)
    base = tmp_path / "base"
    base.mkdir()
    os.chown(base, 4_242, 4_243)
    client = TelemetryClient(base)
    assert client.log_event(client.start_run("a", "j"), "e")
    client._recorder.writer._spill.append(b"{}\n", "20260101", sync=False)
    made = list(base.rglob("*"))
    assert len(made) == 4
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(4_242, 4_243)}


@pytest.mark.needs("root")
def test_root_gives_nothing_away_that_was_there(tmp_path):
    """A link in somebody's base may lead to a file of root's."""
    base, secret = tmp_path / "base", tmp_path / "secret"
    (base / "raw").mkdir(parents=True)
    secret.write_text("")
    (base / "raw/.events.lock").symlink_to(secret)
    for path in (base, base / "raw"):
        os.chown(path, 4_242, 4_243)
    client = TelemetryClient(base)
    assert client.log_event(client.start_run("a", "j"), "e")
    assert secret.stat().st_uid == 0


def test_a_well_known_directory_must_be_a_writable_directory(home, monkeypatch):
    """A file of that name, or a directory one may not write to, is passed over."""
    (home / "agent-metrics").write_text("")
    (home / "opt").mkdir()
    (home / "data").mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda p, m: Path(p).name != "opt" and allowed(p, m))
    assert TelemetryConfig.from_env({}).metrics_dir == home / "data"


@pytest.mark.needs("paths")
def test_paths_are_inside_the_base_unless_named(tmp_path):
    """Log and database are in raw/ and db/, or where their variables say."""
    plain = TelemetryConfig.from_env({"TELEMETRY_BASE_DIR": str(tmp_path)})
    assert plain.ndjson_dir == tmp_path / "raw"
    assert plain.database_path == tmp_path / "db/telemetry.sqlite"
    named = {"TELEMETRY_DB_PATH": "/x/y/z.db", "TELEMETRY_NDJSON_DIR": "/elsewhere/log"}
    moved = TelemetryConfig.from_env(named)
    assert moved.database_path == Path("/x/y/z.db")
    assert moved.ndjson_dir == Path("/elsewhere/log")


@pytest.mark.needs("paths")
def test_relative_and_home_paths_are_made_absolute_at_once(home, monkeypatch):
    """A later chdir of the host does not move its log."""
    monkeypatch.chdir(home)
    config = TelemetryConfig.from_env({"TELEMETRY_BASE_DIR": "here"})
    assert config.ndjson_dir == home / "here/raw"
    assert TelemetryConfig.from_env({"AGENT_METRICS_DIR": "~/m"}).metrics_dir == home / "home/m"


@pytest.mark.needs("paths")
def test_a_working_directory_that_is_gone_raises_nothing():
    """A relative base then counts from the home directory, and events still arrive."""
    out = run("""
        import os, tempfile
        from telemetry_core import TelemetryClient
        os.environ["HOME"] = tempfile.mkdtemp()
        gone = tempfile.mkdtemp()
        os.chdir(gone)
        os.rmdir(gone)
        os.environ["TELEMETRY_BASE_DIR"] = "here"
        client = TelemetryClient()
        assert client.log_event(client.start_run("a", "j"), "e")
        print(os.path.relpath(client.config.ndjson_dir, os.environ["HOME"]))
    """)
    assert out == "here/raw\n"


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("METRICS_API_ENABLED", "", "api_enabled", True),
        ("METRICS_API_ENABLED", "no", "api_enabled", False),
        ("METRICS_API_ENABLED", " Yes ", "api_enabled", True),
        ("METRICS_API_URL", "https://x", "api_url", "https://x"),
        ("METRICS_API_URL", "", "api_url", None),
        ("METRICS_API_TOKEN", "t", "api_token", "t"),
        ("AGENT_OWNER", "me", "agent_owner", "me"),
        ("TELEMETRY_SKIP_VALIDATION", "1", "skip_validation", True),
        ("TELEMETRY_TEST_MODE", "mock", "test_mode", "mock"),
        ("TELEMETRY_DB_JOURNAL_MODE", "DELETE", "journal_mode", "DELETE"),
        ("TELEMETRY_DURABILITY", "FSYNC", "durability", "fsync"),
        ("TELEMETRY_LOCK_BUDGET_MS", "7.5", "lock_budget_ms", 7.5),
        ("TELEMETRY_LOCK_BUDGET_MS", "soon", "lock_budget_ms", 50.0),
        ("TELEMETRY_LOCK_BUDGET_MS", "-1", "lock_budget_ms", 50.0),
        ("TELEMETRY_LOCK_BUDGET_MS", "inf", "lock_budget_ms", 50.0),
        ("TELEMETRY_LOCK_BUDGET_MS", "nan", "lock_budget_ms", 50.0),
        ("TELEMETRY_GIT", "off", "git", False),
        ("TELEMETRY_POLL_INTERVAL", "0.2", "poll_interval", 0.2),
        ("TELEMETRY_STALE_AFTER", "60", "stale_after", 60.0),
    ],
)
def test_each_variable_sets_its_field(variable, text, name, value):
    """A variable is read; one that makes no sense gives the default."""
    assert variable in {setting.variable for setting in SETTINGS}
    assert getattr(TelemetryConfig.from_env({variable: text}), name) == value


def test_validate_says_what_is_wrong(tmp_path):
    """Nonsense is named; a missing API is none; missing directories matter only when strict."""
    config = TelemetryConfig.for_base(tmp_path / "new")
    ok, problems = config.validate()
    assert not ok
    assert len(problems) == 3
    assert config.validate(strict=False) == (True, [])
    config.skip_validation = True
    assert config.validate() == (True, [])
    wrong = {
        "TELEMETRY_DURABILITY": "hope",
        "METRICS_API_URL": "ftp://x",
        "TELEMETRY_TEST_MODE": "maybe",
        "TELEMETRY_DB_JOURNAL_MODE": "wall",
        "TELEMETRY_LOCK_BUDGET_MS": "soon",
        "TELEMETRY_POLL_INTERVAL": "-1",
        "TELEMETRY_STALE_AFTER": "nan",
        "TELEMETRY_GIT": "perhaps",
        "METRICS_API_ENABLED": "2",
    }
    ok, problems = TelemetryConfig.for_base(tmp_path, wrong).validate(strict=False)
    assert not ok
    for variable in wrong:
        assert sum(variable in problem for problem in problems) == 1
    assert len(problems) == len(wrong)


def test_every_spelling_of_a_flag_and_of_a_journal_mode_is_fine(tmp_path):
    """What works is no problem, in capitals and with blanks around it too."""
    for word in ("true", "1", "Yes", " on ", "FALSE", "0", "no", "off", ""):
        environ = {"TELEMETRY_GIT": word, "TELEMETRY_DB_JOURNAL_MODE": "truncate"}
        assert TelemetryConfig.for_base(tmp_path, environ).validate(strict=False) == (True, [])


def test_each_setting_has_one_default_for_all(tmp_path):
    """In the list, in the configuration that no variable sets, and in one made by hand."""
    by_list = TelemetryConfig.for_base(tmp_path)
    by_hand = TelemetryConfig(tmp_path, by_list.database_path, by_list.ndjson_dir)
    for setting in SETTINGS:
        if setting.attribute and setting.kind != PATH:
            assert getattr(by_list, setting.attribute) == setting.default, setting.variable
            assert getattr(by_hand, setting.attribute) == setting.default, setting.variable
        assert setting.shown_default
        assert "\n" not in setting.meaning


def test_each_setting_reaches_each_who_needs_it(tmp_path):
    """The configuration, the documentation, `doctor`, the service's file and the compose file."""
    page = (ROOT / "docs/configuration.md").read_text()
    compose = (ROOT / "tools/docker/compose.yaml").read_text()
    subject = Subject(Base(TelemetryConfig.for_base(tmp_path)), {}, is_base_given=True)
    shown = {row["setting"] for row in values(subject)}
    environ = {one.variable: f"a {one.variable}" for one in SETTINGS}
    config = TelemetryConfig.for_base(tmp_path, {"TELEMETRY_GIT": "false"})
    assert config.git is False
    carried = define("n", Base(config), environ).environment
    for setting in SETTINGS:
        assert f"| `{setting.variable}` | {setting.shown_default} | {setting.meaning} |" in page
        assert setting.variable in shown or not setting.attribute
        if setting.kind not in (PATH, SECRET):
            assert setting.variable in carried
    named = set(re.findall(r"(?:TELEMETRY|METRICS_API|AGENT)_[A-Z_]+[A-Z]", compose))
    assert named <= {setting.variable for setting in SETTINGS}


def test_every_setting_that_sets_a_field_names_it(tmp_path):
    """So that settings that are shown are those in force."""
    fields = vars(TelemetryConfig.for_base(tmp_path)).keys() - {"refused", "misplaced"}
    assert {setting.attribute for setting in SETTINGS if setting.attribute} == fields


@pytest.mark.parametrize(
    "url",
    [
        "https://host/path",
        "https://user:s3cret@host/path",
        "https://us@er:s3cret@host/path",
        "https://host/path?token=s3cret",
        "https://host/path#s3cret",
    ],
)
def test_the_token_is_never_shown(tmp_path, url):
    """Neither str, repr nor a format shows the token, nor what a URL carries of the kind."""
    environ = {"METRICS_API_TOKEN": "s3cret", "METRICS_API_URL": url}
    config = TelemetryConfig.for_base(tmp_path, environ)
    for shown in (str(config), repr(config), f"{config}", repr([config])):
        assert "s3cret" not in shown
        assert "https://host/path" in shown
        assert "api_token=***" in shown


def test_a_poll_interval_of_nothing_is_not_taken_at_its_word():
    """A daemon that never pauses would take a core."""
    assert TelemetryConfig.from_env({"TELEMETRY_POLL_INTERVAL": "0"}).poll_interval > 0
