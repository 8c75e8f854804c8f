"""Store which spans claim a model or tool call that others may claim as well.

Sessions that were forked, resumed or copied repeat calls. A call belongs to the strongest claim,
whichever was read first; a span owns its call if it owns all the names that the call has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple


class Claim(NamedTuple):
    """That a span is of a call; the smaller claim is the stronger one."""

    call: str
    claim: str
    run_id: str
    span_id: str


def replace_claims(
    connection: sqlite3.Connection, run_id: str, claims: Iterable[Claim]
) -> set[str]:
    """Write the claims of a run; return the calls of which the claims changed."""
    rows = connection.execute(
        "SELECT call, claim, run_id, span_id FROM span_calls WHERE run_id = ?", (run_id,)
    )
    before, after = {Claim._make(row) for row in rows}, set(claims)
    connection.executemany(
        "DELETE FROM span_calls WHERE call = ? AND claim = ? AND run_id = ? AND span_id = ?",
        before - after,
    )
    connection.executemany("INSERT INTO span_calls VALUES (?, ?, ?, ?)", sorted(after - before))
    return {one.call for one in before ^ after}


def claims_of(connection: sqlite3.Connection, run_id: str) -> list[Claim]:
    """Return what the spans of a run claim."""
    rows = connection.execute(
        "SELECT call, claim, run_id, span_id FROM span_calls WHERE run_id = ? ORDER BY 1, 4",
        (run_id,),
    )
    return [Claim._make(row) for row in rows]


def claimants(connection: sqlite3.Connection, calls: Collection[str]) -> set[tuple[str, str]]:
    """Return the spans, with their runs, that claim one of the calls."""
    found: set[tuple[str, str]] = set()
    for call in calls:
        rows = connection.execute("SELECT run_id, span_id FROM span_calls WHERE call = ?", (call,))
        found.update((run_id, span_id) for run_id, span_id in rows)
    return found


def owns_its_call(connection: sqlite3.Connection, run_id: str, span_id: str) -> bool:
    """Whether no stronger claim is made on any name of the call that a span is of."""
    (stronger,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM span_calls AS own JOIN span_calls AS other"
        " ON other.call = own.call"
        " WHERE own.run_id = ? AND own.span_id = ?"
        " AND (other.claim, other.run_id, other.span_id) < (own.claim, own.run_id, own.span_id))",
        (run_id, span_id),
    ).fetchone()
    return not stronger
