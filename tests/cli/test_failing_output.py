"""Output that fails at any point: a documented exit code, one line on stderr, no traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from indexer.cli.main import COMMANDS
from tests.support.process import environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full and fork")

_READING = [
    ["runs"],
    ["runs", "--json"],
    ["show", "latest"],
    ["show", "latest", "--json"],
    ["tail"],
    ["tail", "--json"],
    ["stats"],
    ["status"],
    ["status", "--json"],
    ["status", "--prometheus"],
    ["verify"],
    ["quarantine"],
    ["sql", "SELECT 1"],
    ["sql", "SELECT * FROM run_events"],
    ["sql", "--json", "SELECT * FROM run_events"],
    ["export", "events", "-o", "-"],
    ["report", "-o", "-"],
    ["report", "--json"],
    ["doctor"],
    ["forward", "status", "--json"],
    ["index"],
    ["init"],
    ["backup"],
    ["archive", "--older-than", "1d"],
    ["service", "status"],
    ["completion", "bash"],
    ["docs"],
    ["docs", "cli"],
    ["--version"],
    ["help"],
    ["no-such-command"],
]
_HELP = [[name, "--help"] for name in COMMANDS]

# Each command in a fork of one process, which ends as the script `telemetry` does: an import
# for each would take minutes. Stdout has room for so many bytes, and then the disk is full.
_RUN = """
import json, os, resource, sys
from indexer.cli.shell.entry import main
from indexer.cli.commands import runs, report, status, export
import rich.console, rich.table, rich.text
base, room = sys.argv[1], int(sys.argv[2])
for arguments in json.loads(sys.argv[3]):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        with open(sys.argv[4], "wb") as out:
            out.truncate((1 << 30) - room)
        out = os.open(sys.argv[4], os.O_WRONLY | os.O_APPEND)
        err = os.open(sys.argv[5], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1), os.dup2(err, 2)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
        sys.argv[1:] = ["--base", base, *arguments]
        break
    _, status = os.waitpid(child, 0)
    with open(sys.argv[5]) as err:
        print(json.dumps([arguments, os.waitstatus_to_exitcode(status), err.read()]))
else:
    sys.exit()
main()
"""


# Buffered, as users have it: Python fails at exit only with what it still holds then.
def _run(tmp_path, base, room, commands):
    import json

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _RUN,
            str(base),
            str(room),
            json.dumps(commands),
            str(tmp_path / "out"),
            str(tmp_path / "err"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(PYTHONUNBUFFERED=""),
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def recorded(client):
    """A run with more events than any buffer holds."""
    with client.track_run("agent", "job") as run:
        for number in range(300):
            run.log_event("step", {"number": number, "text": "x" * 100})


@pytest.mark.skipif(sys.version_info < (3, 9), reason="needs os.waitstatus_to_exitcode")
@pytest.mark.parametrize("room", [0, 10, 9_000])
def test_a_disk_that_fills_at_any_point_is_an_error_like_others(room, tmp_path, base, recorded):
    """Exit 1 where output was lost, never Python's 120, and no message of the interpreter."""
    commands = [*_READING, *_HELP, ["tail", "-f"]] if room == 0 else _READING
    ran = _run(tmp_path, base, room, commands)
    assert len(ran) == len(commands)
    for arguments, code, err in ran:
        assert code in (0, 1, 2, 3), (arguments, code, err)
        assert "Traceback" not in err, (arguments, err)
        assert "Exception ignored" not in err, (arguments, err)
    if room == 0:
        printing = [one for one in ran if one[0] not in (["no-such-command"], ["quarantine"])]
        assert {tuple(arguments) for arguments, code, _ in printing if code != 1} == set()


@pytest.mark.parametrize("target", ["/dev/full", "closed"])
def test_stderr_that_fails_costs_nothing_but_its_words(target, base, client):
    """A warning or an error that can't be printed changes no exit code to an unknown one."""
    redirection = "2>&-" if target == "closed" else f"2>{target}"
    for arguments, code in (("runs", 0), ("show nonsense", 1), ("sql", 2)):
        done = subprocess.run(
            f"{sys.executable} -m indexer --base {base} {arguments} {redirection}",
            shell=True,
            capture_output=True,
            env=environment(PYTHONUNBUFFERED=""),
        )
        assert done.returncode == code, arguments
