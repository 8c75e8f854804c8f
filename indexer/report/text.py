"""The words of a report: what page and Markdown both say, as plain text.

Called by both. Text that agents wrote is in it as they wrote it: escaping is for those who
know what they write into.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from indexer.report.figures import Figure, Figures
from indexer.report.period import Period, day_in_words, moment_in_words, zone_in_words
from indexer.terminal.format import count, duration, many

NOBODY = "(no name)"
_LONGEST_TEXT = 300
_DASH = "\u2013"

SUCCESS_NOTE = (
    "Success is the share of the runs that have ended. A timeout counts as a failure. Half of an"
    " agent\u2019s runs were done within p50, 95 of 100 within p95."
)
SLOWEST_NOTE = "The longest durations of runs that have ended."
FAILING_NOTE = "Agents and jobs by how many of their runs failed, each with its latest error."
ERRORS_NOTE = "Newest first. `telemetry show` and the end of an id gives the whole run."
STALE_NOTE = (
    "As it was when this was made, whenever the run began: it never ended, and its process is"
    " gone or it has been silent for too long."
)
NO_RUNS = "No runs in this period."
NO_AGENT = "No agent ran in this period."
NO_DURATION = "No run of this period has a duration."
NO_FAILURE = "Nothing failed in this period."
NO_STALE = "No run is stale."


class Origin(NamedTuple):
    """Where a report comes from."""

    base: str
    host: str
    version: str
    made_at: str


class Headline(NamedTuple):
    """One of the figures at the top."""

    name: str
    value: str
    change: str
    """What it was in the period before; empty if there is nothing to say."""


def title(period: Period) -> str:
    """Return the days that a period is about."""
    first, last = day_in_words(period.since), day_in_words(period.until)
    if first == last:
        return first
    same_year = first[-4:] == last[-4:]
    return f"{first[:-6] if same_year else first} {_DASH} {last}"


def span(period: Period) -> str:
    """Return a period to the minute, with its zone."""
    bounds = f"{moment_in_words(period.since)} {_DASH} {moment_in_words(period.until)}"
    return f"{bounds}, local time ({zone_in_words(period.until)})"


def bars_note(period: Period) -> str:
    """Return where the bars begin and end: the outer ones may stand for a part of a day only."""
    first, last = period.in_words(period.since), period.in_words(period.until)
    return f"The first bar begins {first}; the last ends {last}."


def lead(figures: Figures) -> str:
    """Return the report in a few sentences."""
    totals = figures.totals
    if not totals["runs"]:
        return f"No runs started in this period.{_stale(figures)}"
    runs, agents = many(totals["runs"], "run"), many(totals["agents"], "agent")
    events = many(totals["events"], "event")
    return f"{runs} by {agents} recorded {events}. {_outcome(totals)}{_stale(figures)}"


def headlines(figures: Figures) -> list[Headline]:
    """Return the figures at the top."""
    now, before = figures.totals, figures.before
    return [
        Headline("Runs", count(now["runs"]), _change(now["runs"], before["runs"])),
        Headline(
            "Successful",
            rate_in_words(now["success_rate"]),
            _points(now["success_rate"], before["success_rate"]),
        ),
        Headline("Failed", count(now["failed"]), _change(now["failed"], before["failed"])),
        Headline("Half done within", *_lengths(now, before, "p50_duration_ms")),
        Headline("95 of 100 within", *_lengths(now, before, "p95_duration_ms")),
        Headline("Stale now", count(figures.stale_count), ""),
    ]


def name(value: Any) -> str:
    """Return what an agent or a job is called."""
    return NOBODY if value is None or value == "" else str(value)


def clipped(value: Any) -> str:
    """Return a text of an agent's, no longer than a page has room for."""
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}\u2026"


def rate_in_words(rate: Optional[float]) -> str:
    """Return a rate as a percentage that says 100 only of all and 0 only of none."""
    if rate is None:
        return _DASH
    if 0.995 <= rate < 1 or 0 < rate < 0.005:
        return f"{min(max(100 * rate, 0.1), 99.9):.1f}%"
    return f"{rate:.0%}"


def others_in_words(figures: Figures) -> str:
    """Return what the agents are called that have no row of their own."""
    return many(figures.others["agents"], "other agent") if figures.others else ""


def how_many_more(figures: Figures) -> str:
    """Return a sentence on the stale runs that are not listed, or nothing."""
    more = figures.stale_count - len(figures.stale)
    return f'And {count(more)} more: `telemetry sql "SELECT * FROM stale_runs"`.' if more else ""


def made(origin: Origin) -> str:
    """Return where and when a report was made."""
    return (
        f"Made {moment_in_words(origin.made_at)} ({zone_in_words(origin.made_at)}) on"
        f" {origin.host} from {origin.base}, by local-telemetry {origin.version}."
    )


def _outcome(totals: Figure) -> str:
    rate, failed = totals["success_rate"], totals["failed"]
    if rate is None:
        return "None of them has ended yet."
    return (
        f"Of those that have ended, {rate_in_words(rate)} were successful,"
        f" and {count(failed) if failed else 'none'} failed."
    )


def _stale(figures: Figures) -> str:
    number = figures.stale_count
    if not number:
        return ""
    return f" {many(number, 'run')} {'is' if number == 1 else 'are'} stale."


def _lengths(now: Figure, before: Figure, column: str) -> tuple[str, str]:
    value, earlier = now[column], before[column]
    return duration(value) or _DASH, f"before: {duration(earlier)}" if earlier is not None else ""


def _change(now: int, before: int) -> str:
    return f"before: {count(before)}" if now or before else ""


def _points(now: Optional[float], before: Optional[float]) -> str:
    return f"before: {rate_in_words(before)}" if before is not None and now is not None else ""
