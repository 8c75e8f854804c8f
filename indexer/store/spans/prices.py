"""Query which calls have no price yet, and store what they cost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple, Optional

_SETTING = "price_version"


class UnpricedCall(NamedTuple):
    """A call that counts and has not been priced yet."""

    run_id: str
    span_id: str
    model: Optional[str]
    provider: Optional[str]
    start_time: Optional[str]
    tokens: tuple[Optional[int], ...]
    """In the order of `Usage`."""


def price_version(connection: sqlite3.Connection) -> Optional[str]:
    """Return by which price data calls are priced; None if none ever was."""
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (_SETTING,)).fetchone()
    return None if row is None else str(row[0])


def set_price_version(connection: sqlite3.Connection, version: str) -> None:
    """Note by which price data calls are priced; those that were priced by other have no price."""
    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (_SETTING, version))
    connection.execute(
        "UPDATE run_spans SET price_version = NULL, cost_estimated_usd = NULL"
        " WHERE price_version IS NOT NULL"
    )


def unpriced_calls(connection: sqlite3.Connection, limit: int) -> list[UnpricedCall]:
    """Return some calls that count and have not been priced yet."""
    rows = connection.execute(
        "SELECT run_id, span_id, model, provider, start_time, input_tokens, cache_read_tokens,"
        " cache_write_tokens, output_tokens, reasoning_tokens, cache_write_1h_tokens"
        " FROM run_spans INDEXED BY run_spans_unpriced"
        " WHERE counted = 1 AND price_version IS NULL LIMIT ?",
        (limit,),
    )
    return [
        UnpricedCall(run_id, span_id, model, provider, start, tuple(tokens))
        for run_id, span_id, model, provider, start, *tokens in rows
    ]


def set_prices(
    connection: sqlite3.Connection,
    version: str,
    prices: Iterable[tuple[UnpricedCall, Optional[float]]],
) -> None:
    """Write what calls cost; None for a model without a price."""
    connection.executemany(
        "UPDATE run_spans SET cost_estimated_usd = ?, price_version = ?"
        " WHERE run_id = ? AND span_id = ?",
        ((dollars, version, call.run_id, call.span_id) for call, dollars in prices),
    )


def span_prices(
    connection: sqlite3.Connection, run_id: str
) -> dict[str, tuple[Optional[float], str]]:
    """Return what the calls of a run cost and by which price data, by span; those with a price."""
    rows = connection.execute(
        "SELECT span_id, cost_estimated_usd, price_version FROM run_spans"
        " WHERE run_id = ? AND counted = 1 AND price_version IS NOT NULL",
        (run_id,),
    )
    return {span_id: (cost, version) for span_id, cost, version in rows}


def models_without_price(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return the models that the price data does not know, with how many calls they have."""
    return connection.execute(
        "SELECT ifnull(model, '(no model)'), count(*) FROM run_spans"
        " WHERE counted = 1 AND price_version IS NOT NULL AND cost_estimated_usd IS NULL"
        " GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()


def counted_calls(connection: sqlite3.Connection) -> int:
    """Return how many calls count."""
    found = connection.execute("SELECT count(*) FROM run_spans WHERE counted = 1").fetchone()
    return int(found[0])
