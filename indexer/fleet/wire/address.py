"""Say where the centre is, and who we are there. No text that is made of it shows a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional
from urllib.parse import urlsplit

from indexer.fleet.errors import FleetAddressInvalid
from indexer.outbox.settings_file import FLEET_TOKEN_VARIABLE, FLEET_USER_VARIABLE
from indexer.outbox.target import Target
from telemetry_core.config import without_secrets

DEFAULT_TIMEOUT = 30.0


@dataclass(frozen=True)
class FleetAddress:
    """One database of one server, and the credentials for it."""

    url: str = field(repr=False)
    database: str
    user: Optional[str] = field(default=None, repr=False)
    token: Optional[str] = field(default=None, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    """Seconds for an answer to begin, and between its parts."""

    @property
    def shown(self) -> str:
        """The address without user, password and query."""
        return without_secrets(self.url)


def address_from(
    url: str, database: str, environ: Mapping[str, str], timeout: float = DEFAULT_TIMEOUT
) -> FleetAddress:
    """Return the address with the environment's credentials. Raises FleetAddressInvalid."""
    return checked(
        FleetAddress(
            url.strip(),
            database.strip(),
            environ.get(FLEET_USER_VARIABLE) or None,
            environ.get(FLEET_TOKEN_VARIABLE) or None,
            timeout,
        )
    )


def address_of(target: Target) -> FleetAddress:
    """Return the address of a target of kind clickhouse. Raises FleetAddressInvalid."""
    options = dict(target.options)
    return checked(
        FleetAddress(
            target.address,
            options["database"],
            options["user"] or None,
            target.token,
            target.timeout,
        )
    )


def checked(address: FleetAddress) -> FleetAddress:
    """Return the address if it can be used. Raises FleetAddressInvalid."""
    try:
        parts = urlsplit(address.url)
        is_named = bool(parts.hostname)
    except ValueError:
        raise FleetAddressInvalid("the URL of the centre cannot be parsed") from None
    if parts.scheme not in ("http", "https") or not is_named:
        raise FleetAddressInvalid("the URL of the centre is not an http or https address")
    if parts.username or parts.password or parts.query:
        raise FleetAddressInvalid(
            "the URL of the centre has a user, a password or a query: set"
            f" {FLEET_USER_VARIABLE} and {FLEET_TOKEN_VARIABLE} instead"
        )
    if not address.database:
        raise FleetAddressInvalid("no database of the centre is named")
    for value in (address.user, address.token):
        if value and not (value.isascii() and value.isprintable() and value == value.strip()):
            raise FleetAddressInvalid(
                f"{FLEET_USER_VARIABLE} or {FLEET_TOKEN_VARIABLE} has characters that no header can"
                " carry: fix it"
            )
    return address
