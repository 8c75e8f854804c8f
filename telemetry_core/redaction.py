"""Replace secrets in a line by `[redacted:KIND]` before it reaches the disk.

Called by the writer for what agents record, by importers and receivers for what they take in, and
by `telemetry scan` and `telemetry redact` for what is in the log already. Pure. The bytes of a
line stay as they are but for the secrets, and it stays a line of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from telemetry_core.secret_names import NameFinder
from telemetry_core.secret_shapes import Found, compiled, find_in_url, find_shapes

VARIABLES = ("TELEMETRY_REDACT", "TELEMETRY_REDACT_NAMES", "TELEMETRY_REDACT_PATTERNS")
OFF = ("off", "false", "0", "no")
"""What `TELEMETRY_REDACT` says where nothing is to be replaced."""


_SHORTEST = 7
"""No text with a secret is shorter: a URL with a password of one letter has this length."""
_SHORT = 15
"""No shorter text has a secret without a mark between it and its name."""
_LONG_WORD = b"a" * 20
_FOLDED = bytes(
    ord("a") if (chr(char).isalnum() and char < 128) or char in b"_-" else
    ord("=") if char in b"=:" else ord(" ")
    for char in range(256)
)  # fmt: skip
"""What a text looks like from afar: words, what may part a name from a value, and the rest."""
_NUMBERS = frozenset((int, float, bool, type(None)))
_MOST_ROUNDS = 5
_MOST_PARTS = 1_000
_MOST_NAMES = 10_000
_LONGEST_NAME = 200

_TEXT_END = rb'["\\\n]'


class Redactor:
    """Finds secrets in lines and replaces them: all known ones, and those of a configuration."""

    def __init__(self, names: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        """Know also values of `names`, and what `patterns` match: regular expressions.

        Raises ValueError for a pattern that is none.
        """
        self._names = NameFinder(name.strip() for name in names if name.strip())
        self._patterns = [_compiled(pattern) for pattern in patterns]
        self._harmless: set[str] = set()

    def __call__(self, lines: bytes) -> bytes:
        """Return `lines` without secrets."""
        for _ in range(_MOST_ROUNDS):
            found = self.find(lines)
            if not found:
                break
            # What was replaced may have hidden that its neighbour begins or ends there.
            lines = _replaced(lines, found)
        return lines

    def find(self, lines: bytes) -> list[Found]:
        """Return where secrets are, in order; none overlaps another."""
        found = [*find_shapes(lines), *self._names.find(lines)]
        for pattern in self._patterns:
            found += [_inside_text(match) for match in pattern.finditer(lines)]
        return _apart(found)

    def is_harmless(self, value: Any) -> bool:
        """Return whether plain data certainly has no secret, quickly and before it is encoded.

        What is no plain data, nests deep or has very many parts is not looked at: no is said.
        """
        try:
            return not self._patterns and self._is_harmless(value, [_MOST_PARTS])
        except Exception:
            # Another thread changed it meanwhile, or it has no encoding: its line is looked at.
            return False

    def _is_harmless(self, value: Any, left: list[int]) -> bool:
        """Look at a value; `left` is how many parts are still looked at."""
        kind = type(value)
        if kind is dict:
            if not (value.keys() <= self._harmless or self._are_harmless(value)):
                return False
            value = value.values()
        elif kind is str:
            return self._is_harmless_text(value)
        elif kind is not list and kind is not tuple:
            return kind in _NUMBERS
        left[0] -= len(value) + 1
        if left[0] < 0:
            return False
        for item in value:
            kind = type(item)
            if kind is str:
                if len(item) >= _SHORTEST and not self._is_harmless_text(item):
                    return False
            elif kind not in _NUMBERS and not self._is_harmless(item, left):
                return False
        return True

    def _are_harmless(self, names: Iterable[Any]) -> bool:
        """Look at names that were not met before, and remember those that name no secret."""
        for name in names:
            if (
                type(name) is not str
                or self._names.is_secret(name)
                or not self._is_harmless_text(name)
            ):
                return False
            if len(self._harmless) < _MOST_NAMES and len(name) < _LONGEST_NAME:
                self._harmless.add(name)
        return True

    def _is_harmless_text(self, text: str) -> bool:
        if len(text) < _SHORT and ":" not in text and "=" not in text:
            return True
        raw = text.encode()
        folded = raw.translate(_FOLDED)
        # A shape needs a long word, a name something that parts it from its value, and so does
        # the password of a URL.
        if _LONG_WORD in folded and any(find_shapes(raw)):
            return False
        return b"=" not in folded or (not any(self._names.find(raw)) and not find_in_url(raw))


_settings: tuple[str, ...] = ("", "", "")
_active: Optional[Redactor] = Redactor()


def configure(environ: Mapping[str, str]) -> None:
    """Have this process's lines redacted as an environment asks for it.

    A pattern that is no regular expression is left out: the configuration's check names it.
    """
    global _settings, _active  # one for the process, as the environment is
    settings = tuple(environ.get(name, "") for name in VARIABLES)
    if settings != _settings:
        _active, _settings = redactor_of(environ), settings


def redacted(line: bytes, data: Any) -> bytes:
    """Return the line of an event without secrets; `data` is the event's."""
    if _active is None or _active.is_harmless(data):
        return line
    return _active(line)


def redactor_of(environ: Mapping[str, str]) -> Optional[Redactor]:
    """Return what redacts lines as an environment asks for it, None for not at all."""
    if environ.get("TELEMETRY_REDACT", "").strip().lower() in OFF:
        return None
    patterns = [one for one in extra_patterns(environ) if _is_pattern(one)]
    return Redactor(extra_names(environ), patterns)


def extra_names(environ: Mapping[str, str]) -> list[str]:
    """Return the names of `TELEMETRY_REDACT_NAMES`, which commas part."""
    return [name for name in environ.get("TELEMETRY_REDACT_NAMES", "").split(",") if name.strip()]


def extra_patterns(environ: Mapping[str, str]) -> list[str]:
    """Return the regular expressions of `TELEMETRY_REDACT_PATTERNS`, which blanks part."""
    return environ.get("TELEMETRY_REDACT_PATTERNS", "").split()


def wrong_patterns(environ: Mapping[str, str]) -> list[str]:
    """Return the configured patterns that are no regular expressions."""
    return [pattern for pattern in extra_patterns(environ) if not _is_pattern(pattern)]


def _is_pattern(pattern: str) -> bool:
    try:
        _compiled(pattern)
    except ValueError:
        return False
    return True


def _compiled(pattern: str) -> re.Pattern[bytes]:
    try:
        return re.compile(pattern.encode())
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error


def _inside_text(match: re.Match[bytes]) -> Found:
    """Return a match as far as it stays in one text of one line: its quotes are not its own."""
    end = compiled(_TEXT_END).search(match.string, *match.span())
    return Found(match.start(), end.start() if end else match.end(), "configured")


def _apart(found: list[Found]) -> list[Found]:
    """Sort what was found; what overlaps is one secret, of the kind that begins first."""
    kept: list[Found] = []
    for one in sorted(found):
        if kept and one.start < kept[-1].end:
            kept[-1] = kept[-1]._replace(end=max(kept[-1].end, one.end))
        elif one.end > one.start:
            kept.append(one)
    return kept


def _replaced(lines: bytes, found: list[Found]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for start, end, kind, quote in found:
        parts += (lines[at:start], quote, b"[redacted:%s]" % kind.encode(), quote)
        at = end
    return b"".join((*parts, lines[at:]))
