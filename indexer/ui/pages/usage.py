"""`/usage`: tokens and cost by day, model, agent or project.

Called by the application.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any, Optional

from indexer.ui.charts.bars import Bars, single_bars
from indexer.ui.pages.words import PERIODS, day, period_in_words
from indexer.ui.queries.filters import RunFilter, condition_of
from indexer.ui.queries.usage import BY, UNKNOWN, Period, Usage, UsageTable, usage_by
from indexer.ui.readers import Deadline
from indexer.ui.rendering import money, percent, tokens
from indexer.ui.site import PAGE_SECONDS, Asked, Reply, Site, csv, html, json
from telemetry_core.timestamp import format_time, parse_time

_SECONDS = 0.1
_MOST_ROWS = 500
_DEFAULT = "30d"


def usage(site: Site, asked: Asked) -> Reply:
    """Return the page of usage."""
    by = asked.get("by") if asked.get("by") in BY else "model"
    since = asked.get("since", _DEFAULT)
    found = site.kept.get(f"usage by {by} since {since}", lambda: _look(site, by, since))
    if asked.form != "html":
        return _data(asked, by, found.table)
    table = found.table
    everything = table.all
    return html(
        site,
        asked,
        "usage.html",
        sentence=sentence(everything, since),
        by=by,
        bys=BY,
        since=since,
        periods=PERIODS,
        rows=_sorted(by, table),
        total=everything,
        changes=_changes(table, found.before),
        unknown=UNKNOWN,
        **_charts(table.days),
        searched=day(table.searched_to) if table.searched_to else "",
    )


@dataclass(frozen=True)
class _Found:
    table: UsageTable
    before: Optional[UsageTable]
    """The period of the same length before; None where there is none, or no time for it."""


def _look(site: Site, by: str, since: str) -> _Found:
    period = Period(condition_of(RunFilter(since=since, show="all")).since or "")
    with site.readers.connection(PAGE_SECONDS) as connection:
        # Not before: a connection to a fleet has its rows copied first.
        deadline = Deadline(_SECONDS)
        table = usage_by(connection, by, period, deadline)
        earlier = _before(period)
        if earlier is None or by == "day" or table.searched_to:
            return _Found(table, None)
        return _Found(table, usage_by(connection, by, earlier, deadline, table.calls_left))


def sentence(total: Usage, since: str) -> str:
    """Return what was used, in one sentence."""
    period = period_in_words(since, "")
    if not total.calls:
        return f"No model call was recorded {period}".strip() + "."
    price = " at list price" if total.estimated else ""
    if total.cost_usd is None:
        sentence = f"{tokens(total.tokens)} tokens {period}, at a cost that is not known".strip()
    else:
        sentence = f"{money(total.cost_usd)}{price} {period}".strip()
    cached = (
        f"; {percent(total.cached)} of input came from cache" if total.cache_read_tokens else ""
    )
    return f"{sentence}{cached}."


def _sorted(by: str, table: UsageTable) -> list[tuple[str, Usage]]:
    rows = list(table.rows.items())
    if by == "day":
        return sorted(rows, reverse=True)[:_MOST_ROWS]
    return sorted(rows, key=lambda row: (-row[1].cost, -row[1].tokens))[:_MOST_ROWS]


def _before(period: Period) -> Optional[Period]:
    """Return the period of the same length before one that reaches to now."""
    if not period.since:
        return None
    since = parse_time(period.since)
    try:
        earlier = since - (datetime.now(timezone.utc) - since)
    except OverflowError:
        return None
    return Period(format_time(earlier), period.since)


def _changes(table: UsageTable, before: Optional[UsageTable]) -> dict[str, float]:
    """Return by how much the cost of each row is above that of the period before."""
    if before is None or before.searched_to:
        return {}
    pairs = ((key, row, before.rows.get(key)) for key, row in table.rows.items())
    return {
        key: row.cost / old.cost - 1
        for key, row, old in pairs
        if old is not None and old.cost and not old.unpriced and not row.unpriced
    }


def _charts(used: dict[str, Usage]) -> dict[str, Any]:
    days = _all_days([key for key in used if key != UNKNOWN])
    costs, sizes = [], []
    for key in days:
        row = used.get(key)
        label = f"{date.fromisoformat(key):%b} {date.fromisoformat(key).day}"
        cost, size = (row.cost, row.tokens) if row else (0.0, 0.0)
        costs.append((label, f"{label}: {money(row.cost_usd) if row else money(0)}", cost))
        sizes.append((label, f"{label}: {tokens(size)} tokens", size))
    every = max(1, len(days) // 8)
    charts: dict[str, Optional[Bars]] = {
        "costs": single_bars(costs) if any(cost for _, _, cost in costs) else None,
        "sizes": single_bars(sizes) if any(size for _, _, size in sizes) else None,
    }
    return {**charts, "every": every}


def _all_days(days: list[str]) -> list[str]:
    """Return the days from the first to today, also those without usage; a year at most."""
    if not days:
        return []
    today = datetime.now().astimezone().date()
    first = max(date.fromisoformat(min(days)), today - timedelta(days=366))
    count = max(0, (today - first).days) + 1
    return [str(first + timedelta(days=number)) for number in range(count)]


def _data(asked: Asked, by: str, table: UsageTable) -> Reply:
    records = [
        {by: key, **asdict(row), "cost_usd": row.cost_usd} for key, row in _sorted(by, table)
    ]
    for record in records:
        del record["cost"]
    if asked.form == "json":
        return json({"usage": records, "searched_to": table.searched_to or None})
    titles = list(records[0]) if records else [by]
    return csv(titles, [list(record.values()) for record in records])
