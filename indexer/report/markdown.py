"""The Markdown: the same report as text, for a wiki, a ticket, a mail.

Called by `telemetry report`. What agents wrote is escaped, so that it is neither markup nor
HTML, and breaks no table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from indexer.report import text
from indexer.report.charts import STACKED
from indexer.report.figures import Figure, Figures
from indexer.report.period import Period, key_in_words
from indexer.terminal.format import count, duration, plain
from indexer.terminal.runs_table import short_id

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#!|~$])")
_BLOCKS = 24

Table = Sequence[Sequence[str]]


def markdown(figures: Figures, origin: text.Origin) -> str:
    """Return a report as Markdown, with tables as GitHub has them."""
    period = figures.period
    blocks = [
        f"# Telemetry report, {text.title(period)}",
        text.span(period),
        text.lead(figures),
        _table(["", "", ""], [list(headline) for headline in text.headlines(figures)], "lrr"),
        f"## Runs by {period.unit}",
        text.bars_note(period),
        _bars(figures),
        "## Agents",
        text.SUCCESS_NOTE,
        _agents(figures),
        "## Slowest runs",
        _slowest(figures),
        "## Most failing",
        _failing(figures),
        "## Latest errors",
        _errors(figures),
        "## Stale runs",
        text.STALE_NOTE,
        _stale(figures),
        text.how_many_more(figures),
        "---",
        escaped(text.made(origin)),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def escaped(value: Any) -> str:
    """Return text that Markdown shows as it is."""
    text = plain(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", text)


def _bars(figures: Figures) -> str:
    highest = max((sum(statuses.values()) for statuses in figures.parts.values()), default=0)
    if not highest:
        return text.NO_RUNS
    used = [s for s in STACKED if any(statuses.get(s) for statuses in figures.parts.values())]
    rows = []
    for key, statuses in figures.parts.items():
        runs = sum(statuses.values())
        bar = "\u2588" * -(-_BLOCKS * runs // highest)
        numbers = [count(statuses.get(status, 0)) for status in used]
        rows.append([key_in_words(key), bar, count(runs), *numbers])
    titles = [figures.period.unit.capitalize(), "", "runs", *used]
    return _table(titles, rows, "ll" + "r" * (len(used) + 1))


def _agents(figures: Figures) -> str:
    period = figures.period
    rows = [_agent(text.name(agent["agent_name"]), agent, period) for agent in figures.agents]
    if figures.others:
        rows.append(_agent(text.others_in_words(figures), figures.others, period))
    titles = ["Agent", "Runs", "Failed", "Success", "p50", "p95", "Last run"]
    return _table(titles, rows, "lrrrrrl") or text.NO_AGENT


def _agent(name: str, agent: Figure, period: Period) -> list[str]:
    return [
        escaped(name),
        count(agent["runs"]),
        count(agent["failed"]),
        text.rate_in_words(agent["success_rate"]),
        escaped(duration(agent.get("p50_duration_ms"))),
        escaped(duration(agent.get("p95_duration_ms"))),
        _time(agent["last_run"], period),
    ]


def _slowest(figures: Figures) -> str:
    rows = [
        [
            *_who(run),
            duration(run["duration_ms"]),
            escaped(run["status"]),
            _time(run["start_time"], figures.period),
            _run(run),
        ]
        for run in figures.slowest
    ]
    titles = ["Agent", "Job", "Took", "Status", "Started", "Run"]
    return _table(titles, rows, "llrlll") or text.NO_DURATION


def _failing(figures: Figures) -> str:
    rows = [
        [
            *_who(job),
            f"{count(job['failed'])} of {count(job['runs'])}",
            _time(job["last_failure"], figures.period),
            _error(job),
        ]
        for job in figures.failing
    ]
    titles = ["Agent", "Job", "Failed", "Last", "Latest error"]
    return _table(titles, rows, "llrll") or text.NO_FAILURE


def _errors(figures: Figures) -> str:
    rows = [
        [
            *_who(run),
            _time(run["start_time"], figures.period),
            escaped(run["status"]),
            _error(run),
            _run(run),
        ]
        for run in figures.errors
    ]
    titles = ["Agent", "Job", "Started", "Status", "Error", "Run"]
    return _table(titles, rows, "llllll") or text.NO_FAILURE


def _stale(figures: Figures) -> str:
    rows = [
        [
            *_who(run),
            escaped(run["reason"]),
            _time(run["start_time"], figures.period),
            _time(run["last_event_time"], figures.period),
            _run(run),
        ]
        for run in figures.stale
    ]
    titles = ["Agent", "Job", "Reason", "Started", "Last heard of", "Run"]
    return _table(titles, rows, "llllll") or text.NO_STALE


def _who(row: Figure) -> list[str]:
    return [escaped(text.name(row["agent_name"])), escaped(text.name(row["job_type"]))]


def _error(row: Figure) -> str:
    return escaped(text.clipped(row["error_summary"]))


def _run(run: Figure) -> str:
    return escaped(short_id(run["run_id"]))


def _time(moment: Any, period: Period) -> str:
    return period.in_words(moment) if moment else ""


def _table(titles: Sequence[str], rows: Table, aligned: str) -> str:
    """Return a table, nothing for no rows; `aligned` has `l` or `r` for each column."""
    if not rows:
        return ""
    marks = ["---:" if side == "r" else "---" for side in aligned]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, marks, *rows))
