"""Every row once, in every format, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timezone

import pytest

from indexer.cli.main import run
from telemetry_core.run_fields import RUN_FIELD_NAMES
from tests.support.cli import COMMAND, Cli, at_terminal, in_process
from tests.support.database import lines_of
from tests.support.process import environment
from tests.support.process import run as run_python
from tests.support.working_agents import RESEARCH, working_agents

FORMULA = '=HYPERLINK("http://example.org","x")'
MANY = 2_500


@pytest.fixture
def cli(base, capsys):
    """The command line on `base`."""
    return Cli(base, capsys)


@pytest.fixture
def recorded(client):
    """Runs of two agents, one of them with everything that a cell can be."""
    with client.track_run("crawler", "daily", start_time="2026-01-02T00:00:00Z") as good:
        good.log_event("step", {"n": [1], "text": "ü\n"})
        good.log_event("step", None)
        good.set_metrics(items_failed=-5, metrics_json='{\n "big": 9007199254740993\n}')
    odd = client.start_run(
        FORMULA,
        "a\rb",
        output_summary="",
        start_time="2026-01-03T00:00:00Z",
        items_skipped="a few",
        git_commit_timestamp="yesterday",
        input_summary='"quoted", and\nmore',
    )
    client.end_run(odd, "failed", end_time="2026-01-03T00:00:01Z", metrics_json="no json {")
    return {"good": good.run_id, "odd": odd}


def _exported(cli, base, *arguments):
    """The one file that an export makes."""
    ran = cli("export", *arguments)
    assert (ran.code, ran.out) == (0, ""), ran.err
    (path,) = (base / "exports").iterdir()
    assert ran.err.endswith(f" in {path}\n")
    return path


def _rows(cli, subject, form="json", *arguments):
    ran = cli("export", subject, "--format", form, "--output", "-", *arguments)
    assert ran.code == 0
    if form == "csv":
        return list(csv.DictReader(io.StringIO(ran.out, newline="")))
    return ran.json if form == "json" else [json.loads(line) for line in ran.out.splitlines()]


def test_it_makes_a_dated_file_that_is_nobody_elses(cli, base, recorded):
    """In exports/, named by what is in it and when it was made, in UTC."""
    path = _exported(cli, base, "runs")
    assert re.fullmatch(r"runs_\d{8}T\d{6}Z\.csv", path.name)
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_two_exports_in_one_second_are_two_files(cli, base, recorded):
    """A name of our own is never used twice."""
    for _ in range(3):
        assert cli("export", "runs").code == 0
    assert len(list((base / "exports").iterdir())) == 3


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_runs_have_all_columns_and_stand_in_order(form, cli, recorded):
    """Every field, and why a run is taken for dead; the oldest start first."""
    runs = _rows(cli, "runs", form)
    assert [run["run_id"] for run in runs] == [recorded["good"], recorded["odd"]]
    assert runs[0].keys() >= RUN_FIELD_NAMES | {"run_id", "stale", "event_count"}


def test_csv_is_what_a_spreadsheet_can_open(cli, recorded):
    """Formulas are defused, numbers are numbers, NULL differs from empty, no byte order mark."""
    ran = cli("export", "runs", "--output", "-")
    assert ran.out.startswith("run_id,agent_name,")
    good, odd = _rows(cli, "runs", "csv")
    assert odd["agent_name"] == "'" + FORMULA
    assert odd["job_type"] == "a\rb"
    assert odd["input_summary"] == '"quoted", and\nmore'
    assert good["items_failed"] == "-5"
    assert ',"",' in ran.out.splitlines()[-1]
    assert json.loads(good["metrics_json"])["big"] == 9007199254740993


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_json_columns_are_nested_as_they_are(form, cli, recorded):
    """No digit of a long number is lost, and what is no JSON stays text."""
    good, odd = _rows(cli, "runs", form)
    assert good["metrics_json"] == {"big": 9007199254740993}
    assert odd["metrics_json"] == "no json {"
    assert odd["agent_name"] == FORMULA
    assert (odd["output_summary"], odd["items_skipped"]) == ("", None)
    assert odd["context_json"]["items_skipped"] == "a few"
    steps = [e for e in _rows(cli, "events", form) if e["event_type"] == "step"]
    assert [step["payload_json"] for step in steps] == [{"n": [1], "text": "ü\n"}, None]
    assert {step["agent_name"] for step in steps} == {"crawler"}


def test_events_stand_by_run_and_then_by_time(cli, recorded):
    """As a reader of one run wants them."""
    events = _rows(cli, "events")
    assert [(e["run_id"], e["timestamp"]) for e in events] == sorted(
        (e["run_id"], e["timestamp"]) for e in events
    )
    assert {e["run_id"] for e in events} == set(recorded.values())


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "parquet"])
def test_many_chunks_come_whole(form, cli, client, base):
    """Every event once, whatever the format."""
    if form == "parquet":
        pytest.importorskip("pyarrow")
    client.log_events("long", [("step", number) for number in range(MANY)])
    path = _exported(cli, base, "events", "--format", form)
    assert _numbers(path, form) == list(range(MANY))


def _numbers(path, form):
    if form == "parquet":
        from pyarrow import parquet

        return [int(text) for text in parquet.read_table(path)["payload_json"].to_pylist()]
    text = path.read_text(encoding="utf-8")
    if form == "csv":
        return [int(row["payload_json"]) for row in csv.DictReader(io.StringIO(text))]
    rows = json.loads(text) if form == "json" else map(json.loads, text.splitlines())
    return [row["payload_json"] for row in rows]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--agent", "crawler"], {"good"}),
        (["--agent", "nobody"], set()),
        (["--status", "failure"], {"odd"}),
        (["--since", "2026-01-03T00:00:00Z"], {"odd"}),
        (["--until", "2026-01-03T00:00:00Z"], {"good"}),
        (["--since", "2026-01-02T00:00:00Z", "--until", "2026-01-04T00:00:00Z"], {"good", "odd"}),
    ],
)
def test_runs_can_be_chosen(filters, expected, cli, recorded):
    """The first moment of a period is in it, the last is not."""
    assert {run["run_id"] for run in _rows(cli, "runs", "json", *filters)} == {
        recorded[name] for name in expected
    }


def test_events_can_be_chosen_by_their_run(cli, recorded):
    """By its agent and its status; by time they are chosen themselves."""
    for filters, name in ((["--agent", "crawler"], "good"), (["--status", "failed"], "odd")):
        events = _rows(cli, "events", "json", *filters)
        assert {event["run_id"] for event in events} == {recorded[name]}
    assert _rows(cli, "events", "json", "--until", "2026-01-01") == []
    assert len(_rows(cli, "events", "json", "--since", "1h")) == len(_rows(cli, "events"))


@pytest.mark.parametrize("subject", ["runs", "events", "spans", "metrics"])
def test_nothing_is_exported_as_nothing(subject, cli, base):
    """An empty view gives a header, an empty array, no line; where there is no base, a word."""
    assert cli("export", subject, "-o", "-", "--format", "json").json == []
    assert cli("export", subject, "-o", "-", "--format", "ndjson").out == ""
    assert len(cli("export", subject, "-o", "-").out.splitlines()) == 1
    assert "nothing recorded yet" in cli("export", subject, "-o", "-").err
    assert not base.exists()


def test_parquet_types_do_not_depend_on_the_rows(cli, recorded, base, tmp_path):
    """A column of nulls has the type it always has; what does not fit is null, and said."""
    parquet = pytest.importorskip("pyarrow.parquet")
    ran = cli("export", "runs", "--output", str(tmp_path / "full.parquet"))
    assert ran.code == 0
    assert "1 of git_commit_timestamp" in ran.err
    cli("export", "runs", "--agent", "nobody", "--output", str(tmp_path / "empty.parquet"))
    full = parquet.read_table(tmp_path / "full.parquet")
    assert full.schema == parquet.read_schema(tmp_path / "empty.parquet")
    types = {field.name: str(field.type) for field in full.schema}
    assert (types["duration_ms"], types["end_time"], types["website"], types["metrics_json"]) == (
        "double",
        "timestamp[us, tz=UTC]",
        "string",
        "string",
    )
    good, odd = full.to_pylist()
    assert good["start_time"] == datetime(2026, 1, 2, tzinfo=timezone.utc)
    assert good["items_failed"] == -5
    assert (odd["items_skipped"], odd["output_summary"], odd["website"]) == (None, "", None)


def test_parquet_is_written_in_row_groups(cli, client, tmp_path, monkeypatch):
    """However many rows there are, few are held."""
    pytest.importorskip("pyarrow")
    from indexer.export import as_parquet

    monkeypatch.setattr(as_parquet, "_GROUP_ROWS", 1_000)
    client.log_events("long", [("step", number) for number in range(MANY)])
    path = tmp_path / "events.parquet"
    assert cli("export", "events", "--output", str(path)).code == 0
    groups = as_parquet.pq.ParquetFile(path).metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [1000, 1000, 500]


def test_without_pyarrow_it_says_what_to_install(base, client):
    """And leaves no file behind."""
    client.start_run("agent", "job")
    out = run_python(
        """
        import contextlib, io, sys
        sys.modules["pyarrow"] = None
        from indexer.cli.main import run
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            code = run(["--base", sys.argv[1], "export", "runs", "--format", "parquet"])
        print(code, errors.getvalue())
        """,
        str(base),
    )
    assert out.startswith("1 error: Parquet needs pyarrow")
    assert 'pip install "pyarrow' in out
    assert not (base / "exports").exists()


def test_the_suffix_of_the_output_says_the_format(cli, recorded, tmp_path):
    """Unless --format does; what stood there is written over, and nothing else is left."""
    path = tmp_path / "out" / "runs.ndjson"
    path.parent.mkdir()
    path.write_text("before")
    assert cli("export", "runs", "-o", str(path)).code == 0
    assert [json.loads(line)["run_id"] for line in path.read_text().splitlines()]
    assert cli("export", "runs", "-o", str(path), "--format", "csv").code == 0
    assert path.read_text().startswith("run_id,")
    assert list(path.parent.iterdir()) == [path]


def test_an_output_that_is_a_directory_gets_a_dated_file(cli, recorded, tmp_path):
    """As if it were exports/."""
    (tmp_path / "out").mkdir()
    assert cli("export", "runs", "--output", str(tmp_path / "out")).code == 0
    (path,) = (tmp_path / "out").iterdir()
    assert path.name.startswith("runs_2")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_link_and_a_pipe_stay_what_they_are(cli, recorded, tmp_path):
    """What a link leads to is written; who reads a named pipe gets the rows."""
    target, link, pipe = tmp_path / "target.csv", tmp_path / "link.csv", tmp_path / "pipe.csv"
    target.touch()
    link.symlink_to(target)
    assert cli("export", "runs", "--output", str(link)).code == 0
    assert link.is_symlink()
    assert target.read_text().startswith("run_id,")
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    try:
        assert cli("export", "runs", "--output", str(pipe)).code == 0
        assert pipe.is_fifo()
        assert reader.communicate(timeout=60)[0] == target.read_text()
    finally:
        reader.kill()
        reader.communicate()


def test_somebody_who_waits_sees_how_far_it_is(base, client, recorded, monkeypatch):
    """A bar on stderr, where that is a terminal."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("indexer.terminal.progress._PATIENCE_SECONDS", 0)
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    assert run(["--base", str(base), "export", "runs"]) == 0
    assert "exporting runs" in shown.getvalue()
    assert "2/2" in shown.getvalue()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["logs"], "'logs'"),
        (["runs", "--format", "xml"], "xml"),
        (["runs", "--since", "soon"], "is not an age"),
        (["runs", "--since", "1h", "--until", "2h"], "later than"),
        (["runs", "--output", "/no/such/directory/x.csv"], "no such directory"),
    ],
)
def test_wrong_input_exits_2(arguments, words, cli, base):
    """It says what is wrong, and makes nothing."""
    ran = cli("export", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert not base.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may look")
def test_a_place_that_may_not_be_looked_at_is_told_by_its_name(cli, recorded, tmp_path):
    """It is the output that is wrong, and not the base."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    ran = cli("export", "runs", "--output", str(closed / "runs.csv"))
    assert (ran.code, "--output" in ran.err, "--base" in ran.err) == (1, True, False)


@pytest.mark.needs("paths")
def test_the_name_of_a_file_can_not_act_on_the_terminal(cli, recorded, tmp_path):
    """Where it is said on stderr it is one line of plain text."""
    ran = cli("export", "runs", "--output", str(tmp_path / "a\n\x1b]0;b\x07.csv"))
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert "a\\n\\x1b]0;b\\x07.csv" in ran.err


def test_an_interrupted_export_leaves_nothing(cli, client, base, monkeypatch):
    """Neither half a file nor a temporary one."""
    client.log_events("long", [("step", number) for number in range(MANY)])
    seen = []

    def interrupt(*_: object) -> None:
        seen.append([path.name for path in (base / "exports").iterdir()])
        raise KeyboardInterrupt

    monkeypatch.setattr("indexer.export.as_json.JsonFormat.write", interrupt)
    assert cli("export", "events", "--format", "json").code == 130
    assert all(name.endswith(".partial") for name in seen[0])
    assert list((base / "exports").iterdir()) == []


_LITTLE_ROOM = """
import resource, signal, sys
from indexer.cli.main import run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes can't be limited here")
def test_a_full_disk_leaves_what_was_there(base, client, tmp_path):
    """An error, exit 1, and the file of before under its name."""
    client.log_events("long", [("step", "x" * 100) for number in range(MANY)])
    in_process(base, "index")
    path = tmp_path / "out" / "events.csv"
    path.parent.mkdir()
    path.write_text("before")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _LITTLE_ROOM,
            "--base",
            str(base),
            "export",
            "events",
            "--output",
            str(path),
        ],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=60,
    )
    assert done.returncode == 1
    assert f"error: cannot write {path}: " in done.stderr
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_no_room_for_stdout_is_an_error(base, client):
    """Exit 1, and a word on it."""
    client.start_run("agent", "job")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "--base", str(base), "export", "runs", "--output", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            timeout=60,
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr


