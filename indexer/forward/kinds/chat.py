"""Deliver alerts to Slack, Discord and ntfy, each in its own JSON over HTTP.

Nothing that an agent recorded can mention people, or become markup that hides something.
"""

from __future__ import annotations

import time
from typing import Any, Callable
from urllib.parse import urlsplit, urlunsplit

import orjson

from indexer.forward.kinds import http
from indexer.forward.kinds.alert_text import AlertText, alert_text
from indexer.forward.kinds.http import read_capped
from indexer.forward.kinds.http_client import ReplaceableClient, client_to
from indexer.outbox.attempt import AttemptResult, result_of_status
from indexer.outbox.backoff import parse_retry_after
from indexer.outbox.parcel import Parcel
from indexer.outbox.payload import cut
from indexer.outbox.target import Target

REQUIREMENT = http.REQUIREMENT
_SLACK_CHARACTERS = 3_500
_DISCORD_CHARACTERS = 1_900
_NTFY_CHARACTERS = 3_500
_COLORS = {"info": 0x3498DB, "warning": 0xF1C40F, "error": 0xE67E22, "critical": 0xE74C3C}
_PRIORITIES = {"info": 2, "warning": 3, "error": 4, "critical": 5}
_RESOLVED = 0x2ECC71


class ChatTransport:
    """Posts alerts to one address."""

    def __init__(self, target: Target, client: ReplaceableClient) -> None:
        self._make = _BODIES[target.kind]
        self._address = target.address
        self._client = client
        self._headers = {"Content-Type": "application/json"}
        if target.token:
            self._headers["Authorization"] = f"Bearer {target.token}"

    async def send(self, parcel: Parcel) -> AttemptResult:
        """Post one alert."""
        url, body = self._make(self._address, alert_text(parcel))
        headers = {**self._headers, "Idempotency-Key": parcel.key}
        async with (
            self._client.attempt() as client,
            client.stream("POST", url, content=orjson.dumps(body), headers=headers) as answer,
        ):
            await read_capped(answer)
            retry_after = parse_retry_after(answer.headers.get("Retry-After"), time.time())
            return result_of_status(answer.status_code, retry_after)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def transport_to(target: Target) -> ChatTransport:
    """Return the transport for a channel."""
    return ChatTransport(target, client_to(target))


def _slack(url: str, alert: AlertText) -> tuple[str, dict[str, Any]]:
    text = cut(alert.text, _SLACK_CHARACTERS)
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, escaped)
    title = {"type": "plain_text", "text": cut(alert.title, 150), "emoji": False}
    body = {"type": "plain_text", "text": cut(alert.text, 2_900) or "-", "emoji": False}
    blocks = [{"type": "header", "text": title}, {"type": "section", "text": body}]
    return url, {"text": text or "-", "blocks": blocks}


def _discord(url: str, alert: AlertText) -> tuple[str, dict[str, Any]]:
    color = _RESOLVED if alert.change == "resolved" else _COLORS.get(alert.level, 0)
    embed = {
        "title": cut(alert.title, 250),
        "description": f"```\n{cut(alert.text.replace('`', chr(0x2BC)), _DISCORD_CHARACTERS)}\n```",
        "color": color,
    }
    return url, {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _ntfy(url: str, alert: AlertText) -> tuple[str, dict[str, Any]]:
    parts = urlsplit(url)
    path, _, topic = parts.path.rstrip("/").rpartition("/")
    is_resolved = alert.change == "resolved"
    return urlunsplit(parts._replace(path=path or "/")), {
        "topic": topic,
        "title": cut(alert.title, 250),
        "message": cut(alert.text, _NTFY_CHARACTERS) or alert.title,
        "priority": 3 if is_resolved else _PRIORITIES.get(alert.level, 3),
        "tags": ["white_check_mark" if is_resolved else "warning"],
    }


_BODIES: dict[str, Callable[[str, AlertText], tuple[str, dict[str, Any]]]] = {
    "slack": _slack,
    "discord": _discord,
    "ntfy": _ntfy,
}
