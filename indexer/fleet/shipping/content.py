"""Leave out what may be a prompt, an answer, or an argument or result of a tool. Pure.

A target says `content = true` where such may be shipped. Without it lines are shipped as their
length and check sum, and events and rows without texts whose names say that they are content.
Names decide wherever a row is made from the value, so that rows made from shipped events and
rows made on the host leave out the same.
"""

from __future__ import annotations

import re
from typing import Any, Optional

import orjson

from indexer.store.events.codec import StoredEvent
from telemetry_core.event import RUN_EVENT
from telemetry_core.run_fields import RUN_FIELD_NAMES

_CONTENT = re.compile(
    r"messages?$|prompt|completion|instruction|content|input|output|argument|result|parameter"
    r"|document|query|response|text|thinking|system|summary$",
    re.IGNORECASE,
)
_NOT_CONTENT = re.compile(
    r"gen_ai\.(usage|request|response|provider|operation|system$|tool\.name|tool\.call\.id)"
    r"|.*(tokens?|_id|\.id|Id|count|bytes|_ms)$"
)
# Whatever these hold is an argument or a result, whatever the names inside.
_CONTENT_WITHIN = re.compile(
    r"(tool_?)?(input|arguments?|args|parameters|output|results?)$", re.IGNORECASE
)
_LONGEST_NAME = 256
_WITHHELD = "[not shipped]"
_JSON_FIELDS = ("context_json", "metrics_json")
_SUMMARIES = ("input_summary", "output_summary")
_SPAN_FIELDS = ("span_id", "parent_span_id", "name", "kind", "status", "error")
_WHOLE = frozenset((*RUN_FIELD_NAMES, *_SPAN_FIELDS)) - {*_JSON_FIELDS, *_SUMMARIES}
"""Fields of runs and spans that are shipped as they are."""
_FREE_FORM = ("session.", "otel.", RUN_EVENT)
"""The types of events whose data is of any shape."""


class Withholding:
    """What one target gets of texts: all of them, or none that may be content."""

    def __init__(self, *, ships_content: bool) -> None:
        self.ships_content = ships_content

    def lines(self, contents: list[bytes]) -> list[bytes]:
        """Return lines as they are shipped."""
        return contents if self.ships_content else [b""] * len(contents)

    def event(self, event: StoredEvent) -> tuple[Optional[str], Optional[str]]:
        """Return the payload and the extensions of an event as they are shipped."""
        if self.ships_content:
            return event.payload_json, event.extra_json
        if event.type.startswith(_FREE_FORM):
            return _free_json(event.payload_json), _free_json(event.extra_json)
        return _named_json(event.payload_json), _named_json(event.extra_json)

    def run(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row of `agent_runs` as it is shipped."""
        if self.ships_content:
            return row
        kept = {name: value for name, value in row.items() if name not in _SUMMARIES}
        for name in _JSON_FIELDS:
            kept[name] = _named_json(kept.get(name))
        return kept

    def attributes(self, attributes_json: Optional[str]) -> Optional[str]:
        """Return the attributes of a span as they are shipped."""
        return attributes_json if self.ships_content else _named_json(attributes_json)


def _free_json(text: Optional[str]) -> Optional[str]:
    return None if text is None else _json(_bare(orjson.loads(text), is_content=False))


def _named_json(text: Optional[str]) -> Optional[str]:
    return None if text is None else _json(_named(_parsed(text)))


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _named(value: Any) -> Any:
    """Return an object without what is named as content; numbers stay under any name."""
    if not isinstance(value, dict):
        return _bare(value, is_content=False)
    return {name: _field(name, one) for name, one in value.items() if _may_be_kept(name, one)}


def _field(name: str, value: Any) -> Any:
    if name in _JSON_FIELDS:
        return _named(_parsed(value) if isinstance(value, str) else value)
    if name == "attributes":
        return _named(value)
    return value if name in _WHOLE else _bare(value, is_content=False)


def _may_be_kept(name: str, value: Any) -> bool:
    is_plain = value is None or isinstance(value, (bool, int, float))
    return is_plain or name in _WHOLE or name in _JSON_FIELDS or not _is_content(name)


def _is_content(name: str) -> bool:
    return _CONTENT.search(name) is not None and _NOT_CONTENT.match(name) is None


def _bare(value: Any, *, is_content: bool) -> Any:
    """Return a value of any shape without the texts that are content by name or by length."""
    if isinstance(value, str):
        return _WITHHELD if is_content or len(value) > _LONGEST_NAME else value
    if isinstance(value, list):
        return [_bare(one, is_content=is_content) for one in value if not _is_content_pair(one)]
    if isinstance(value, dict):
        return {name: _bare_of(name, one, is_content) for name, one in value.items()}
    return value


def _bare_of(name: str, value: Any, is_content: bool) -> Any:
    if name == "line" and isinstance(value, str) and not is_content:
        # A session's line that could not be put into its event as the object it is.
        parsed = _parsed(value)
        return _bare(parsed, is_content=isinstance(parsed, str))
    if is_content or _CONTENT_WITHIN.match(name):
        return _bare(value, is_content=True)
    # A text right below, or in a list of texts; an object says by its own names what is content.
    is_text = isinstance(value, str) or (
        isinstance(value, list) and any(isinstance(one, str) for one in value)
    )
    return _bare(value, is_content=is_text and _is_content(name))


def _is_content_pair(value: Any) -> bool:
    """Whether this is an attribute as OTLP writes it, with a text that is content by its name."""
    if not isinstance(value, dict) or not isinstance(value.get("key"), str):
        return False
    given = value.get("value")
    is_number = isinstance(given, dict) and not {"stringValue", "arrayValue", "kvlistValue"} & set(
        given
    )
    return _is_content(value["key"]) and not is_number