@pytest.mark.parametrize(
    ("form", "output"),
    [("csv", "-"), ("json", "-"), ("ndjson", "-"), ("parquet", "-"), ("csv", "/dev/stdout")],
)
def test_a_reader_that_has_enough_ends_it_quietly(form, output, base, client):
    """As `| head` does."""
    if form == "parquet":
        pytest.importorskip("pyarrow")
    if output != "-" and not (os.name == "posix" and os.path.exists(output)):
        pytest.skip("stdout has no name here")
    client.log_events("long", [("step", os.urandom(500).hex()) for number in range(MANY)])
    process = subprocess.Popen(
        [*COMMAND, "--base", str(base), "export", "events", "--format", form, "--output", output],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout.read(1)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), errors) == (0, b"")


@pytest.mark.needs("terminal")
def test_a_terminal_is_not_tricked_and_gets_no_parquet(base, client):
    """Control characters come as JSON spells them; bytes for programs stay away."""
    client.start_run("a\x1b[2Jb\x9bc", "job")
    for form in ("csv", "json", "ndjson"):
        shown = at_terminal(base, "export", "runs", "-o", "-", "--format", form)
        assert "a\\u001b[2Jb\\u009bc" in shown
        assert "\x1b" not in shown
    pytest.importorskip("pyarrow")
    shown = at_terminal(base, "export", "runs", "-o", "-", "--format", "parquet")
    assert "is not for a terminal" in shown


