"""Run fields as the client sends them: what an agent gave, put right where that is certain.

Called by the client for every run event. Unknown fields are kept as they came; the fold gives
them their place. A name or status that is probably misspelled is reported once.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any

from telemetry_core import notices
from telemetry_core.degrade import text_of
from telemetry_core.outcome import MAX_DETAILS, cut, one_line
from telemetry_core.redaction import without_torn_secret
from telemetry_core.run_fields import RUN_FIELD_NAMES, TIME_FIELDS
from telemetry_core.spelling import nearest
from telemetry_core.status import ALIASES, STATUSES, normalise_status
from telemetry_core.timestamp import format_time

ALERT_LEVELS = ("info", "warning", "error", "critical")
_MAX_ALERT_TEXT = 10_000
_MAX_SUMMARY_TEXT = 10_000
"""Characters of input_summary and output_summary."""
_MAX_KNOWN_ODD = 1_000
_odd_names: set[str] = set()


def run_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of one event: nulls left out, times and statuses in their one spelling.

    A null says nothing in an event: leaving it out is the same, and shorter.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    if not fields.keys() <= RUN_FIELD_NAMES:
        _report_misspelled(fields.keys() - RUN_FIELD_NAMES)
    if "status" in fields:
        fields["status"] = status_text(fields["status"])
    for name in fields.keys() & TIME_FIELDS:
        fields[name] = time_value(fields[name])
    _bound_summaries(fields)
    return fields


def alert_fields(title: Any, text: Any, level: Any) -> dict[str, Any]:
    """Return the data of an alert: one line, a bounded text, and a level that is known."""
    spelled = plain_text(level).lower()
    fields = {
        "title": one_line(plain_text(title)),
        "level": spelled if spelled in ALERT_LEVELS else "warning",
    }
    if text:
        fields["text"] = without_torn_secret(plain_text(text), _MAX_ALERT_TEXT)
    return fields


def status_text(given: Any) -> str:
    """Return a status as text by its own name; an unknown one is kept, and reported once."""
    status = normalise_status(plain_text(given))
    if status not in STATUSES:
        likely = nearest(status, (*STATUSES, *ALIASES))
        meant = f", did you mean {normalise_status(likely)!r}?" if likely else ""
        notices.hint_once(
            f"status {status[:100]}",
            f"{status[:100]!r} is not a status that is known{meant} Known are: "
            f"{', '.join(STATUSES)}",
        )
    return status


def plain_text(given: Any) -> str:
    """Return a value as text: an enum by its value, None as an empty text."""
    if type(given) is str:
        return given
    if isinstance(given, enum.Enum):
        given = given.value
    if isinstance(given, str):
        return str(given)
    return "" if given is None else text_of(given)


def time_value(given: Any) -> Any:
    """Return a `datetime` as canonical UTC text; a naive one is local time, as in Python itself.

    Text and numbers stay as they are: the fold reads them.
    """
    if isinstance(given, dt.datetime):
        try:
            return format_time(given.astimezone(dt.timezone.utc))
        except (OSError, OverflowError, ValueError):
            # A year that the system's calendar has no place for.
            return given
    return given


def _bound_summaries(fields: dict[str, Any]) -> None:
    error = fields.get("error_summary")
    if isinstance(error, str):
        fields["error_summary"] = line = one_line(error)
        if len(line) < len(error.strip()):
            fields.setdefault("error_details", cut(error, MAX_DETAILS))
    for name in ("input_summary", "output_summary"):
        text = fields.get(name)
        if isinstance(text, str):
            fields[name] = cut(text, _MAX_SUMMARY_TEXT)


def _report_misspelled(names: set[str]) -> None:
    for name in names - _odd_names:
        if len(_odd_names) >= _MAX_KNOWN_ODD or not isinstance(name, str):
            return
        _odd_names.add(name)
        likely = nearest(name, RUN_FIELD_NAMES)
        if likely:
            notices.hint_once(
                f"field {name}",
                f"{name[:100]!r} is not a run field, did you mean {likely!r}?"
                " It is kept in context_json or metrics_json.",
            )
