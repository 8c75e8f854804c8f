"""Find the name that somebody probably meant.

Called by the client for names of fields and statuses, and by `telemetry doctor` for those that
are in the database already. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

_CLOSE_ENOUGH = 0.84
"""Of 1.0: `item_succeeded` and `statsu` are, `items_total` for `items_failed` is not."""


def nearest(name: str, known: Iterable[str]) -> Optional[str]:
    """Return the one of `known` that `name` is a likely misspelling of, None if none is."""
    # Imported here: most names are spelled well.
    import difflib

    plain = name.strip().lower().replace("-", "_")[:100]
    found = difflib.get_close_matches(plain, list(known), n=1, cutoff=_CLOSE_ENOUGH)
    return found[0] if found else None
