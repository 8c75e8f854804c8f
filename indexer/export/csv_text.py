"""Format CSV lines, with cells quoted by RFC 4180, and NULL distinct from an empty text.

Called by the export and by `telemetry sql`. Pure. Python's own writer leaves a lone carriage
return unquoted, which readers take for the end of the row, and can't tell NULL from empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_NEEDS_QUOTES = re.compile('[",\r\n]')
# What a spreadsheet takes for the beginning of a formula, the wide forms among it, also after
# apostrophes: those are our marks, or would be taken for one.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def csv_line(values: Iterable[Any]) -> str:
    """Return a row as a line with its end: NULL is nothing, an empty text is `""`."""
    return ",".join(map(_cell, values)) + "\n"


def defused(value: Any) -> Any:
    """Return a value that no spreadsheet runs: an apostrophe goes before what looks like a formula.

    Numbers stay numbers, in text too. A cell that begins with apostrophes and what they hold
    back is put right again by taking away the first of them.
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value):
        return value
    return "'" + value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    if value == "" or _NEEDS_QUOTES.search(value):
        return '"' + value.replace('"', '""') + '"'
    return value
