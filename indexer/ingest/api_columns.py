"""The columns of a run that say what the target `api` has of it, by receipts in the log.

Pure, and part of the fold.
"""

from __future__ import annotations

from typing import Any

from indexer.ingest.run_row import RunRow
from telemetry_core.event import API_TARGET, Event


def apply_delivered(row: RunRow, event: Event) -> None:
    """Note that the API has a revision."""
    if not _is_of_api(event):
        return
    revision = data_of(event).get("revision")
    # True is an int to Python and no number to JSON; what is beyond SQLite's range it can't store.
    if type(revision) is int and row["api_posted_revision"] <= revision < 2**63 and revision > 0:
        known = row["api_posted_at"] if revision == row["api_posted_revision"] else None
        row["api_posted_revision"] = revision
        # Receipts may come in any order: the first one of a revision says when it was posted.
        row["api_posted_at"] = min(known or event.time, event.time)


def apply_delivery_failed(row: RunRow, event: Event) -> None:
    """Count an attempt that the API refused or missed."""
    if _is_of_api(event):
        row["api_retry_count"] += 1


def _is_of_api(event: Event) -> bool:
    """Whether a receipt is of the target that the api columns speak of; one of none is."""
    return bool(data_of(event).get("target", API_TARGET) == API_TARGET)


def compare_revisions(row: RunRow) -> None:
    """Set whether the API has the row as it is now."""
    row["api_posted"] = int(row["api_posted_revision"] >= row["revision"] > 0)


def data_of(event: Event) -> dict[str, Any]:
    """Return an event's data where it is an object, else an empty one."""
    return event.data if isinstance(event.data, dict) else {}
