"""Check the daemon: whether one runs, and whether it is stopped."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.doctor.finding import Finding, note, ok, warning
from indexer.doctor.subject import Subject
from indexer.system.base import DAEMON
from indexer.system.lease import is_gone
from telemetry_core.process import host_name

_START = "`telemetry index --watch`, or permanently `telemetry service install`"
_STOPPED = "T"


def check(subject: Subject) -> Iterator[Finding]:
    """Read the lease that a daemon holds, and look for its process."""
    holder = subject.base.indexer_lease("").holder()
    if holder.get("purpose") != DAEMON:
        yield note("no daemon runs: commands that read index new events", f"if wanted: {_START}")
        return
    pid, host = holder.get("pid"), holder.get("host")
    who = f"process {pid} on {host}, since {holder.get('since')}"
    if host != host_name():
        yield note(
            f"a daemon runs on another host, by its lease: {who}",
            "check there: from this host its process can't be seen",
        )
    elif is_gone(holder):
        yield note(f"a daemon was killed: {who}", f"nothing is lost; restart it: {_START}")
    else:
        yield _alive(int(pid or 0), who)


def _alive(pid: int, who: str) -> Finding:
    if _state(pid) == _STOPPED:
        return warning(f"the daemon is stopped: {who}", f"continue it: kill -CONT {pid}")
    # `telemetry status` says when it was last active.
    return ok(f"a daemon runs: {who}")


def _state(pid: int) -> str:
    """Return the letter of a process's state on Linux, elsewhere nothing."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1].decode()
    except OSError:
        return ""
