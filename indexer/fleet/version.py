"""Decide which of two rows with one key is newer: the one that knows more events.

Sets of events only grow, so that more events is newer, whichever came first.
"""

from __future__ import annotations

FOLD_VERSION = 1
"""Raised when the fold or a translator makes other rows of the same events: among hosts with
different versions of this program the newer one's rows stay."""

_FOLDS = 1 << 16


def version_of(events: int) -> int:
    """Return the version of rows that were made from so many events of their run."""
    return events * _FOLDS + FOLD_VERSION


def events_of(version: int) -> int:
    """Return from how many events rows of a version were made."""
    return version // _FOLDS


def is_newer_fold(version: int) -> bool:
    """Whether rows of a version were made by a newer program than this."""
    return version % _FOLDS > FOLD_VERSION
