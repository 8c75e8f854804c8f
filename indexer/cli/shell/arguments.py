"""The arguments of commands for shell scripts, read without a library.

Called by the entry point. Pure.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from telemetry_core.run_fields import RUN_FIELDS

OPTIONS = {
    "exec": ("agent", "job", "timeout", "tail", "field", "base"),
    "start": ("base", "trigger"),
    "log": ("base",),
    "set": ("base",),
    "end": ("base", "status", "note"),
}
"""The options of each command; all have a value."""

_LEAST = {"exec": 1, "start": 2, "log": 2, "set": 2, "end": 1}
_TEXTS = frozenset(field.name for field in RUN_FIELDS if field.kind in ("text", "time"))


class Unclear(Exception):
    """The words are not written the plain way."""


class Arguments(NamedTuple):
    """What stands behind a command's name."""

    options: dict[str, list[str]]
    words: list[str]

    def option(self, name: str, default: str = "") -> str:
        """Return the last value of an option."""
        values = self.options.get(name)
        return values[-1] if values else default


def parse(command: str, words: list[str]) -> Arguments:
    """Read the words behind a command's name. Raises Unclear.

    For `exec` all that follows the first word that is no option belongs to the wrapped command.
    """
    options: dict[str, list[str]] = {}
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            rest += left
            break
        if word.startswith("--"):
            name, value = _option(command, word, left)
            options.setdefault(name, []).append(value)
        elif word.startswith("-") and word != "-":
            raise Unclear(word)
        else:
            rest.append(word)
            if command == "exec":
                rest += left
                break
    if len(rest) < _LEAST[command]:
        raise Unclear(command)
    return Arguments(options, rest)


def _option(command: str, word: str, left: list[str]) -> tuple[str, str]:
    name, equals, value = word[2:].partition("=")
    if name not in OPTIONS[command] or not (equals or left):
        raise Unclear(word)
    return name, value if equals else left.pop(0)


def fields_of(pairs: list[str]) -> dict[str, Any]:
    """Read `NAME=VALUE` words as run fields. Raises ValueError for a word that is none.

    Of a field that is a text the value is one; else what is JSON is what it says, a number say.
    """
    fields: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise ValueError(f"{pair!r} is not NAME=VALUE")
        fields[name] = value if name in _TEXTS else json_or_text(value)
    return fields


def json_or_text(value: str) -> Any:
    """Return what a text says in JSON, or the text itself."""
    # Imported here: a wrapped command that is given no fields needs it a little later only.
    import orjson

    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
