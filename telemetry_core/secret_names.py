"""Find secrets by name, such as `"password": "..."` and `API_TOKEN=...`.

Called by the redaction. Pure. A name counts where it ends in a word of the list, as
`db_password` and `clientSecret` do, and `max_tokens` and `password_hash` do not. Behind a quoted
name any value is a secret; behind a bare one, as in program text, only what looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from telemetry_core.secret_shapes import Found, compiled


class Name(NamedTuple):
    """A word in which names of secrets end, in lower case."""

    kind: str
    anchor: bytes
    rest: bytes = b""
    """A pattern of what may follow the anchor and is still part of the name."""
    before: bytes = b""
    """A pattern that has to match just before the anchor."""
    is_token: bool = False
    """Whether the word has other uses, so that a value has to look like a secret."""


# Of `token`: parts of texts, pages of answers and locks of threads have tokens too.
_NO_SECRET = (
    rb"(?<!next)(?<!next_)(?<!page)(?<!page_)(?<!bos_)(?<!eos_)(?<!pad_)(?<!unk_)(?<!sep_)"
    rb"(?<!cls_)(?<!mask_)(?<!stop_)(?<!cancel_)(?<!cancellation)(?<!cancellation_)"
    rb"(?<!continuation)(?<!continuation_)(?<!sync_)(?<!per_)"
)
KEY_OWNERS = (b"api", b"access", b"secret", b"private", b"account", b"signing", b"encryption")
"""Whose key is a secret: the word before it."""
_KEY_OF = b"|".join(b"(?<=%s)" % owner for owner in KEY_OWNERS)

NAMES: tuple[Name, ...] = (
    Name("password", b"passw", rb"(?:or)?d"),
    Name("password", b"passphrase"),
    Name("secret", b"secret"),
    Name("token", b"token", before=_NO_SECRET, is_token=True),
    Name("key", b"key", before=rf"(?:{_KEY_OF.decode()})".encode()),
    *(Name("key", b"%ckey" % mark, before=rb"(?:" + _KEY_OF + rb")") for mark in b"_-"),
    Name("authorization", b"authorization"),
    Name("cookie", b"cookie"),
    Name("credential", b"credential", rb"s?"),
)

_LONGEST_BARE = 300
# After the word: a digit, as in `password2`, the quote that ends the name, and what parts it from
# the value. OTLP and HTTP archives write `"key":NAME,"value":{"stringValue":VALUE}`.
_LINK = (
    rb"[0-9]?(?P<closing>\\*[\"'])?"
    rb"(?:[ \t]{0,8}(?:=>|[:=])[ \t]{0,8}"
    rb"|[ \t]{0,4},[ \t]{0,4}\\*\"value\\*\"[ \t]{0,4}:[ \t]{0,4}"
    rb"(?:\{[ \t]{0,4}\\*\"stringValue\\*\"[ \t]{0,4}:[ \t]{0,4})?)"
    rb"(?P<list>\[[ \t]{0,4})?(?P<opening>\\*[\"'])?"
)
_NUMBER = rb"-?[0-9][0-9.eE+-]{0,40}(?=[,}\]\s\\])"
_BARE = rb"[^\s\"'\\,;&|<>(){}\[\]`]{1,%d}" % _LONGEST_BARE
_MORE = rb"[ \t]{0,4},[ \t]{0,4}(?P<opening>\\*[\"'])"
_PLACEHOLDER = (
    rb"(?i:[*xX.]*|<[^>]*>|\$\{?\w*\}?|\{\{?[^}]*\}\}?|%\w+%|\[redacted:[\w-]+\]"
    rb"|null|none|true|false|undefined)"
)
_DOTTED = rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+"


def names_of(words: Iterable[str]) -> list[Name]:
    """Return the names that a configuration adds; blank ones are left out."""
    return [Name("configured", word.strip().lower().encode()) for word in words if word.strip()]


class NameFinder:
    """Finds the values of secret names in the bytes of JSON lines."""

    def __init__(self, extra: Iterable[Name] = ()) -> None:
        """Know the names of the list and `extra` ones."""
        self._names = [(name, _pattern_of(name)) for name in (*extra, *NAMES)]

    def find(self, line: bytes) -> Iterator[Found]:
        """Yield what stands behind each secret name."""
        lowered = line.lower()
        for name, pattern in self._names:
            at = lowered.find(name.anchor)
            while at >= 0:
                match = compiled(pattern).match(lowered, at)
                end = at + len(name.anchor)
                if match is not None:
                    for found in _values(line, match.end(), name):
                        yield found
                        end = max(end, found.end)
                at = lowered.find(name.anchor, end)


def _pattern_of(name: Name) -> bytes:
    return name.before + re.escape(name.anchor) + name.rest


def _values(line: bytes, at: int, name: Name) -> Iterator[Found]:
    """Yield the values of a name that ends at `at`."""
    link = compiled(_LINK).match(line, at)
    if link is None:
        return
    if link["closing"] is None:
        if not link["list"]:
            yield from _bare(line, link.end(), name, link["opening"])
        return
    if link["opening"] is None:
        number = compiled(_NUMBER).match(line, link.end())
        if number is not None and not name.is_token and not link["list"]:
            yield Found(number.start(), number.end(), name.kind, link["closing"])
        return
    yield from _quoted(line, link.end(), name, link["opening"], is_list=bool(link["list"]))


def _quoted(
    line: bytes, start: int, name: Name, opening: bytes, *, is_list: bool
) -> Iterator[Found]:
    """Yield the text that begins at `start`; of a list, all of its texts."""
    while True:
        end = _end_of_text(line, start, opening)
        if end is None:
            return
        value = line[start:end]
        if not compiled(_PLACEHOLDER).fullmatch(value) and (not name.is_token or _is_token(value)):
            yield Found(start, end, name.kind)
        more = compiled(_MORE).match(line, end + len(opening)) if is_list else None
        if more is None:
            return
        start, opening = more.end(), more["opening"]


def _bare(line: bytes, start: int, name: Name, opening: Optional[bytes]) -> Iterator[Found]:
    """Yield the value of a name in program text or a command line, if it looks like a secret."""
    value = compiled(_BARE).match(line, start)
    if value is None or (opening and not line.startswith(opening, value.end())):
        return
    text = value.group()
    if (
        len(text) >= (16 if name.is_token else 8)
        and any(48 <= char <= 57 for char in text)
        and any(char >= 65 for char in text)
        and not compiled(_DOTTED).fullmatch(text)
        and not compiled(_PLACEHOLDER).fullmatch(text)
        and not text.startswith((b"$", b"%", b"/", b"./"))
        and not line.startswith((b"(", b"[", b"{"), value.end())
    ):
        yield Found(value.start(), value.end(), name.kind)


def _is_token(value: bytes) -> bool:
    """Whether a value may be a token: long, in one piece, and no mere word."""
    return (
        len(value) >= 8
        and b" " not in value
        and (len(value) >= 20 or any(48 <= char <= 57 for char in value))
    )


def _end_of_text(line: bytes, start: int, opening: bytes) -> Optional[int]:
    """Return where the text ends that `opening` began, None if it does not.

    A text in a text in a text has its quotes escaped: once more for each level, and a quote
    inside of it once more than that.
    """
    quote, escapes = opening[-1:], len(opening) - 1
    at = line.find(quote, start)
    limit = line.find(b'"', start) if quote == b"'" else -1
    while at >= 0:
        if 0 <= limit < at:
            return None
        first = at
        while first > start and line[first - 1] == 0x5C:
            first -= 1
        if (at - first) % (2 * (escapes + 1)) == escapes:
            return at - escapes
        at = line.find(quote, at + 1)
    return None
