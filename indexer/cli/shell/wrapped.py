"""Run a command as it would run by itself, and record it as a run.

Called by the entry point. Whatever goes wrong with recording, the command runs all the same.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
from typing import TYPE_CHECKING, Any, Optional

from indexer.cli.shell.arguments import Arguments, fields_of
from indexer.cli.shell.message import say

if TYPE_CHECKING:
    from indexer.cli.shell.process import Ended
    from telemetry_core import TelemetryClient

TAIL_BYTES = 4096
TIMED_OUT, NOT_EXECUTABLE, NOT_FOUND = 124, 126, 127
"""The exit codes that timeout(1) and shells have for what is not the command's own."""
_USAGE = 2
_MOST_TAIL_BYTES = 1024 * 1024


class Recorder:
    """The run of a command, as far as it can be recorded."""

    def __init__(self, agent: str, job: str, fields: dict[str, Any]) -> None:
        self.environ: dict[str, str] = dict(os.environ)
        """What the command gets: its own runs become children of this one."""
        self._client: Optional[TelemetryClient] = None
        self._run_id = ""
        try:
            self._start(agent, job, fields)
        except Exception as error:
            say(f"not recorded: {type(error).__name__}: {error}")

    def _start(self, agent: str, job: str, fields: dict[str, Any]) -> None:
        from telemetry_core import TelemetryClient
        from telemetry_core.lineage import child_environment

        client = TelemetryClient()
        trigger = str(fields.pop("trigger_type", "cli"))
        self._run_id = client.start_run(agent, job, trigger, **fields)
        self._client = client
        self.environ = child_environment(self._run_id, os.environ)

    def end(self, status: str, **fields: Any) -> None:
        """Record how it ended."""
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.end_run(self._run_id, status, **fields)


def run_wrapped(arguments: Arguments) -> int:
    """Run the command; return its own exit code."""
    words = arguments.words
    try:
        fields = fields_of(arguments.options.get("field", []))
        timeout = _seconds(arguments.option("timeout"))
        tail = _size(arguments.option("tail"))
    except ValueError as error:
        say(str(error))
        return _USAGE
    agent = arguments.option("agent") or fields.pop("agent_name", "") or _name_of(words[0])
    job = arguments.option("job") or fields.pop("job_type", "") or "exec"
    fields.setdefault("input_summary", shlex.join(words))
    recorder = Recorder(str(agent), str(job), fields)
    if os.name != "posix":
        return _run_plainly(recorder, words, timeout)
    return _run(recorder, words, tail, timeout)


def _run(recorder: Recorder, words: list[str], tail: int, timeout: Optional[float]) -> int:
    from indexer.cli.shell.process import Process

    try:
        process = Process(words, recorder.environ, tail, timeout)
    except OSError as error:
        return _not_started(recorder, words[0], error)
    ended = process.wait()
    if ended.timed_out:
        say(f"timed out after {timeout:g} s: {words[0]} and its process group were killed")
    relay = process.relay
    stdout = relay.stdout.tail.text() if relay.stdout else ""
    stderr = relay.stderr.tail.text() if relay.stderr else ""
    _record(recorder, ended, stdout, stderr, timeout)
    return TIMED_OUT if ended.timed_out else ended.code


def _record(
    recorder: Recorder, ended: Ended, stdout: str, stderr: str, timeout: Optional[float]
) -> None:
    status, summary = _status(ended, timeout)
    recorder.end(
        status,
        error_summary=summary,
        error_details=(stderr or None) if summary else None,
        output_summary=stdout or None,
        metrics_json={
            "exit_code": ended.code,
            "user_seconds": round(ended.user_seconds, 6),
            "system_seconds": round(ended.system_seconds, 6),
            "peak_memory_bytes": ended.peak_bytes,
        },
    )


def _status(ended: Ended, timeout: Optional[float]) -> tuple[str, Optional[str]]:
    if ended.timed_out:
        return "timeout", f"timed out after {timeout:g} s"
    if ended.signal:
        status = "cancelled" if ended.signal == signal.SIGINT else "failed"
        return status, f"killed by {_signal_name(ended.signal)}"
    return ("failed", f"exit status {ended.code}") if ended.code else ("success", None)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _not_started(recorder: Recorder, command: str, error: OSError) -> int:
    say(f"{command}: {error.strerror}")
    code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    recorder.end(
        "failed",
        error_summary=f"{command}: {error.strerror}",
        metrics_json={"exit_code": code},
    )
    return code


def _run_plainly(recorder: Recorder, words: list[str], timeout: Optional[float]) -> int:
    """Run the command where there is no fork: its streams are ours, and no tail is kept."""
    import subprocess

    try:
        code = subprocess.run(  # what to run is what was asked for
            words, env=recorder.environ, timeout=timeout, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        recorder.end("timeout", error_summary=f"timed out after {timeout:g} s")
        return TIMED_OUT
    except OSError as error:
        return _not_started(recorder, words[0], error)
    summary = f"exit status {code}" if code else None
    status = "failed" if code else "success"
    recorder.end(status, error_summary=summary, metrics_json={"exit_code": code})
    return code


def _name_of(command: str) -> str:
    return os.path.basename(command.rstrip("/\\")) or command


def _seconds(text: str) -> Optional[float]:
    if not text:
        return None
    from telemetry_core.duration import parse_duration

    return parse_duration(text).total_seconds()


def _size(text: str) -> int:
    if not text:
        return TAIL_BYTES
    if not text.isdecimal():
        raise ValueError(f"--tail: {text!r} is no number of bytes")
    return min(int(text), _MOST_TAIL_BYTES)
