"""Deliver to a Google sheet, by a web app of Apps Script: docs/google-sheets.md has the script.

A script cannot see request headers, so token and key go in the body. Google runs the script at the
POST, and answers with a redirect to where its answer can be fetched, once, by GET. A script that
throws an exception answers with a page of HTML, and status 200.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import orjson

from indexer.export.csv_text import defused
from indexer.forward.kinds.http import REQUIREMENT, read_capped
from indexer.forward.kinds.http_client import ReplaceableClient, client_to
from indexer.outbox.attempt import (
    DELIVERED,
    FAILED,
    REJECTED,
    UNAUTHORIZED,
    AttemptResult,
    result_of_status,
)
from indexer.outbox.parcel import Parcel
from indexer.outbox.payload import cut
from indexer.outbox.target import Target

__all__ = ["REQUIREMENT", "SheetsTransport", "transport_to"]

MAX_CELL_CHARACTERS = 49_000
"""Google's limit is 50,000, for the text as the script writes it: with a quote before it."""

_SCRIPT_HAS_RUN = (302, 303)
_GOOGLE_HOSTS = ("google.com", "googleusercontent.com")
_OUTCOMES = {"token": UNAUTHORIZED, "busy": FAILED, "sheet": FAILED}
"""Errors of the script that are not the fault of one row."""
_REASONS = {
    "token": "the script rejected the token",
    "busy": "the sheet is busy",
    "sheet": "the script could not write to the sheet",
}


class SheetsTransport:
    """Posts parcels to one web app."""

    def __init__(self, target: Target, client: ReplaceableClient) -> None:
        self._url = target.address
        self._token = target.token
        self._client = client

    async def send(self, parcel: Parcel) -> AttemptResult:
        """Post one row, and fetch the script's answer."""
        async with self._client.attempt() as client:
            return await self._post(client, parcel)

    async def _post(self, client: httpx.AsyncClient, parcel: Parcel) -> AttemptResult:
        headers = {"Content-Type": "application/json"}
        body = self._body(parcel)
        async with client.stream("POST", self._url, content=body, headers=headers) as answer:
            text = await read_capped(answer)
            if answer.status_code not in _SCRIPT_HAS_RUN:
                return _result_of(answer.status_code, text, parcel.key)
            location = urljoin(self._url, answer.headers.get("Location", ""))
        if not _is_google(location):
            return AttemptResult(FAILED, "a redirect to a host that is not Google's")
        async with client.stream("GET", location) as answer:
            text = await read_capped(answer)
            if answer.status_code != 200:
                # The script ran; a row that exists already is recognised by its key.
                return AttemptResult(
                    FAILED, f"the script's answer cannot be fetched: HTTP {answer.status_code}"
                )
            return _result_of(200, text, parcel.key)

    def _body(self, parcel: Parcel) -> bytes:
        # The token is added here: the outbox does not contain it.
        run = {name: _cell(value) for name, value in orjson.loads(parcel.payload).items()}
        return orjson.dumps({"token": self._token, "rows": [{"key": parcel.key, **run}]})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _cell(value: Any) -> Any:
    """Return a value that a cell can hold: cut to Google's limit, and not a formula."""
    return defused(cut(value, MAX_CELL_CHARACTERS) if isinstance(value, str) else value)


def _is_google(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return False
    is_named = any(host == one or host.endswith(f".{one}") for one in _GOOGLE_HOSTS)
    return is_named and parts.scheme == "https"


def _result_of(status: int, text: bytes, key: str) -> AttemptResult:
    if status != 200:
        return result_of_status(status)
    answer = _json_object(text)
    if answer is None:
        return AttemptResult(
            FAILED, "a web page instead of the script's answer: may anybody run the web app?"
        )
    if answer.get("ok") is True:
        if key in (answer.get("keys") or ()):
            return AttemptResult(DELIVERED, "in the sheet")
        return AttemptResult(FAILED, "the script's answer is about another row")
    error = answer.get("error")
    known = error if isinstance(error, str) and error in _OUTCOMES else ""
    # Our own words, whatever the answer says: it came from outside.
    reason = _REASONS.get(known, "the script rejected the row")
    return AttemptResult(_OUTCOMES.get(known, REJECTED), reason)


def _json_object(text: bytes) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def transport_to(target: Target) -> SheetsTransport:
    """Return the transport for a target."""
    return SheetsTransport(target, client_to(target))
