"""Choose which centre is read, and say so in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Optional
from urllib.parse import urlsplit

from indexer.fleet.errors import (
    FleetError,
    FleetNotChosen,
    FleetNotConfigured,
    FleetRefused,
    FleetRequestInvalid,
    FleetUnreachable,
)
from indexer.outbox.target import Target
from indexer.outbox.targets import load_targets
from indexer.system.base import Base

_HINTS: dict[type[FleetError], str] = {
    FleetUnreachable: (
        "See that the server runs and can be reached from here; without --fleet the command reads"
        " this host's own database"
    ),
    FleetRefused: (
        "Set TELEMETRY_FLEET_USER and TELEMETRY_FLEET_TOKEN to an account that may SELECT from the"
        " database; `telemetry docs fleet` says more"
    ),
    FleetRequestInvalid: (
        "Run `telemetry fleet init` to bring the centre's tables and views up to date, and see that"
        " the account may change settings (readonly = 2, not 1)"
    ),
}


def chosen_centre(base: Base, name: Optional[str] = None) -> Target:
    """Return the target of a name, or the only one of kind clickhouse.

    Raises FleetNotConfigured or FleetNotChosen.
    """
    loaded = load_targets(base)
    names = ", ".join(one.name for one in loaded.centres)
    if not loaded.centres:
        wrong = "".join(f"; {problem}" for problem in loaded.problems)
        raise FleetNotConfigured(f"no target of kind clickhouse is configured here{wrong}")
    if name is None and len(loaded.centres) > 1:
        raise FleetNotChosen(f"several targets of kind clickhouse are configured: {names}")
    for one in loaded.centres:
        if name in (None, one.name):
            return one
    raise FleetNotChosen(f"no target of kind clickhouse is called {name!r}; there is {names}")


def in_words(target: Target) -> str:
    """Return which fleet this is: `fleet NAME at HOST`."""
    return f"fleet {target.name} at {urlsplit(target.shown_address).netloc}"


@contextmanager
def explaining(target: Target) -> Iterator[None]:
    """Have errors say which fleet they are about, and what a reader can do."""
    try:
        yield
    except FleetError as error:
        raise _explained(target, error) from None


def _explained(target: Target, error: FleetError) -> FleetError:
    """Return an error with the fleet it is about, and what somebody who reads can do about it."""
    said = type(error)(f"{in_words(target)}: {error.args[0] if error.args else ''}")
    said.code = error.code
    said.hint = _HINTS.get(type(error), error.hint)
    return said
