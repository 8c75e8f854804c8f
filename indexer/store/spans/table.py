"""Read and write rows of `run_spans`, and which of them count.

Called by the projection of spans, inside the transactions of the ingest pass.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Optional

from indexer.store.schema.columns import SPAN_COLUMNS

_NAMES = ", ".join(SPAN_COLUMNS)
_INSERT = (
    f"INSERT OR REPLACE INTO run_spans ({_NAMES}) VALUES ({', '.join('?' * len(SPAN_COLUMNS))})"
)
# A call that stops counting has no price either: whether it once had one is a matter of order.
_PRICE_IF_COUNTED = (
    "cost_estimated_usd = CASE WHEN :counted THEN cost_estimated_usd END,"
    " price_version = CASE WHEN :counted THEN price_version END"
)
_HAS_USAGE = (
    "(input_tokens IS NOT NULL OR cache_read_tokens IS NOT NULL"
    " OR cache_write_tokens IS NOT NULL OR output_tokens IS NOT NULL)"
)


class SpanRow(NamedTuple):
    """A row of `run_spans`, but for the columns that depend on other spans and on prices."""

    run_id: str
    span_id: str
    parent_span_id: Optional[str]
    name: Optional[str]
    kind: Optional[str]
    status: Optional[str]
    start_time: Optional[str]
    end_time: Optional[str]
    duration_ms: Optional[float]
    model: Optional[str]
    provider: Optional[str]
    tool_name: Optional[str]
    error: Optional[str]
    time_to_first_token_ms: Optional[float]
    input_tokens: Optional[int]
    cache_read_tokens: Optional[int]
    cache_write_tokens: Optional[int]
    output_tokens: Optional[int]
    reasoning_tokens: Optional[int]
    cache_write_1h_tokens: Optional[int]
    cost_reported_usd: Optional[float]
    vocabulary: Optional[str]
    attributes_json: Optional[str]
    start_event: Optional[str]
    end_event: Optional[str]


class Place(NamedTuple):
    """Where a span is in its run's tree, and what bears on whether its usage counts."""

    span_id: str
    parent_span_id: Optional[str]
    has_usage: bool


def save_spans(connection: sqlite3.Connection, rows: Iterable[SpanRow]) -> None:
    """Write rows over what stood there; nothing of them counts until that is settled."""
    connection.executemany(_INSERT, rows)


def copy_spans(
    connection: sqlite3.Connection, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Write rows of another database over what stood there, settled and priced as they are there.

    Each row has the values of `columns`; what is not among them stays empty.
    """
    connection.executemany(
        f"INSERT OR REPLACE INTO run_spans ({', '.join(columns)})"
        f" VALUES ({', '.join('?' * len(columns))})",
        rows,
    )


def runs_not_there(connection: sqlite3.Connection) -> list[str]:
    """Return the ids of runs that have spans and no row."""
    rows = connection.execute(
        "SELECT DISTINCT run_id FROM run_spans WHERE run_id NOT IN (SELECT run_id FROM agent_runs)"
    )
    return [str(run_id) for (run_id,) in rows]


def delete_spans(connection: sqlite3.Connection, run_id: str) -> None:
    """Delete the spans of a run."""
    connection.execute("DELETE FROM run_spans WHERE run_id = ?", (run_id,))


def load_spans(
    connection: sqlite3.Connection, run_id: str, span_ids: Collection[str]
) -> dict[str, SpanRow]:
    """Return the named spans of a run, as far as they are known."""
    found: dict[str, SpanRow] = {}
    wanted = list(span_ids)
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        rows = connection.execute(
            f"SELECT {_NAMES} FROM run_spans WHERE run_id = ?"
            f" AND span_id IN ({', '.join('?' * len(some))})",
            (run_id, *some),
        )
        found.update({row[1]: SpanRow._make(row) for row in rows})
    return found


def has_usage(connection: sqlite3.Connection, run_id: str) -> bool:
    """Whether any span of a run has usage."""
    return _exists(connection, f"SELECT 1 FROM run_spans WHERE run_id = ? AND {_HAS_USAGE}", run_id)


def has_foreign_events(connection: sqlite3.Connection, run_id: str) -> bool:
    """Whether a run is made of other programs' records, so that its spans are read as a whole."""
    return _exists(
        connection, "SELECT 1 FROM agent_runs WHERE run_id = ? AND foreign_events > 0", run_id
    )


def _exists(connection: sqlite3.Connection, query: str, run_id: str) -> bool:
    return connection.execute(f"{query} LIMIT 1", (run_id,)).fetchone() is not None


def places(connection: sqlite3.Connection, run_id: str) -> Iterator[Place]:
    """Yield where each span of a run stands."""
    rows = connection.execute(
        f"SELECT span_id, parent_span_id, {_HAS_USAGE} FROM run_spans WHERE run_id = ?", (run_id,)
    )
    for span_id, parent, used in rows:
        yield Place(span_id, parent, bool(used))


def set_counted(connection: sqlite3.Connection, run_id: str, counted: Collection[str]) -> None:
    """Have the usage of these spans of a run count, and of its others not."""
    marked = connection.execute(
        "SELECT span_id FROM run_spans WHERE run_id = ? AND counted = 1", (run_id,)
    )
    before = {span_id for (span_id,) in marked}
    changes = [(0, run_id, one) for one in before - set(counted)]
    changes += [(1, run_id, one) for one in set(counted) - before]
    connection.executemany(
        f"UPDATE run_spans SET counted = :counted, {_PRICE_IF_COUNTED}"
        " WHERE run_id = :run_id AND span_id = :span_id",
        [dict(zip(("counted", "run_id", "span_id"), change)) for change in changes],
    )


def set_owner(connection: sqlite3.Connection, run_id: str, span_id: str, *, is_owner: bool) -> None:
    """Say whether a run owns the call of one of its spans; what it does not own does not count."""
    connection.execute(
        f"UPDATE run_spans SET is_owner = :counted, {_PRICE_IF_COUNTED},"
        f" counted = CASE WHEN :counted AND {_HAS_USAGE} THEN 1 ELSE 0 END"
        " WHERE run_id = :run_id AND span_id = :span_id AND is_owner <> :counted",
        {"counted": is_owner, "run_id": run_id, "span_id": span_id},
    )


def spans_of(connection: sqlite3.Connection, run_id: Optional[str] = None) -> Iterator[SpanRow]:
    """Yield the spans of one run, or of all, by run and id."""
    where = "" if run_id is None else " WHERE run_id = :run_id"
    for row in connection.execute(
        f"SELECT {_NAMES} FROM run_spans{where} ORDER BY run_id, span_id", {"run_id": run_id}
    ):
        yield SpanRow._make(row)
