"""The check of the daemon: whether one has the base, and whether it still says so."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.doctor.finding import Finding, note, ok, warning
from indexer.doctor.subject import Subject
from indexer.system.base import DAEMON
from indexer.system.lease import is_gone
from telemetry_core.process import host_name

_START = "`telemetry index --watch`, or for good `telemetry service install`"
_STOPPED = "T"


def check(subject: Subject) -> Iterator[Finding]:
    """Read the note that a daemon leaves, and look for its process."""
    holder = subject.base.indexer_lease("").holder()
    if holder.get("purpose") != DAEMON:
        yield note("no daemon runs: commands that read index by themselves", f"if wanted: {_START}")
        return
    pid, host = holder.get("pid"), holder.get("host")
    who = f"process {pid} on {host}, since {holder.get('since')}"
    if host != host_name():
        yield note(
            f"a daemon is said to run: {who}",
            "look there: from this host it can't be seen whether it lives",
        )
    elif is_gone(holder):
        yield note(f"a daemon was killed: {who}", f"nothing is lost; start it again: {_START}")
    else:
        yield _alive(int(pid or 0), who)


def _alive(pid: int, who: str) -> Finding:
    if _state(pid) == _STOPPED:
        return warning(f"the daemon is stopped: {who}", f"let it go on: kill -CONT {pid}")
    # How long ago it was last heard of is the status's matter.
    return ok(f"a daemon runs: {who}")


def _state(pid: int) -> str:
    """Return the letter of a process's state as Linux gives it, empty where it does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1].decode()
    except OSError:
        return ""
