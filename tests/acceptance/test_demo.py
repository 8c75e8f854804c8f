"""The demo does real work on real files, whatever the circumstances, and cleans up after it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from indexer.demo import agent as agent_module
from indexer.demo.processes import Processes
from indexer.demo.source_files import divide, find_files, sample
from indexer.system.base import Base
from tests.support.cli import COMMAND, Cli, Ran, in_process
from tests.support.log import Log
from tests.support.process import ROOT, environment


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A tree with packages, an empty file, a file that does not parse, and one with null bytes."""
    return write_sources(tmp_path / "sources")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A base in which the demo has run, and what it said; nobody writes in it any longer."""
    directory = tmp_path_factory.mktemp("demo")
    return directory / "base", demo(directory / "base", write_sources(directory / "sources"))


def write_sources(root: Path) -> Path:
    for package in ("alpha", "beta", "gamma"):
        (root / package).mkdir(parents=True)
        for number in range(8):
            (root / package / f"m{number}.py").write_text(f"def f{number}(): return {number}\n")
    (root / "top.py").write_text("class Top: pass\n")
    (root / "alpha" / "__init__.py").write_text("")
    (root / "beta" / "broken.py").write_text("def broken(:\n")
    (root / "gamma" / "null.py").write_bytes(b"x = 1\0")
    (root / "site-packages").mkdir()
    (root / "site-packages" / "other.py").write_text("x = 1")
    return root


def rows(base: Path, sql: str) -> list[dict]:
    return in_process(base, "sql", "--json", sql).json


def processes_of(base: Path) -> list[str]:
    """The command lines of all processes that have to do with `base`, by argument or variable."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            known = command + (entry / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(str(base)) in known and int(entry.name) != os.getpid():
            found.append(command.decode().replace("\0", " "))
    return found


def demo(base: Path, *arguments: object) -> Ran:
    return in_process(base, "demo", *map(str, arguments))


def test_the_demo_records_what_it_did(shown):
    """Every file is counted once, real failures are recorded, and packages are nested runs."""
    base, ran = shown
    assert ran.code == 0, ran
    assert "2 files could not be parsed" in ran.out
    assert "beta/broken.py" in ran.out
    assert "ok: log and database agree" in ran.out
    parsers = rows(
        base, "SELECT * FROM agent_runs WHERE agent_name LIKE 'parser-%' AND job_type = 'parse'"
    )
    assert len(parsers) == 4
    assert sum(run["items_discovered"] for run in parsers) == 28
    assert sum(run["items_succeeded"] for run in parsers) == 25
    assert sum(run["items_failed"] for run in parsers) == 2
    assert sum(run["items_skipped"] for run in parsers) == 1
    (whole,) = rows(base, "SELECT * FROM agent_runs WHERE agent_name = 'demo'")
    counts = [whole[f"items_{what}"] for what in ("discovered", "succeeded", "failed", "skipped")]
    assert counts == [28, 25, 2, 1]
    depths = rows(base, "SELECT depth, job_type, count(*) AS n FROM run_tree GROUP BY 1, 2")
    assert [(row["depth"], row["job_type"]) for row in depths] == [
        (0, "demo"),
        (1, "parse"),
        (1, "research"),
        (2, "package"),
    ]
    assert processes_of(base) == []


def test_the_killed_agent_is_found_out(shown):
    """What it had done is there, and the view says that its process is gone."""
    base, ran = shown
    assert re.search(r"^runs +.*\b[34] stale", ran.out, re.MULTILINE)
    assert " running" not in ran.out.split("runs  ")[1].split("\n")[0]
    (run,) = rows(
        base, "SELECT * FROM agent_runs WHERE agent_name = 'doomed' AND job_type = 'parse'"
    )
    assert run["status"] == "running"
    done = run["items_succeeded"] + run["items_failed"] + run["items_skipped"]
    assert 0 < done < run["items_discovered"]
    reasons = rows(base, "SELECT reason FROM stale_runs WHERE agent_name = 'doomed'")
    assert {row["reason"] for row in reasons} == {"process gone"}


def test_the_agent_with_a_model_shows_what_it_did(shown):
    """Spans, usage, metrics; and of the one that was killed inside a tool call where it was."""
    base, ran = shown
    assert re.search(r"killed in tool_call crawl after [\d.]+ s, 3 spans deep", ran.out)
    assert "model calls" in ran.out
    (run,) = rows(base, "SELECT * FROM agent_runs WHERE agent_name = 'researcher'")
    assert (run["status"], run["items_succeeded"]) == ("success", 3)
    (used,) = rows(base, f"SELECT * FROM run_usage WHERE run_id = '{run['run_id']}'")
    assert used["calls"] == 6
    assert 0.7 < used["cache_hit_rate"] < 0.8
    points = rows(base, f"SELECT value FROM run_metrics WHERE run_id = '{run['run_id']}'")
    assert [point["value"] for point in points] == [0.5, 0.75, 0.875]
    stuck = rows(base, "SELECT open_spans FROM stale_runs WHERE agent_name = 'stuck'")
    assert stuck == [{"open_spans": 3}]


