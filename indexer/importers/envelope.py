"""Wrap a line of a session file as the line of an event.

Called by the importer. Pure. The line's own bytes are put in as they are wherever that gives
JSON that everybody reads the same; else they stand there as a text. The id is made of tool, run and
the bytes as they are in the source, before anything is replaced in them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional

import orjson

from indexer.semantics.sessions.tool import Owner
from telemetry_core.degrade import degraded
from telemetry_core.line import MAX_LINE_BYTES
from telemetry_core.timestamp import canonical_time

SOURCE = "telemetry/import"
"""The source of all that is imported: two imports write the same bytes."""

_ROOM = 16 * 1024
"""What the envelope itself may take of a line."""
_MOST_LEVELS = 200
# JSON knows no bounds of numbers; the readers of the log do.
_LONG_NUMBER = re.compile(rb"[:\[,]\s*-?[0-9]{19}")

Redact = Callable[[bytes], bytes]


class Parsed(NamedTuple):
    """A line of a session file."""

    raw: bytes
    """Its bytes, without what ends it."""
    value: Any
    """What it says in JSON; None if it says nothing."""

    @property
    def object(self) -> Mapping[str, Any]:
        """It as an object, an empty one if it is none."""
        return self.value if isinstance(self.value, dict) else {}


def parse(raw: bytes) -> Parsed:
    """Read the bytes of a line."""
    try:
        return Parsed(raw, orjson.loads(raw))
    except orjson.JSONDecodeError:
        return Parsed(raw, None)


def own_time(value: Any) -> Optional[str]:
    """Return a line's time in its canonical spelling, None if it is no time."""
    try:
        return canonical_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


class Envelope(NamedTuple):
    """What all events of one file have in common, and what is done to each line."""

    kind: str
    redact: Redact
    without_content: Optional[Callable[[Any], Any]] = None
    """Replaces the texts of a parsed line by their sizes."""

    def line_event(
        self, line: Parsed, owner: Owner, position: int, time: str, part: str = ""
    ) -> bytes:
        """Return the line of the event that holds a line of a session."""
        data: dict[str, Any] = {"position": f"{position:010d}"}
        if part:
            data["part"] = part
        head = self._head(owner, time, _digest(self.kind, owner.run_id, line.raw), data)
        return self._closed(head, b"line", self._content(line))

    def file_event(self, facts: Mapping[str, Any], owner: Owner, time: str) -> bytes:
        """Return the line of the event that holds what a file's path says of a run."""
        raw = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
        event_id = _digest(self.kind, owner.run_id, b"file:" + raw)
        if self.without_content is not None:
            raw = orjson.dumps(self.without_content(facts))
        return self._closed(self._head(owner, time, event_id, {}), b"file", self.redact(raw))

    def _head(self, owner: Owner, time: str, event_id: str, data: dict[str, Any]) -> bytes:
        data["session_id"] = owner.session_id
        if owner.agent_id:
            data["agent_id"] = owner.agent_id
        return orjson.dumps(
            {
                "specversion": "1.0",
                "id": event_id,
                "source": SOURCE,
                "type": self.kind,
                "subject": owner.run_id,
                "time": time,
                "data": data,
            }
        )

    def _closed(self, head: bytes, name: bytes, value: bytes) -> bytes:
        # A document may be written over several lines: between its parts a blank is as good.
        return b'%s,"%s":%s}}\n' % (head[:-2], name, value.replace(b"\n", b" "))

    def _content(self, line: Parsed) -> bytes:
        if isinstance(line.value, dict) and self.without_content is not None:
            return self.redact(orjson.dumps(self.without_content(line.value)))
        if not isinstance(line.value, dict) or not _is_portable(line.raw, line.value):
            return _as_text(self.redact(line.raw), self.without_content is None)
        content = self.redact(line.raw)
        if len(content) > MAX_LINE_BYTES - _ROOM:
            return orjson.dumps(degraded(orjson.loads(content), MAX_LINE_BYTES // 2))
        return content


def _as_text(raw: bytes, is_kept: bool) -> bytes:
    text = raw.decode("utf-8", "backslashreplace")
    if not is_kept:
        text = f"[{len(raw)} bytes]"
    return orjson.dumps(degraded(text, MAX_LINE_BYTES // 2))


def _is_portable(raw: bytes, value: Any) -> bool:
    """Whether everybody who reads the log reads the same: no deep nesting, no long numbers."""
    if raw.count(b"{") + raw.count(b"[") > _MOST_LEVELS:
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            return False
        if _levels(value) > _MOST_LEVELS:
            return False
    return _LONG_NUMBER.search(raw) is None


def _levels(value: Any) -> int:
    """How deep a value nests, without descending by recursion."""
    level, row = 0, [value]
    while row:
        level += 1
        inner: list[Any] = []
        for one in row:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        row = [one for one in inner if isinstance(one, (dict, list))]
    return level


def _digest(kind: str, run_id: str, raw: bytes) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in (kind.encode(), run_id.encode("utf-8", "replace"), raw):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()
