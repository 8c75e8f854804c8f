"""The carrier to a Google sheet, by a web app of Apps Script: docs/google-sheets.md has ours.

Google sees no headers of ours, so token and key go in the body. It runs the script at the POST and
answers with a redirect to where the script's answer can be fetched, once, by GET. A script that
fails answers with a page of HTML, and status 200.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import orjson

from indexer.export.csv_text import defused
from indexer.forward.kinds.http import WHAT_IT_NEEDS, read_capped
from indexer.forward.kinds.http_client import ReplaceableClient, client_to
from indexer.outbox.parcel import Parcel
from indexer.outbox.target import Target
from indexer.outbox.verdict import DELIVERED, FAILED, PARKED, REFUSED, Verdict, verdict_of

__all__ = ["WHAT_IT_NEEDS", "SheetsCarrier", "carrier_to"]

_EXECUTED = (302, 303)
_GOOGLES = ("google.com", "googleusercontent.com")
_OUTCOMES = {"token": REFUSED, "busy": FAILED}
"""What our script may have against a row for a while; anything else is the row's own fault."""


class SheetsCarrier:
    """Posts parcels to one web app."""

    def __init__(self, target: Target, client: ReplaceableClient) -> None:
        self._url = target.address
        self._token = target.token
        self._client = client

    async def carry(self, parcel: Parcel) -> Verdict:
        """Post one row, and fetch what the script says of it."""
        async with self._client.attempt() as client:
            return await self._post(client, parcel)

    async def _post(self, client: httpx.AsyncClient, parcel: Parcel) -> Verdict:
        headers = {"Content-Type": "application/json"}
        async with client.stream(
            "POST", self._url, content=self._body(parcel), headers=headers
        ) as answer:
            said = await read_capped(answer)
            if answer.status_code not in _EXECUTED:
                return _judge(answer.status_code, said, parcel.key)
            place = urljoin(self._url, answer.headers.get("Location", ""))
        if not _is_googles(place):
            return Verdict(FAILED, "a redirect to another host than Google's")
        async with client.stream("GET", place) as answer:
            said = await read_capped(answer)
            if answer.status_code != 200:
                # The script ran; a row that is there already is known by its key.
                return Verdict(FAILED, f"the answer can't be had: HTTP {answer.status_code}")
            return _judge(200, said, parcel.key)

    def _body(self, parcel: Parcel) -> bytes:
        # The token is put in here: what waits in the outbox has none.
        run = {name: defused(value) for name, value in orjson.loads(parcel.body).items()}
        return orjson.dumps({"token": self._token, "rows": [{"key": parcel.key, **run}]})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _is_googles(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return False
    named = any(host == one or host.endswith(f".{one}") for one in _GOOGLES)
    return named and parts.scheme == "https"


def _judge(status: int, said: bytes, key: str) -> Verdict:
    if status != 200:
        return verdict_of(status)
    answer = _object(said)
    if answer is None:
        return Verdict(FAILED, "no answer of our script but a page: may anybody run the web app?")
    if answer.get("ok") is True:
        if key in (answer.get("keys") or ()):
            return Verdict(DELIVERED, "in the sheet")
        return Verdict(FAILED, "the script's answer is about another row")
    error = answer.get("error")
    outcome = _OUTCOMES.get(error, PARKED) if isinstance(error, str) else PARKED
    # Words of ours, whatever stands there: it came from outside.
    reasons = {REFUSED: "the script refuses the token", FAILED: "the sheet is busy"}
    return Verdict(outcome, reasons.get(outcome, "the script does not take the row"))


def _object(said: bytes) -> Any:
    try:
        value = orjson.loads(said)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def carrier_to(target: Target) -> SheetsCarrier:
    """Return what carries to a target."""
    return SheetsCarrier(target, client_to(target))