_PEAK = """
import resource, sys
from indexer.cli.main import run
assert run(sys.argv[1:]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="memory can't be measured here")
def test_memory_does_not_grow_with_the_rows(base, client):
    """Ten times the events are not ten times the memory."""
    peaks = []
    for times in (1, 9):
        for _ in range(times):
            client.log_events("long", [("step", "x" * 2_000) for number in range(2_000)])
        in_process(base, "index")
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, "--base", str(base), "export", "events", "-o", "-"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        peaks.append(int(done.stderr))
    assert peaks[1] < peaks[0] * 1.3, peaks


def test_a_fraction_is_a_number_in_every_format(cli, client, tmp_path):
    """A duration or a count with a fraction is never null."""
    parquet = pytest.importorskip("pyarrow.parquet")
    client.end_run(client.start_run("agent", "x"), duration_ms=1234.567, items_failed=0.5)
    ran = cli("export", "runs", "-o", str(tmp_path / "out.parquet"))
    assert "became null" not in ran.err
    row = parquet.read_table(tmp_path / "out.parquet").to_pylist()[0]
    assert (row["duration_ms"], row["items_failed"]) == (1234.567, 0.5)
    (found,) = cli("export", "runs", "-o", "-", "--format", "json").json
    assert found["duration_ms"] == 1234.567


@pytest.mark.parametrize("name", ["out.xlsx", "out.cvs", "out.jsonl"])
def test_a_suffix_of_no_format_is_refused(name, cli, client, tmp_path):
    """Rather than written as CSV; the formats and the nearest are named."""
    client.start_run("agent", "x")
    ran = cli("export", "runs", "-o", str(tmp_path / name))
    assert ran.code == 2
    assert ".csv, .json, .ndjson, .parquet" in ran.err
    assert not (tmp_path / name).exists()
    assert cli("export", "runs", "-o", str(tmp_path / name), "--format", "csv").code == 0


def test_runs_are_chosen_as_in_every_command(cli, client):
    """By job, by parent, only roots; events are those of the runs that are meant."""
    with client.track_run("outer", "daily") as outer, client.track_run("inner", "step") as inner:
        inner.log_event("said", {})
    for options, expected in ((["--job", "step"], inner), (["--roots"], outer)):
        found = cli("export", "runs", "-o", "-", "--format", "json", *options).json
        assert [run["run_id"] for run in found] == [expected.run_id]
        found = cli("export", "events", "-o", "-", "--format", "json", *options).json
        assert {event["run_id"] for event in found} == {expected.run_id}


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_spans_and_metrics_are_exported_with_their_agent(form, cli, base):
    """All columns of their tables; counts are numbers, attributes values where there are any."""
    (base / "raw").mkdir(parents=True)
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(working_agents()))
    spans = {(row["run_id"], row["span_id"]): row for row in _rows(cli, "spans", form)}
    call = spans[RESEARCH, "call"]
    assert (call["agent_name"], call["model"], str(call["input_tokens"])) == (
        "researcher",
        "claude-sonnet-4-5",
        "1200",
    )
    metrics = _rows(cli, "metrics", form, "--agent", "researcher")
    assert [float(row["value"]) for row in metrics] == [1 / n for n in range(1, 7)]
    assert _rows(cli, "metrics", form, "--agent", "helper") == []


def test_spans_in_parquet_have_numbers(cli, base, tmp_path):
    """Tokens and costs as doubles, times as times."""
    parquet = pytest.importorskip("pyarrow.parquet")
    (base / "raw").mkdir(parents=True)
    (base / "raw" / "events_20260101.ndjson").write_bytes(lines_of(working_agents()))
    assert cli("export", "spans", "--output", str(tmp_path / "s.parquet")).code == 0
    schema = parquet.read_schema(tmp_path / "s.parquet")
    types = {field.name: str(field.type) for field in schema}
    assert (types["input_tokens"], types["start_time"]) == ("double", "timestamp[us, tz=UTC]")