def test_the_commands_it_suggests_work(shown):
    """What to try next can be pasted as it stands."""
    _, ran = shown
    suggested = [
        line.strip() for line in ran.out.splitlines() if line.startswith("  ") and "--base" in line
    ]
    assert len(suggested) >= 6
    for command in suggested:
        if command.endswith(" ui"):
            # It goes on until it is stopped; its own tests start it.
            continue
        done = subprocess.run(
            command, shell=True, capture_output=True, text=True, env=environment(), check=False
        )
        assert done.returncode == 0, (command, done)
        assert done.stdout


def test_it_works_twice_in_one_base(shown, base, sources):
    """A second demo adds to the first and tells only of itself."""
    shutil.copytree(shown[0], base)
    second = demo(base, sources)
    assert (shown[1].code, second.code) == (0, 0)
    assert "28 files of" in second.out
    assert rows(base, "SELECT count(*) AS n FROM agent_runs WHERE job_type = 'demo'") == [{"n": 2}]


def test_it_works_on_one_file(base, sources):
    """A single file is work enough."""
    ran = demo(base, sources / "top.py")
    assert ran.code == 0, ran
    assert "1 file of" in ran.out


def test_no_files_is_said_plainly(base, tmp_path):
    """Where there is nothing to parse, that is the answer."""
    (tmp_path / "empty").mkdir()
    ran = demo(base, tmp_path / "empty")
    assert ran.code == 1
    assert "no Python files under" in ran.err


def test_the_working_directory_does_not_matter(base, sources, tmp_path):
    """Modules that lie about are not imported, and a relative path is understood."""
    for name in ("ast.py", "indexer.py", "telemetry_core.py"):
        (sources / name).write_text("raise SystemExit('imported from the working directory')\n")
    main = Path(agent_module.__file__).parents[1] / "__main__.py"
    done = subprocess.run(
        [sys.executable, str(main), "demo", ".", "--base", str(base)],
        cwd=sources,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert "31 files of" in done.stdout


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_no_process_is_left_behind(number, code, base):
    """Interrupted or asked to stop, it ends its agents and its indexer before itself."""
    process = subprocess.Popen(
        [*COMMAND, "--base", str(base), "demo"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    deadline = time.monotonic() + 20
    while len(Log(base / "raw").ids()) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"Traceback" not in err
    assert processes_of(base) == []


@pytest.mark.needs("signals")
def test_a_signal_in_the_middle_of_a_start_leaves_nothing_running(base, monkeypatch):
    """A process that has begun is on record before Ctrl-C is heard, so that it is ended."""
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *args: object, **how: object) -> None:
            super().__init__(*args, **how)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with closing(Processes(Base.at(base, os.environ))) as processes:
            for start in (partial(processes.start_researcher, "one", {}), processes.ensure_daemon):
                with pytest.raises(KeyboardInterrupt):
                    start()
    finally:
        signal.signal(signal.SIGINT, before)
    assert [one.returncode is not None for one in started] == [True, True]


def test_the_default_base_is_its_own(sources, tmp_path, monkeypatch):
    """Without --base it never touches what the environment names."""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [*COMMAND, "demo", str(sources / "top.py")],
        env=environment(HOME=str(home), TELEMETRY_BASE_DIR=str(tmp_path / "real")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert (home / ".telemetry-demo" / "raw").is_dir()
    assert not (tmp_path / "real").exists()
    assert "--base ~/.telemetry-demo runs" in done.stdout


def test_every_file_goes_to_exactly_one_agent(sources):
    """Shares are disjoint, complete, neighbours, and no more than there are files."""
    _, files = find_files(sources)
    for shares in (1, 3, 4, 100):
        divided = divide(files, shares)
        assert [file for share in divided for file in share] == files
        assert 0 < len(divided) <= min(shares, len(files))
        assert all(divided)
    assert len(sample(files, 5)) <= 5


def test_the_agent_is_an_example_that_imports_the_client_alone():
    """The file that people copy from knows nothing of the indexer."""
    lines = Path(agent_module.__file__).read_text(encoding="utf-8").splitlines()
    ours = [
        line for line in lines if "import" in line and ("telemetry" in line or "indexer" in line)
    ]
    assert ours == ["from telemetry_core import TelemetryClient"]


def test_runs_of_others_are_not_mixed_with_the_demos_unasked(base, client, capsys, monkeypatch):
    """A base directory with other runs is asked about; a demo's own is not."""
    performed = []
    monkeypatch.setattr(
        "indexer.cli.commands.demo.perform", lambda *_: performed.append(1) or _stop()
    )
    cli = Cli(base, capsys)
    client.end_run(client.start_run("demo", "demo"))
    assert cli("demo", str(ROOT / "tools")).code == 130
    assert performed == [1]
    client.start_run("crawler", "daily")
    ran = cli("demo", str(ROOT / "tools"))
    assert (ran.code, performed) == (2, [1])
    assert "--yes" in ran.err
    assert cli("demo", str(ROOT / "tools"), "--yes").code == 130
    assert performed == [1, 1]


def _stop():
    raise KeyboardInterrupt
