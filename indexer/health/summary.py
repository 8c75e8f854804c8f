"""One-line summaries of runs and of a verification.

Used by the commands, the report and the demo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.terminal.format import count, plain, size

if TYPE_CHECKING:
    from indexer.database.verify import Verification
    from indexer.store.totals import RunCounts

_OUTCOMES = ("succeeded", "partial", "failed", "cancelled", "running", "stale", "other")


def outcomes(counts: RunCounts) -> str:
    """Return runs by outcome as one line, without outcomes that no run had."""
    numbers = ((name, getattr(counts, name)) for name in _OUTCOMES)
    return ", ".join(f"{count(number)} {name}" for name, number in numbers if number)


def status_counts(by_status: dict[str, int]) -> str:
    """Return numbers by status as one line."""
    return ", ".join(f"{count(number)} {plain(status)}" for status, number in by_status.items())


def verification_summary(report: Verification) -> str:
    """Return in one line what a verification found."""
    read = f"{count(report.lines)} lines, {count(report.events)} events, {count(report.runs)} runs"
    if report.is_ok:
        return f"ok: log and database agree ({read}, {size(report.bytes)})"
    return f"log and database differ in {len(report.differences)} places ({read})"
