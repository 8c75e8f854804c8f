"""`telemetry exec`: the command runs as it would without us, and what it did is recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.log import Log
from tests.support.process import environment
from tests.support.process import run as run_python

pty = pytest.importorskip("pty", reason="needs a pseudo-terminal and fork")

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there is no fork")


@pytest.fixture
def log(base: Path) -> Log:
    """What the wrapped commands record."""
    return Log(base / "raw")


def _exec(base: Path, *words: str, **variables: str) -> list[str]:
    return [sys.executable, "-m", "indexer", "exec", "--base", str(base), *words]


def _run(base: Path, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(
        _exec(base, *words), env=environment(TELEMETRY_GIT="false"), timeout=60, **options
    )


def _end(log: Log) -> dict[str, Any]:
    (ended,) = [event.data for event in log.events() if event.type == "run.ended"]
    return ended


def test_streams_pass_through_byte_for_byte(base, log):
    """Input, output and errors, of any bytes and much more than a pipe holds."""
    data = bytes(range(256)) * 4096
    done = _run(base, "--", "sh", "-c", "tee /dev/stderr", input=data)
    assert (done.returncode, done.stdout, done.stderr) == (0, data, data)
    start = log.events()[0].data
    assert (start["agent_name"], start["job_type"]) == ("sh", "exec")
    assert start["input_summary"] == "sh -c 'tee /dev/stderr'"


def test_a_failure_is_recorded_with_the_end_of_the_output(base, log):
    """Exit code, times and memory; stderr as the details, stdout as the summary, both cut."""
    script = "printf %5000s out; echo; printf %9000s err >&2; exit 3"
    done = _run(
        base,
        "--agent",
        "nightly",
        "--job",
        "backup",
        "--field",
        "items_failed=2",
        "--",
        "sh",
        "-c",
        script,
    )
    assert done.returncode == 3
    start, ended = log.events()[0].data, _end(log)
    assert (start["agent_name"], start["job_type"], start["items_failed"]) == (
        "nightly",
        "backup",
        2,
    )
    assert (ended["status"], ended["error_summary"]) == ("failed", "exit status 3")
    assert ended["error_details"].endswith("err")
    assert ended["output_summary"].endswith("out")
    assert len(ended["error_details"]) <= 4096
    metrics = ended["metrics_json"]
    assert metrics["exit_code"] == 3
    assert metrics["peak_memory_bytes"] > 100_000
    assert {"user_seconds", "system_seconds"} <= metrics.keys()


def test_a_command_that_is_killed_is_said_to_be(base, log):
    """The code is the shell's 128 + n."""
    assert _run(base, "--", "sh", "-c", "kill -KILL $$").returncode == 137
    assert _end(log)["error_summary"] == "killed by SIGKILL"


