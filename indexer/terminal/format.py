"""Format values for people: sizes, durations, local times, text that is safe to print.

Used for terminals and plain tables, never for JSON. A value of an unexpected type is shown as it
is.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime, timezone
from typing import Any, Optional

import click

from telemetry_core.timestamp import parse_time

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SHOWN = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def count(number: Any) -> str:
    """Return a number with thousands separators."""
    return f"{number:,}" if isinstance(number, (int, float)) else plain(number)


def many(number: int, noun: str) -> str:
    """Return a number and a noun, in the plural if need be."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def percent(rate: Optional[float]) -> str:
    """Return a rate as a percentage that is 100 only for all and 0 only for none."""
    if rate is None:
        return ""
    if 0.995 <= rate < 1 or 0 < rate < 0.005:
        return f"{min(max(100 * rate, 0.1), 99.9):.1f}%"
    return f"{rate:.0%}"


def size(number: int) -> str:
    """Return a number of bytes in decimal units."""
    value, unit = float(number), _UNITS[0]
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"


def duration(milliseconds: Any) -> str:
    """Return a number of milliseconds in its two largest units."""
    if not isinstance(milliseconds, (int, float)):
        return plain(milliseconds)
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def local_time(text: Any, short: bool = False) -> str:
    """Return a time in the local zone; `short` leaves out the date if it is today."""
    try:
        moment = parse_time(text).astimezone()
    except (TypeError, ValueError, OverflowError, AttributeError):
        return plain(text)
    if not short:
        return moment.strftime("%Y-%m-%d %H:%M:%S")
    today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%b %d %H:%M")


def seconds_since(text: Any) -> float:
    """Return how many seconds ago a time was; infinity for what is not a time."""
    try:
        return (datetime.now(timezone.utc) - parse_time(text)).total_seconds()
    except (TypeError, ValueError, AttributeError):
        return float("inf")


def ago(text: Any) -> str:
    """Return how long ago a time was."""
    seconds = seconds_since(text)
    return "never" if seconds == float("inf") else f"{duration(max(0.0, seconds) * 1000)} ago"


def plain(value: Any) -> str:
    """Return any value as one line of text that a terminal can't act on."""
    if value is None:
        return ""
    text = value.hex() if isinstance(value, bytes) else str(value)
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def width(text: str) -> int:
    """Return how many cells a text takes up at a terminal."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _visible(character: str) -> str:
    if character in _SHOWN or unicodedata.category(character) not in _INVISIBLE:
        return _SHOWN.get(character, character)
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


def warn(text: str) -> None:
    """Print a warning on stderr; nothing for an empty text."""
    if text:
        click.echo(f"warning: {text}", err=True)
