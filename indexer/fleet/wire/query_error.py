"""Say what the server says about a query that a person wrote. Pure.

Of our own statements no answer is repeated, for it may quote what was sent. Of a person's query
the answer quotes what that person wrote, and is of use to nobody else.
"""

from __future__ import annotations

import re
from typing import Optional

from indexer.fleet.errors import FleetError, FleetQueryFailed

READ_ONLY = 164
_SIGN_IN = frozenset((192, 193, 194, 516))
_TOO_LONG = 159
_TOO_MUCH = frozenset((158, 241, 307, 396))
_UNKNOWN_NAME = frozenset((16, 47, 60))
_LONGEST = 1_000
_FRAME = re.compile(r"Code: \d+\. |DB::Exception: |\(version [^)]*\)")
_READS_ALONE = "The centre is read-only here; a query may not change settings either"
_LESS = "Select less: a LIMIT, fewer columns, a condition on time"
_HINTS = {READ_ONLY: _READS_ALONE, _TOO_LONG: "`--timeout` allows more"}


def of_query(error: FleetError, content: bytes, token: Optional[str]) -> FleetError:
    """Return an error with the server's words, unless it is not about the query.

    `token` is shown nowhere, whatever the server answers.
    """
    if not error.code or error.code in _SIGN_IN:
        return error
    said = content[: 4 * _LONGEST].decode("utf-8", "replace")
    if token:
        said = said.replace(token, "***")
    text = " ".join(_FRAME.sub("", said).split())[:_LONGEST].rstrip(". ")
    failed = FleetQueryFailed(text or str(error))
    failed.code = error.code
    failed.hint = _hint(error.code)
    return failed


def too_long(most_bytes: float) -> FleetQueryFailed:
    """Return the error on an answer that is longer than what is read."""
    failed = FleetQueryFailed(f"the result has more than {most_bytes / 1e6:.0f} MB")
    failed.hint = _LESS
    return failed


def _hint(code: int) -> str:
    if code in _TOO_MUCH:
        return _LESS
    if code in _UNKNOWN_NAME:
        return "`telemetry sql --fleet .schema` has the tables, views and columns"
    return _HINTS.get(code, "")
