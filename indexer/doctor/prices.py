"""Check prices: the file of overrides, whether price data is installed, models without a price."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.database.pricing.book import load_prices
from indexer.doctor.finding import Finding, note, ok, warning
from indexer.doctor.open_database import reading_without_trace
from indexer.doctor.subject import Subject
from indexer.store.spans.prices import counted_calls, models_without_price
from indexer.terminal.format import many
from telemetry_core.errors import TelemetryError

_MOST_NAMED = 5


def check(subject: Subject) -> Iterator[Finding]:
    """Look at the prices in use, and at the calls that have none."""
    prices = load_prices(subject.base.directory)
    for problem in prices.problems:
        yield warning(problem, "that price is not used until then; see docs/usage.md")
    try:
        with reading_without_trace(subject.base.database_path) as connection:
            calls, missing = counted_calls(connection), models_without_price(connection)
    except TelemetryError:
        # There is no database, or it can't be read: reported above.
        calls, missing = 0, []
    if not calls:
        yield ok("no model calls with usage: nothing to price")
    elif prices.book is None:
        yield note(
            f"no list price for {many(calls, 'model call')}: no price data is installed",
            'pip install "local-telemetry[prices]", or give prices in config/prices.toml',
        )
    else:
        yield ok(f"list prices are of {prices.book.version}")
    if missing and prices.book is not None:
        names = ", ".join(f"{model} ({number:,})" for model, number in missing[:_MOST_NAMED])
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        yield note(
            f"models without a list price, with their calls: {names}{more}",
            "give their prices in config/prices.toml, or update genai-prices; see docs/usage.md",
        )
