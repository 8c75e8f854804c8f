"""The sentences of a report, as plain text for both of its forms.

Text that agents wrote is in it as they wrote it: the templates escape it.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from indexer.report.model import Figures, PeriodTotals
from indexer.report.period import Period, day_in_words, moment_in_words, zone_in_words
from indexer.terminal.format import count, duration, many, percent

NO_NAME = "(no name)"
_LONGEST_TEXT = 300
_DASH = "\u2013"


class Origin(NamedTuple):
    """Where a report comes from."""

    base: str
    host: str
    version: str
    made_at: str
    link: str = ""
    """The address of the live page, without a slash at its end; empty for no links to it."""


class Headline(NamedTuple):
    """One of the figures at the top."""

    name: str
    value: str
    before: str
    """The figure of the period before; empty if there is nothing to say."""


def title(period: Period) -> str:
    """Return the days that a period covers."""
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
    """Return where the bars start and end: the outer ones may cover only part of a day."""
    first, last = period.in_words(period.since), period.in_words(period.until)
    return f"The first bar starts {first}; the last ends {last}."


def lead(figures: Figures) -> str:
    """Return the report in a few sentences."""
    total = figures.totals
    if not total.runs:
        return f"No runs started in this period.{_stale(figures)}"
    runs = many(total.runs, "root run" if figures.is_of_roots else "run")
    agents, events = many(total.agents, "agent"), many(total.events, "event")
    return f"{runs} by {agents} recorded {events}. {_outcome(total)}{_stale(figures)}"


def headlines(figures: Figures) -> list[Headline]:
    """Return the figures at the top."""
    now, before = figures.totals, figures.before
    return [
        Headline("Runs", count(now.runs), _number_before(now.runs, before.runs)),
        Headline(
            "Successful",
            rate(now.success_rate),
            _rate_before(now.success_rate, before.success_rate),
        ),
        Headline("Failed", count(now.failed), _number_before(now.failed, before.failed)),
        Headline("Median", *_durations(now.p50_duration_ms, before.p50_duration_ms)),
        Headline("p95", *_durations(now.p95_duration_ms, before.p95_duration_ms)),
        Headline("Stale now", count(figures.stale_count), ""),
    ]


def counted(figures: Figures) -> str:
    """Return which runs a report counts."""
    if not figures.is_of_roots:
        return "All runs are counted, nested ones included."
    left_out = figures.nested_left_out
    if not left_out:
        return "Root runs are counted."
    verb = "is" if left_out == 1 else "are"
    return (
        f"Root runs are counted; {many(left_out, 'run')} nested in them {verb} not. The option"
        " --nested counts all."
    )


def name(value: Any) -> str:
    """Return the name of an agent or a job."""
    return NO_NAME if value is None or value == "" else str(value)


def clipped(value: Any) -> str:
    """Return a text of an agent, cut to the room that a page has."""
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}\u2026"


def rate(value: Optional[float]) -> str:
    """Return a rate as a percentage, or a dash for none."""
    return percent(value) or _DASH


def how_many_more(figures: Figures) -> str:
    """Return a sentence on the stale runs that are not listed, or nothing."""
    more = figures.stale_count - len(figures.stale)
    return f"And {count(more)} more: `telemetry runs --status stale -n 0`." if more else ""


def made(origin: Origin) -> str:
    """Return where and when a report was made."""
    return (
        f"Made {moment_in_words(origin.made_at)} ({zone_in_words(origin.made_at)}) on"
        f" {origin.host} from {origin.base}, by local-telemetry {origin.version}."
    )


def _outcome(total: PeriodTotals) -> str:
    if total.success_rate is None:
        return "None of them has ended yet."
    failed = count(total.failed) if total.failed else "none"
    return (
        f"Of those that are no longer running, {rate(total.success_rate)} were successful, and"
        f" {failed} failed."
    )


def _stale(figures: Figures) -> str:
    number = figures.stale_count
    if not number:
        return ""
    return f" {many(number, 'run')} {'is' if number == 1 else 'are'} stale."


def _durations(now: Optional[float], before: Optional[float]) -> tuple[str, str]:
    return duration(now) or _DASH, "" if before is None else f"before: {duration(before)}"


def _number_before(now: int, before: int) -> str:
    return f"before: {count(before)}" if now or before else ""


def _rate_before(now: Optional[float], before: Optional[float]) -> str:
    return f"before: {rate(before)}" if before is not None and now is not None else ""
