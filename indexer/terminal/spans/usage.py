"""Print usage: tokens, how much of them was read from caches, and costs at list price.

Used by the commands that show what runs used. It only reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from indexer.terminal.format import count
from indexer.terminal.table import Column

USAGE_COLUMNS = (
    Column("CALLS", right=True),
    Column("INPUT", right=True),
    Column("CACHE READ", right=True, minor=True),
    Column("CACHE WRITE", right=True, minor=True),
    Column("OUTPUT", right=True),
    Column("HITS", right=True),
    Column("REPORTED", right=True, minor=True),
    Column("LIST PRICE", right=True),
)
"""The columns of usage; what it is grouped by stands before them."""


def usage_cells(row: Mapping[str, Any]) -> list[str]:
    """Return the cells of a row of usage."""
    return [
        count(row["calls"]),
        count(row["input_tokens"]),
        count(row["cache_read_tokens"]),
        count(row["cache_write_tokens"]),
        count(row["output_tokens"]),
        percent(row["cache_hit_rate"]),
        dollars(row["cost_reported_usd"]),
        list_price(row),
    ]


def list_price(row: Mapping[str, Any]) -> str:
    """Return an estimate; a `+` says that calls without a price are left out of it."""
    is_whole = not row["calls_without_price"]
    found = dollars(row["cost_estimated_usd"])
    return found if is_whole or not found else f"{found} +"


def dollars(amount: Any) -> str:
    """Return an amount in US dollars: four digits of one below a dollar, else cents."""
    if not isinstance(amount, (int, float)):
        return ""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def percent(share: Any) -> str:
    """Return a share in per cent."""
    return f"{share:.0%}" if isinstance(share, (int, float)) else ""


def usage_sentence(row: Mapping[str, Any]) -> str:
    """Return usage in one line: `12 calls, 3,400 tokens in (60% from cache), 800 out, $0.0210`."""
    read = sum(
        row[name] or 0 for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens")
    )
    parts = [
        f"{count(row['calls'])} model {'call' if row['calls'] == 1 else 'calls'}",
        f"{count(read)} tokens in",
        f"{count(row['output_tokens'] or 0)} out",
    ]
    if row["cache_hit_rate"]:
        parts[1] += f" ({percent(row['cache_hit_rate'])} from cache)"
    if row["cost_reported_usd"] is not None:
        parts.append(f"{dollars(row['cost_reported_usd'])} reported")
    if row["cost_estimated_usd"] is not None:
        parts.append(f"{list_price(row)} at list price")
    return ", ".join(parts)


def notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what readers of the costs should know."""
    missing = sum(row["calls_without_price"] or 0 for row in rows)
    if not missing:
        return []
    calls = "1 call has" if missing == 1 else f"{count(missing)} calls have"
    why = "a model that the price data does not know, or no price data at all"
    return [f"{calls} no list price: {why}; `telemetry doctor` names them"]
