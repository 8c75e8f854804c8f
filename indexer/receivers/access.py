"""Decide whose requests are accepted.

Called by the application, before anything of a body is read. On a loopback address the Host
header has to name this machine, whole, and no page of a browser is answered: it could be anybody's.
On any other address, and wherever one is set, a token decides.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import NamedTuple, Optional

from starlette.datastructures import Headers

LEAST_TOKEN = 16
"""Characters that a token must have."""


class NotAllowed(NamedTuple):
    """Why a request is not taken."""

    status: int
    message: str


class Access:
    """Who may send to one address."""

    def __init__(self, host: str, port: int, token: str = "") -> None:
        """Raises ValueError for an address of others without a token, or with a short one."""
        self._is_loopback = is_loopback(host)
        if not self._is_loopback and not token:
            raise ValueError(
                f"{host} can be reached by others: set TELEMETRY_RECEIVE_TOKEN, or use 127.0.0.1"
            )
        if token and len(token) < LEAST_TOKEN:
            raise ValueError(f"the token has to have {LEAST_TOKEN} characters or more")
        self._token = f"Bearer {token}".encode() if token else b""
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"}

    def refuses(self, headers: Headers) -> Optional[NotAllowed]:
        """Return why a request with these headers is not taken, None for one that is."""
        if headers.get("origin") is not None:
            return NotAllowed(403, "requests of web pages are not taken")
        hosts = headers.getlist("host")
        if self._is_loopback and (len(hosts) != 1 or hosts[0].lower() not in self._hosts):
            return NotAllowed(403, "the Host header does not name this receiver")
        given = headers.get("authorization", "").encode("utf-8", "replace")
        if self._token and not hmac.compare_digest(given, self._token):
            return NotAllowed(401, "send the header `Authorization: Bearer TOKEN`")
        return None


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
