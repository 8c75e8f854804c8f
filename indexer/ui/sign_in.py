"""Sign browsers in: one secret per base, one-time links made from it, and the cookie.

Called by the guard, which checks, and by the command line, which makes links. The secret lies in
config/ui.json under the base directory with mode 0600, so who can read it could read the log as
well; it survives a restart, and so do open tabs. The page of a fleet has config/ui-fleet.json: it
may be served beside the base's own.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import socket
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson

from indexer.system.atomic_file import write_atomically
from indexer.system.base import Base
from telemetry_core.storage import make_directory

_MOST_USED = 10_000


class Address(NamedTuple):
    """Where the page of a base was last served, and the secret that opens it."""

    secret: str
    url: str
    """As `http://127.0.0.1:8765`; empty if it was never served."""

    def link(self, path: str = "/") -> str:
        """Return an address that opens a page once, by anybody who has it."""
        return f"{self.url}{path}?token={_mint(self.secret)}"

    def is_served(self) -> bool:
        """Return whether something answers there now."""
        parts = urlsplit(self.url)
        if not parts.hostname or not parts.port:
            return False
        try:
            with socket.create_connection((parts.hostname, parts.port), timeout=1.0):
                return True
        except OSError:
            return False


def load_address(base: Base, *, of_fleet: bool = False) -> Address:
    """Return what the file of a page says; a secret of its own is made if there is none."""
    try:
        found = orjson.loads(_file(base, of_fleet).read_bytes())
        return Address(str(found["secret"]), str(found["url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Address(secrets.token_urlsafe(32), "")


def save_address(base: Base, address: Address, *, of_fleet: bool = False) -> None:
    """Write the file of a page. Raises OSError."""
    path = _file(base, of_fleet)
    make_directory(path.parent)
    write_atomically(path, orjson.dumps(address._asdict()))


def _file(base: Base, of_fleet: bool) -> Path:
    return base.directory / "config" / ("ui-fleet.json" if of_fleet else "ui.json")


def _digest(secret: str, purpose: str) -> str:
    mac = hmac.digest(secret.encode(), purpose.encode(), "sha256")
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def _mint(secret: str) -> str:
    head = f"{time.time_ns():x}.{secrets.token_urlsafe(9)}"
    return f"{head}.{_digest(secret, 'link ' + head)}"


class Door:
    """Who may come in: checks one-time tokens, cookies and bearer tokens."""

    def __init__(self, secret: str, port: int) -> None:
        self._secret = secret
        self._session = _digest(secret, "session")
        self._oldest = time.time_ns()
        self._used: set[str] = set()
        self.cookie_name = f"telemetry_{port}"
        """Named by port, for browsers send cookies to every port of a host."""

    def redeem(self, token: str) -> bool:
        """Return whether a link's token opens the door; each does once."""
        head, _, mac = token.rpartition(".")
        issued = head.partition(".")[0]
        if not _is_equal(mac, _digest(self._secret, "link " + head)) or head in self._used:
            return False
        # Those from before this server began may have been used with another.
        if int(issued, 16) < self._oldest:
            return False
        if len(self._used) >= _MOST_USED:
            self._oldest = time.time_ns()
            self._used.clear()
        self._used.add(head)
        return True

    def set_cookie(self) -> str:
        """Return the header that has a browser keep the session."""
        return f"{self.cookie_name}={self._session}; Path=/; HttpOnly; SameSite=Strict"

    def knows_cookie(self, header: str) -> bool:
        """Return whether a Cookie header has our session in it."""
        pairs = (pair.strip().partition("=") for pair in header.split(";"))
        return any(
            name == self.cookie_name and _is_equal(value, self._session) for name, _, value in pairs
        )

    def knows_bearer(self, header: str) -> bool:
        """Return whether an Authorization header has the secret itself."""
        scheme, _, value = header.partition(" ")
        return scheme.lower() == "bearer" and _is_equal(value.strip(), self._secret)


def _is_equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())