def test_a_command_that_is_not_there_has_the_shells_code(base, log):
    """127 for no such command, 126 for one that can't be executed; recorded as failed."""
    assert _run(base, "--", "no-such-command-here").returncode == 127
    assert _end(log)["status"] == "failed"
    assert _run(base, "--", "/").returncode == 126


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_signals_are_forwarded(base, log, name):
    """The command hears what we are sent, once, and its answer is ours."""
    script = f"trap 'echo heard; exit 7' {name[3:]}; echo ready; while :; do sleep 0.02; done"
    process = subprocess.Popen(
        _exec(base, "--", "sh", "-c", script), stdout=subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(getattr(signal, name))
    out, _ = process.communicate(timeout=60)
    assert (out, process.returncode) == (b"heard\n", 7)
    assert _end(log)["error_summary"] == "exit status 7"


def test_out_of_time_the_whole_group_is_killed(base, log, tmp_path):
    """A child that the command left in the background too; it is said, and the code is 124."""
    script = f"sleep 300 & echo $! > {tmp_path}/pid; wait"
    done = _run(base, "--timeout", "0.5s", "--", "sh", "-c", script)
    assert done.returncode == 124
    assert b"timed out after 0.5 s" in done.stderr
    child = int((tmp_path / "pid").read_text())
    assert _has_ended(child)
    assert (_end(log)["status"], _end(log)["error_summary"]) == (
        "timeout",
        "timed out after 0.5 s",
    )


def _has_ended(pid: int) -> bool:
    """Whether a process is gone, or would be if anybody cared to wait for it."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def test_the_order_of_two_streams_to_one_file_stays(base, tmp_path):
    """As with `2>&1`: what the command writes last stands last."""
    # We are stopped meanwhile, and find all of it at once.
    script = (
        "kill -STOP $PPID; for i in 1 2 3 4 5 6 7 8 9; do echo out$i; echo err$i >&2; done;"
        " kill -CONT $PPID"
    )
    with open(tmp_path / "both", "wb") as file:
        assert _run(base, "--", "sh", "-c", script, stdout=file, stderr=file).returncode == 0
    wanted = "".join(f"out{i}\nerr{i}\n" for i in range(1, 10))
    assert (tmp_path / "both").read_text() == wanted


def test_a_terminal_stays_one(base, log):
    """The command that would see a terminal sees it, and its code is the command's."""
    ours, theirs = pty.openpty()
    code = "import os; print([os.isatty(fd) for fd in (0, 1, 2)]); raise SystemExit(5)"
    process = subprocess.Popen(
        _exec(base, "--", sys.executable, "-c", code),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(),
    )
    os.close(theirs)
    assert process.wait(timeout=60) == 5
    assert os.read(ours, 100) == b"[True, True, True]\r\n"
    os.close(ours)
    assert _end(log)["error_summary"] == "exit status 5"


def test_what_a_command_leaves_behind_writes_on(base, tmp_path):
    """We end with the command; what its child writes later arrives all the same."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        _exec(base, "--", "sh", "-c", f"(read x < {fifo}; echo late) & echo early; exit 4"),
        stdout=subprocess.PIPE,
        env=environment(),
    )
    # It ends though its child holds the pipe open.
    assert process.wait(timeout=60) == 4
    fifo.write_bytes(b"go\n")
    assert process.stdout is not None
    with process.stdout as out:
        assert out.read() == b"early\nlate\n"


def test_a_reader_that_leaves_ends_the_command(base):
    """As a closed pipe would without us: no endless command that writes to nobody."""
    process = subprocess.Popen(_exec(base, "--", "yes"), stdout=subprocess.PIPE, env=environment())
    assert process.stdout is not None
    assert process.stdout.read(2) == b"y\n"
    process.stdout.close()
    assert process.wait(timeout=60) in (128 + signal.SIGPIPE, 1)


@pytest.mark.parametrize("wrong", ["file", "unwritable"])
def test_the_command_runs_though_nothing_can_be_recorded(tmp_path, wrong):
    """Its output and its code are what they would have been."""
    base = tmp_path / "base"
    if wrong == "file":
        base.write_text("no directory")
    else:
        base.mkdir(mode=0o500)
        if os.geteuid() == 0:
            base = Path("/proc/base")
    done = _run(base, "--", "sh", "-c", "echo out; exit 9")
    assert (done.returncode, done.stdout) == (9, b"out\n")


def test_runs_of_the_command_become_children(base, log):
    """By the environment, in the same base, whatever the command is."""
    code = "from telemetry_core import TelemetryClient as C; C().start_run('inner', 'job')"
    assert _run(base, "--", sys.executable, "-c", code).returncode == 0
    outer, inner = [event for event in log.events() if event.type == "run.started"]
    assert inner.data["parent_run_id"] == outer.run_id


def test_secrets_of_a_command_line_and_its_output_are_redacted(base, log):
    """Neither the arguments nor the tails reach the disk with them."""
    assert _run(base, "--", "sh", "-c", "echo API_KEY=abcd1234efgh; exit 1").returncode == 1
    assert b"abcd1234efgh" not in log.bytes()
    assert b"[redacted:key]" in log.bytes()


def test_it_loads_none_of_the_heavy_command_line(base):
    """No click, no SQLite, no terminal library: they cost more than most commands."""
    out = run_python(
        """
        import json, sys
        from indexer.cli.shell.entry import run_light
        code = run_light(["--base", sys.argv[1], "exec", "--", "true"])
        heavy = {"click", "sqlite3", "rich", "indexer.cli.main", "logging", "asyncio"}
        print(json.dumps([code, sorted(heavy & sys.modules.keys())]))
        """,
        str(base),
    )
    assert json.loads(out) == [0, []]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--nosuch", "--", "true"], 2),
        ([], 2),
        (["--field", "x", "--", "true"], 2),
        (["--tail", "much", "--", "true"], 2),
        (["--timeout", "long", "--", "true"], 2),
        (["--help"], 0),
        (["--agent=a", "true"], 0),
    ],
)
def test_what_is_not_understood_is_a_usage_error(base, words, code):
    """Said as the rest of the command line says it; nothing is run."""
    assert _run(base, *words).returncode == code
