"""The sections of the page: each question that a report answers, with its picture or table.

Called by the page.
"""

from __future__ import annotations

from typing import Any

from indexer.report import text
from indexer.report.charts import STACKED, TimeScale, rate_bar, stacked_bars, swatch
from indexer.report.figures import Figure, Figures
from indexer.report.markup import Markup, element, together
from indexer.report.period import Period, key_in_words
from indexer.report.table import Cell, table
from indexer.terminal.format import count, duration
from indexer.terminal.runs_table import short_id


def sections(figures: Figures) -> list[Markup]:
    """Return all sections, those that have nothing to show too."""
    period = figures.period
    return [
        _section("days", f"Runs by {period.unit}", _bars(figures), text.bars_note(period)),
        _section("agents", "Agents", _agents(figures), text.SUCCESS_NOTE),
        _section("slowest", "Slowest runs", _slowest(figures), text.SLOWEST_NOTE),
        _section("failing", "Most failing", _failing(figures), text.FAILING_NOTE),
        _section("errors", "Latest errors", _errors(figures), text.ERRORS_NOTE),
        _section("stale", "Stale runs", _stale(figures), text.STALE_NOTE),
    ]


def _section(name: str, title: str, content: Markup, note: str) -> Markup:
    return element(
        "section",
        element("h2", title, id=name),
        element("p", *_with_code(note), class_="note"),
        content,
        aria_labelledby=name,
    )


def _bars(figures: Figures) -> Markup:
    if not figures.totals["runs"]:
        return _nothing(text.NO_RUNS)
    used = [s for s in STACKED if any(statuses.get(s) for statuses in figures.parts.values())]
    legend = [element("li", swatch(status), status) for status in reversed(used)]
    unit = figures.period.unit
    rows = [
        [Cell(key_in_words(key)), *(Cell(count(statuses.get(s, 0)), "number") for s in used)]
        for key, statuses in figures.parts.items()
    ]
    numbers = table([unit.capitalize(), *used], rows, "days", stacks=False)
    return together(
        element("ul", *legend, class_="legend", aria_label="Statuses"),
        stacked_bars(figures.parts, f"Runs by {unit} and status"),
        element(
            "details",
            element("summary", "The numbers"),
            element("div", numbers, class_="scrolls"),
        ),
    )


def _agents(figures: Figures) -> Markup:
    if not figures.agents:
        return _nothing(text.NO_AGENT)
    scale = TimeScale.of(figures.agents)
    period = figures.period
    rows = [
        _agent(text.name(agent["agent_name"]), agent, scale, period) for agent in figures.agents
    ]
    if figures.others:
        rows.append(_agent(text.others_in_words(figures), figures.others, scale, period))
    titles = ["Agent", "Runs", "Failed", "Success", "", scale.header(), "p50", "p95", "Last run"]
    return table(titles, rows, "agents")


def _agent(name: str, agent: Figure, scale: TimeScale, period: Period) -> list[Cell]:
    return [
        Cell(name),
        Cell(count(agent["runs"]), "number", "runs"),
        Cell(count(agent["failed"]), "number", "failed"),
        Cell(text.rate_in_words(agent["success_rate"]), "number", "success"),
        Cell(rate_bar(agent["success_rate"]), "picture wide"),
        Cell(scale.row(agent), "times wide"),
        Cell(duration(agent.get("p50_duration_ms")), "number", "p50"),
        Cell(duration(agent.get("p95_duration_ms")), "number", "p95"),
        Cell(_time(agent["last_run"], period), "when wide", "last run"),
    ]


def _slowest(figures: Figures) -> Markup:
    if not figures.slowest:
        return _nothing(text.NO_DURATION)
    rows = [
        [
            Cell(text.name(run["agent_name"])),
            Cell(duration(run["duration_ms"]), "number"),
            Cell(text.name(run["job_type"]), "text"),
            Cell(_status(run["status"]), "status"),
            Cell(_time(run["start_time"], figures.period), "when"),
            Cell(_run(run), "run"),
        ]
        for run in figures.slowest
    ]
    return table(["Agent", "Took", "Job", "Status", "Started", "Run"], rows, "slowest")


def _failing(figures: Figures) -> Markup:
    if not figures.failing:
        return _nothing(text.NO_FAILURE)
    rows = [
        [
            Cell(text.name(row["agent_name"])),
            Cell(f"{count(row['failed'])} of {count(row['runs'])}", "number", "failed"),
            Cell(text.name(row["job_type"]), "text"),
            Cell(_time(row["last_failure"], figures.period), "when"),
            Cell(text.clipped(row["error_summary"]), "text wide"),
        ]
        for row in figures.failing
    ]
    return table(["Agent", "Failed", "Job", "Last", "Latest error"], rows, "failing")


def _errors(figures: Figures) -> Markup:
    if not figures.errors:
        return _nothing(text.NO_FAILURE)
    rows = [
        [
            Cell(text.name(run["agent_name"])),
            Cell(_time(run["start_time"], figures.period), "when"),
            Cell(text.name(run["job_type"]), "text"),
            Cell(_status(run["status"]), "status"),
            Cell(text.clipped(run["error_summary"]), "text wide"),
            Cell(_run(run), "run"),
        ]
        for run in figures.errors
    ]
    return table(["Agent", "Started", "Job", "Status", "Error", "Run"], rows, "errors")


def _stale(figures: Figures) -> Markup:
    if not figures.stale:
        return _nothing(text.NO_STALE)
    rows = [
        [
            Cell(text.name(run["agent_name"])),
            Cell(run["reason"], "status"),
            Cell(text.name(run["job_type"]), "text"),
            Cell(_time(run["start_time"], figures.period), "when", "started"),
            Cell(_time(run["last_event_time"], figures.period), "when", "last heard of"),
            Cell(_run(run), "run"),
        ]
        for run in figures.stale
    ]
    titles = ["Agent", "Reason", "Job", "Started", "Last heard of", "Run"]
    more = text.how_many_more(figures)
    return together(
        table(titles, rows, "stale"),
        element("p", *_with_code(more), class_="note") if more else None,
    )


def _nothing(text: str) -> Markup:
    return element("p", text, class_="nothing")


def _time(moment: Any, period: Period) -> Any:
    if not moment:
        return ""
    return element("time", period.in_words(moment), datetime=moment, data_utc=moment, title=moment)


def _status(status: Any) -> Markup:
    known = text.name(status)
    return together(swatch(known), known)


def _run(run: Figure) -> Markup:
    return element("span", short_id(run["run_id"]), title=run["run_id"])


def _with_code(text: str) -> list[Any]:
    """Return text in which what stands between backquotes is code."""
    parts = text.split("`")
    return [element("code", part) if place % 2 else part for place, part in enumerate(parts)]
