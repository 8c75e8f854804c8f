"""One-line sentences about runs and about a verification.

Called by the commands and by the demo.
"""

from __future__ import annotations

from indexer.database.verify import Verification
from indexer.terminal.format import count, plain, size


def runs_sentence(by_status: dict[str, int]) -> str:
    """Return numbers by status as one line."""
    return ", ".join(f"{count(number)} {plain(status)}" for status, number in by_status.items())


def verification_sentence(report: Verification) -> str:
    """Return in one line what a verification found."""
    read = f"{count(report.lines)} lines, {count(report.events)} events, {count(report.runs)} runs"
    if report.is_ok:
        return f"ok: log and database agree ({read}, {size(report.bytes)})"
    return f"log and database differ in {len(report.differences)} places ({read})"
