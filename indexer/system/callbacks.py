"""Define what long work calls back: how far it is, and whether to stop."""

from __future__ import annotations

from typing import Callable

Progress = Callable[[int], None]
"""Called with each amount done, in bytes unless said otherwise."""

ShouldStop = Callable[[], bool]
"""Asked between steps; once it returns true, the work ends early."""


def no_progress(_amount: int) -> None:
    """Ignore progress."""


def never_stop() -> bool:
    """Never stop."""
    return False
