"""Rule out, in a fraction of the time of a search, that bytes hold a secret.

Called by the redaction for every line, or for all lines of a batch at once. Pure. It never says
"harmless" of bytes in which the shapes or the names would find something; the other way round it
errs now and then, which costs time and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Callable, Optional

from telemetry_core.secret_names import NAMES, Name
from telemetry_core.secret_shapes import SHAPES, URL_PASSWORD, find_in_url

_RAREST_FIRST = b"JGAISBE_-@.zqjxkvwbypfgmucldrhsnioate /:"
"""The search looks at every place of an anchor's rarest character, and at no other place."""
_LONG_WORD = b"a" * 20
_FOLDED = bytes(
    ord("a") if (chr(char).isalnum() and char < 128) or char in b"_-." else ord(" ")
    for char in range(256)
)
"""Words and the rest. All shapes but two contain a long word: passwords in URLs, and webhooks."""
_WEBHOOK = Name("slack-webhook", b"hooks.slack")
_NAME_ENDS = rb"(?=[0-9]?[\\\"' \t:=,.-])"
"""What follows a name; in a private key's first line, a blank or a hyphen."""
_KEPT = b"kyctrowpz"
_LOWERED = bytes(range(256)).lower()
_DROPPED = bytes(char for char in range(256) if _LOWERED[char] not in _KEPT)
"""Without these, a name leaves a trace in a third of the bytes: `key` is `ky`."""
_Search = Callable[[bytes], Optional["re.Match[bytes]"]]


class Prefilter:
    """Separates bytes of JSON that certainly have no secret from those that must be searched."""

    def __init__(self, names: Iterable[Name] = ()) -> None:
        """Know `names` besides those of the list."""
        self._names = (*NAMES, *names)
        # Compiled when they are first needed: importing must stay quick.
        self._shape_in: Optional[_Search] = None
        self._trace_in: Optional[_Search] = None
        self._by_trace: dict[bytes, list[tuple[bytes, _Search]]] = {}

    def is_harmless(self, raw: bytes) -> bool:
        """Return whether `raw` certainly has no secret, apart from configured patterns."""
        has_word = _LONG_WORD in raw.translate(_FOLDED)
        if has_word and (self._shape_in or self._compile_shapes())(raw):
            return False
        if b"@" in raw and find_in_url(raw):
            return False
        traces = raw.translate(_LOWERED, _DROPPED)
        return not (self._trace_in or self._compile_traces())(traces) or not self._named(
            raw.lower(), traces
        )

    def _named(self, lowered: bytes, traces: bytes) -> bool:
        """Return whether a name whose trace is there is there itself."""
        return any(
            anchor in lowered and search(lowered)
            for trace, names in self._by_trace.items()
            if trace in traces
            for anchor, search in names
        )

    def _compile_shapes(self) -> _Search:
        anchors = [shape.anchor for shape in SHAPES if shape.kind != URL_PASSWORD]
        self._shape_in = re.compile(b"|".join(map(_around_rarest, anchors))).search
        return self._shape_in

    def _compile_traces(self) -> _Search:
        by_trace: dict[bytes, list[tuple[bytes, _Search]]] = {}
        for name in (*self._names, _WEBHOOK):
            pattern = re.escape(name.anchor) + name.rest + _NAME_ENDS
            trace = name.anchor.translate(_LOWERED, _DROPPED)
            # Of one character it would be nearly everywhere, and might as well be nothing.
            trace = trace if len(trace) > 1 else b""
            by_trace.setdefault(trace, []).append((name.anchor, re.compile(pattern).search))
        parts = map(_around_rarest, by_trace) if b"" not in by_trace else ()
        self._by_trace = by_trace
        self._trace_in = re.compile(b"|".join(parts)).search
        return self._trace_in


def _around_rarest(anchor: bytes) -> bytes:
    """Return a pattern of an anchor that begins with its rarest character.

    A search skips to the characters that its alternatives begin with.
    """
    at = anchor.index(min(anchor, key=_rank))
    before, rarest, rest = anchor[:at], anchor[at : at + 1], anchor[at + 1 :]
    behind = b"(?<=%s)" % re.escape(before + rarest) if before else b""
    return re.escape(rarest) + behind + re.escape(rest)


def _rank(char: int) -> int:
    at = _RAREST_FIRST.find(char)
    return at if at >= 0 else len(_RAREST_FIRST) // 2
