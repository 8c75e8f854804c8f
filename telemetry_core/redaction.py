"""Replace secrets in a line by `[redacted:KIND]` before it reaches the disk.

Called by the writer for what agents record, by importers and receivers for what they take in, and
by `telemetry scan` and `telemetry redact` for what is in the log already. Pure. The bytes of a
line stay as they are but for the secrets, and it stays a line of JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring
from typing import Optional

from telemetry_core.secret_names import NameFinder, names_of
from telemetry_core.secret_prefilter import Prefilter
from telemetry_core.secret_screen import screen_of
from telemetry_core.secret_shapes import Found, compiled, find_shapes

VARIABLES = ("TELEMETRY_REDACT", "TELEMETRY_REDACT_NAMES", "TELEMETRY_REDACT_PATTERNS")
OFF = ("off", "false", "0", "no")
"""What `TELEMETRY_REDACT` says where nothing is to be replaced."""


_MOST_ROUNDS = 5
AROUND_CUT = 8_192
"""Characters before and after a cut that are looked at."""

_TEXT_END = rb'["\\\n]'


class Redactor:
    """Finds secrets in lines and replaces them: all known ones, and those of a configuration."""

    def __init__(self, names: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        """Know also values of `names`, and what `patterns` match: regular expressions.

        Raises ValueError for a pattern that is none.
        """
        self._own = own = names_of(names)
        self._names = NameFinder(own)
        self._patterns = [_compiled(pattern) for pattern in patterns]
        self.surely_harmless = _never if self._patterns else Prefilter(own).is_harmless

    def __call__(self, lines: bytes) -> bytes:
        """Return `lines` without secrets."""
        if self.surely_harmless(lines):
            return lines
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

    def screen(self) -> Optional[bytes]:
        """Return the table by which the extension in C looks for secrets first.

        None if it can't: what patterns of a configuration match is not known beforehand.
        """
        return None if self._patterns else screen_of(self._own)

    def is_harmless(self, raw: bytes) -> bool:
        """Return whether bytes of JSON have no secret; for nearly all of them, quickly."""
        return self.surely_harmless(raw) or not self.find(raw)


_DATA = b',"data":'
_settings: tuple[str, ...] = ("", "", "")
active: Optional[Redactor] = Redactor()
"""What redacts the lines of this process; None for not at all."""


def configure(environ: Mapping[str, str]) -> None:
    """Have this process's lines redacted as an environment asks for it.

    A pattern that is no regular expression is left out: the configuration's check names it.
    """
    global _settings, active  # one for the process, as the environment is
    settings = tuple(environ.get(name, "") for name in VARIABLES)
    if settings != _settings:
        active, _settings = redactor_of(environ), settings


def redacted(line: bytes) -> bytes:
    """Return the line of an event without the secrets of its data."""
    redactor = active
    if redactor is None:
        return line
    data = line[line.find(_DATA) :]
    if redactor.surely_harmless(data) or not redactor.find(data):
        return line
    return redactor(line)


def is_harmless(raw: bytes) -> bool:
    """Whether bytes, of any number of lines, surely have nothing that `redacted` replaces."""
    return active is None or active.is_harmless(raw)


def data_of(line: bytes) -> bytes:
    """Return the part of an event's line that `redacted` looks at."""
    return line[line.find(_DATA) :]


def without_torn_secret(text: str, length: int) -> str:
    """Return the first `length` characters of `text`; fewer where a secret would be torn.

    What is left of a torn secret has no shape that is known, and would stay.
    """
    return text[: _secret_around(text, length)[0]]


def after_torn_secret(text: str, start: int) -> str:
    """Return `text` from `start` on; from the end of a secret that would be torn there."""
    return text[_secret_around(text, start)[1] :]


def _secret_around(text: str, at: int) -> tuple[int, int]:
    """Return where the secret at `at` begins and ends; `at` twice if there is none."""
    if active is None or not 0 < at < len(text):
        return at, at
    first = max(0, at - AROUND_CUT)
    before = _escaped(text[first:at])
    around = before + _escaped(text[at : at + AROUND_CUT])
    for one in active.find(around):
        if one.start < len(before) < one.end:
            start, end = (len(json.loads(b'"%s"' % around[:to])) for to in one[:2])
            return first + start, first + end
    return at, at


def _escaped(text: str) -> bytes:
    """Return a text as it is in a line, which is where secrets are known by their shape."""
    # Not by orjson, which kills the process where it gets no memory.
    return encode_basestring(text)[1:-1].encode("utf-8", "replace")


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


def _never(_raw: bytes) -> bool:
    """What patterns of a configuration match is not known beforehand."""
    return False


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
