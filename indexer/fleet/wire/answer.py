"""Decide what an answer of ClickHouse means: done, again later, or what an operator must fix. Pure.

The error's code is in a header of its own; the HTTP status alone misleads.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Optional

from indexer.fleet.errors import (
    FleetError,
    FleetNotReady,
    FleetRefused,
    FleetRequestInvalid,
    FleetUnreachable,
)

CODE_HEADER = "X-ClickHouse-Exception-Code"

_LATER_STATUSES = frozenset((408, 425, 429, 502, 503, 504))
_NO_ACCESS = frozenset((192, 193, 194, 497, 516))
_NOTHING_THERE = frozenset((60, 81))
_TOO_MUCH = frozenset((159, 160, 202, 209, 210, 241, 242, 252, 425))
"""Time, load, memory, parts, replicas: the server is well, and cannot now."""
_CUT_SHORT = 33


def error_of(status: int, code: str, retry_after: Optional[float] = None) -> Optional[FleetError]:
    """Return what is wrong, None if the request was carried out.

    `code` is the text of the header, empty where there is none.
    """
    number = int(code) if code.isascii() and code.isdigit() else 0
    if 200 <= status < 300 and not number:
        return None
    error = _error(status, number)
    error.retry_after = retry_after
    error.code = number
    return error


def is_too_large(status: int) -> bool:
    """Whether the request has to be sent in smaller parts."""
    return status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def _error(status: int, code: int) -> FleetError:
    said = f"HTTP {status}" + (f", ClickHouse error {code}" if code else "")
    if code in _NO_ACCESS or (status in (401, 403) and code not in _NOTHING_THERE):
        return FleetRefused(f"the centre refuses access ({said})")
    if code in _NOTHING_THERE:
        return FleetNotReady(f"the centre has no such database or table ({said})")
    if code in _TOO_MUCH or status in _LATER_STATUSES:
        return FleetUnreachable(f"the centre cannot answer now ({said})")
    if code == _CUT_SHORT or 400 <= status < 500:
        return FleetRequestInvalid(f"the centre does not understand the request ({said})")
    return FleetUnreachable(f"the centre answered with an error ({said})")
