"""A message as channels get it: JSON made of the event alone, so that retries are the same bytes.

Pure. It is bounded, whatever agents recorded.
"""

from __future__ import annotations

from typing import Any

import orjson

from indexer.alerts.changes import FULL_ITEMS
from indexer.alerts.state import Message
from telemetry_core.event import ALERT_FIRED, ALERT_RESOLVED

_VERBS = {ALERT_FIRED: "FIRING", ALERT_RESOLVED: "RESOLVED"}
_MAX_TEXT = 4_000
_MAX_LINE = 300


def payload_of_message(message: Message) -> bytes:
    """Return the JSON that a webhook gets, and that other channels make their text of."""
    data = message.data
    items = _items(data)
    return orjson.dumps(
        {
            "id": data.get("key"),
            "rule": message.rule,
            "kind": data.get("kind"),
            "change": message.type.partition(".")[2],
            "level": data.get("level"),
            "time": message.time,
            "title": title_of(message),
            "text": text_of(message),
            "count": data.get("count", len(items)),
            "alerts": [
                {name: item[name] for name in item if name not in ("once", "occurrence")}
                for item in items[:FULL_ITEMS]
            ],
        }
    )


def title_of(message: Message) -> str:
    """Return one line: the change, the rule, and the subject or how many there are."""
    items = _items(message.data)
    verb = _VERBS.get(message.type, "STILL FIRING")
    if len(items) == 1:
        what = items[0].get("measured") or items[0].get("subject")
    else:
        what = f"{len(items)} subjects"
    return f"{verb}: {message.rule}: {_line(what)}"


def text_of(message: Message) -> str:
    """Return the lines about the first subjects, and how many are left out."""
    items = _items(message.data)
    lines = [line for item in items[:FULL_ITEMS] for line in _lines(item)]
    left = len(items) - FULL_ITEMS
    if left > 0:
        lines.append(f"and {left} more")
    text = "\n".join(lines)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}\n[cut]"


def _lines(item: dict[str, Any]) -> list[str]:
    named = (
        ("", item.get("subject")),
        ("measured: ", item.get("measured")),
        ("expected: ", item.get("limit")),
        ("error: ", item.get("error")),
        ("span: ", item.get("span")),
        ("since: ", item.get("since")),
        ("", item.get("link")),
    )
    first, *rest = [f"{name}{_line(value)}" for name, value in named if value]
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _items(data: dict[str, Any]) -> list[dict[str, Any]]:
    items = data.get("items")
    return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []


def _line(value: object) -> str:
    """Return a value as one line, without what a terminal or a header would act on."""
    text = "".join(one if one.isprintable() else " " for one in str(value))
    return text if len(text) <= _MAX_LINE else f"{text[:_MAX_LINE]}..."
