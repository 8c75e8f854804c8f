"""Normalise values of run fields to what their columns store.

Pure. What is not of the wanted kind is kept as it is, or is None.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Callable, Optional

import orjson

from telemetry_core.status import STATUSES, normalise_status
from telemetry_core.timestamp import canonical_time, format_time, moment_of

# Seconds since 1970 in the years 1973 to 5138: agents that give a number give this one.
_EPOCH_SECONDS = (10**8, 10**11)
_INT64 = range(-(2**63), 2**63)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,30}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", re.ASCII)


def context_of(value: Any) -> dict[str, Any]:
    """Return a context: an object, or JSON text of one; anything else is kept under a name."""
    parsed = _parsed(value)
    return parsed if isinstance(parsed, dict) else {"context": parsed}


def object_in(value: Any) -> Optional[dict[str, Any]]:
    """Return the object that a value is, or JSON text of; None for all else."""
    parsed = _parsed(value)
    return parsed if isinstance(parsed, dict) else None


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        parsed = orjson.loads(value)
        # It may nest deeper than it can be written again; then it stays the text it is.
        orjson.dumps({"context": parsed})
    except orjson.JSONEncodeError:
        return value
    except orjson.JSONDecodeError as error:
        return _parsed_with_less_memory(value) if "memory" in str(error).lower() else value
    return parsed


def _parsed_with_less_memory(value: str) -> Any:
    """Parse what orjson had no memory for: it says so of absurd nesting too, whatever there is."""
    try:
        parsed = json.loads(value)
        orjson.dumps({"context": parsed})
    except (ValueError, RecursionError, orjson.JSONEncodeError):
        return value
    return parsed


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def sum_of(known: Any, value: float) -> Any:
    """Return what is there and a number; what is no number is not added to."""
    if known is not None and not is_number(known):
        return known
    total = value if known is None else known + value
    # Beyond SQLite's range of whole numbers a sum is as good as a fraction can be.
    return float(total) if type(total) is int and total not in _INT64 else total


def text_of(value: Any) -> Optional[str]:
    """Return a text as it is, and anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def time_of(value: Any) -> Optional[str]:
    """Return a time in its canonical spelling, None for what is none."""
    if isinstance(value, (int, float)) and _EPOCH_SECONDS[0] <= value < _EPOCH_SECONDS[1]:
        return format_time(moment_of(value))
    try:
        return canonical_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _time_or_text(value: Any) -> Optional[str]:
    return time_of(value) or text_of(value)


def number_of(value: Any) -> Optional[float]:
    """Return the number that a value is, or text of; None for what is none.

    Whole where it is whole, and in SQLite's range; beyond it, a fraction as good as one can be.
    """
    if type(value) is int and value in _INT64:
        return value
    if isinstance(value, str):
        value = _number_in(value.strip())
    if isinstance(value, int):
        return int(value) if value in _INT64 else float(value)
    if not isinstance(value, float) or not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _number_in(text: str) -> Optional[float]:
    if _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def status_of(value: Any) -> Optional[str]:
    """Return a status by its own name; an unknown one is returned unchanged.

    Of an enumeration's member, as in `Status.FAILED`, the last part counts where it is a status.
    """
    if type(value) is str and value in STATUSES:
        return value
    text = text_of(value)
    if text is None:
        return None
    last = normalise_status(text.rpartition(".")[2].strip().lower())
    return last if last in STATUSES else text


def json_of(value: Any) -> Optional[str]:
    """Return a value as valid JSON; text is kept as it is where it is valid JSON already.

    The names that JSON lacks (NaN, Infinity) become null.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        return orjson.dumps(value).decode()
    if _parsed(value) is not value or _is_json_text(value):
        return value
    try:
        lenient = json.loads(value, parse_constant=lambda _: None)
        return orjson.dumps(lenient).decode()
    except (ValueError, RecursionError, orjson.JSONEncodeError):
        return orjson.dumps(value).decode()


def _is_json_text(value: str) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


NORMALISE: dict[str, Callable[[Any], Any]] = {
    "text": text_of,
    "time": _time_or_text,
    "integer": number_of,
    "json": json_of,
}
"""How a value of each kind of field is stored."""
