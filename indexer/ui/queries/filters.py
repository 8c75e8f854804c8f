"""Turn the filter in an address into an SQL condition.

Called by the pages that list runs, and by their exports. The address is the whole state: a page
can be bookmarked, sent to a colleague, and opened as CSV or JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, Optional, Union

from telemetry_core.timestamp import canonical_time, format_time

STALE = "stale"
_LISTS = ("agent", "job", "status")
_COLUMNS = {"agent": "runs.agent_name", "job": "runs.job_type", "status": "runs.status"}
_SPAN = re.compile(r"(\d{1,6})(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COMPARISON = re.compile(r"([a-z_]{1,40})(<=|>=|!=|<|>|=)(\S{1,200})")
_MEASURE = re.compile(r"(-?\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_CALLS = (
    "FROM run_spans AS spans INDEXED BY run_spans_counted"
    " WHERE spans.run_id = runs.run_id AND spans.counted = 1"
)
_COST = f"(SELECT sum(coalesce(spans.cost_reported_usd, spans.cost_estimated_usd)) {_CALLS})"
_TOKENS = (
    "(SELECT total(spans.input_tokens) + total(spans.cache_read_tokens)"
    f" + total(spans.cache_write_tokens) + total(spans.output_tokens) {_CALLS})"
)
_NUMBERS = {
    "duration": "runs.duration_ms",
    "items": "runs.items_discovered",
    "succeeded": "runs.items_succeeded",
    "failed": "runs.items_failed",
    "skipped": "runs.items_skipped",
    "events": "runs.event_count",
    "cost": _COST,
    "tokens": _TOKENS,
}
_TEXTS = {
    name: f"runs.{name}"
    for name in (
        "host",
        "trigger_type",
        "item_name",
        "git_branch",
        "git_commit_hash",
        "git_repo",
        "environment",
        "agent_owner",
        "product",
        "platform",
        "website",
        "parent_run_id",
        "git_run_tag",
        "source_ref",
        "target_ref",
    )
}
_SEARCHED = (
    "run_id",
    "agent_name",
    "job_type",
    "item_name",
    "error_summary",
    "input_summary",
    "output_summary",
    "host",
)
_NO_PARENT = (
    "(runs.parent_run_id IS NULL OR NOT EXISTS"
    " (SELECT 1 FROM agent_runs AS above WHERE above.run_id = runs.parent_run_id))"
)


class Place(NamedTuple):
    """A place in the list of runs: that of one run, by start time and id."""

    start_time: str
    run_id: str


@dataclass(frozen=True)
class Condition:
    """A filter as SQL about `agent_runs AS runs`: what the index answers, and the rest."""

    since: Optional[str] = None
    until: Optional[str] = None
    parts: Sequence[str] = ()
    values: Sequence[Any] = ()


@dataclass(frozen=True)
class RunFilter:
    """Which runs are asked for."""

    agent: tuple[str, ...] = ()
    job: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    since: str = ""
    """A length of time before now (`24h`), or a moment."""
    until: str = ""
    text: str = ""
    """Words to be found, and comparisons such as `duration>2m`."""
    show: str = ""
    """`roots`, `all`, or empty: roots only where nothing is filtered."""
    in_events: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False)
    """By word, runs that have an event with it."""
    problems: tuple[str, ...] = field(default=(), compare=False)
    """What of the address was not understood."""

    @property
    def is_empty(self) -> bool:
        """Whether all runs match, but for time."""
        return not (self.agent or self.job or self.status or self.text)

    @property
    def has_roots_only(self) -> bool:
        """Whether runs inside other runs are left out."""
        return self.show == "roots" or (self.show != "all" and self.is_empty)


def parse_filter(query: Mapping[str, str], lists: Mapping[str, Sequence[str]]) -> RunFilter:
    """Return the filter of an address: `query` has the last value of each name, `lists` all.

    Names may stand several times or be separated by commas.
    """
    given = {
        name: tuple(
            word.strip()
            for value in lists.get(name, ())
            for word in value.split(",")
            if word.strip()
        )
        for name in _LISTS
    }
    since, until = query.get("since", ""), query.get("until", "")
    problems = [f"{value!r} is no time" for value in (since, until) if _moment(value) is None]
    return RunFilter(
        given["agent"],
        given["job"],
        given["status"],
        since,
        until,
        query.get("q", "").strip(),
        query.get("show", ""),
        problems=tuple(problems),
    )


def condition_of(runs: RunFilter) -> Condition:
    """Return a filter as SQL."""
    parts: list[str] = []
    values: list[Any] = []
    for name in _LISTS:
        wanted: tuple[str, ...] = getattr(runs, name)
        if wanted:
            options = [_matches(name, one) for one in wanted]
            parts.append(f"({' OR '.join(sql for sql, _ in options)})")
            values += [value for _, given in options for value in given]
    for word in runs.text.split():
        sql, given = _word(word, runs.in_events.get(word, ()))
        parts.append(sql)
        values += given
    if runs.has_roots_only:
        parts.append(_NO_PARENT)
    return Condition(_moment(runs.since) or None, _moment(runs.until) or None, parts, values)


def _matches(name: str, wanted: str) -> tuple[str, list[Any]]:
    if name == "status" and wanted == STALE:
        return "runs.run_id IN (SELECT run_id FROM stale_runs)", []
    if "*" in wanted:
        # GLOB has more wildcards than ours.
        pattern = "".join(f"[{c}]" if c in "[?" else c for c in wanted)
        return f"{_COLUMNS[name]} GLOB ?", [pattern]
    return f"{_COLUMNS[name]} = ?", [wanted]


def _word(word: str, in_events: Sequence[str]) -> tuple[str, list[Any]]:
    """Return the condition of one word: a comparison if it is one, else text to be found."""
    found = _COMPARISON.fullmatch(word)
    if found is not None:
        name, sign, value = found.groups()
        number = _number(value)
        if name in _NUMBERS and number is not None:
            # Text is greater than any number in SQLite; what is no number matches nothing.
            column = _NUMBERS[name]
            return f"(typeof({column}) IN ('integer', 'real') AND {column} {sign} ?)", [number]
        if name in _TEXTS and sign in ("=", "!="):
            return f"{_TEXTS[name]} {sign} ?", [value]
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    options = " OR ".join(f"runs.{name} LIKE ? ESCAPE '\\'" for name in _SEARCHED)
    if in_events:
        options += f" OR runs.run_id IN ({', '.join('?' * len(in_events))})"
    return f"({options})", [f"%{escaped}%"] * len(_SEARCHED) + list(in_events)


def _number(text: str) -> Union[float, int, None]:
    found = _MEASURE.fullmatch(text)
    if found is None:
        return None
    number, unit = found.groups()
    return float(number) * _MILLISECONDS[unit] if unit else float(number)


def _moment(text: str) -> Optional[str]:
    """Return a moment in the canonical spelling, empty for none; None if it is no moment."""
    if not text:
        return ""
    found = _SPAN.fullmatch(text)
    try:
        if found is not None:
            length = timedelta(**{_UNITS[found.group(2)]: int(found.group(1))})
            return format_time(datetime.now(timezone.utc) - length)
        return canonical_time(text)
    except (ValueError, OverflowError):
        return None
