"""Render templates, and turn values into text in them.

Called by the pages. Everything is escaped; what an agent wrote is isolated in `bdi`, cut at two
thousand characters, and its control characters are shown as symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Optional
from urllib.parse import quote, urlencode

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from indexer.terminal import format as words
from indexer.terminal.runs_table import short_id
from telemetry_core.timestamp import parse_time

MOST_CHARACTERS = 2_000
_LONGEST_NAME = 60
# What turns the direction of the text around it, or hides: shown, so that it can do neither.
_HIDDEN = (
    *range(0x80, 0xA0),
    0x61C,
    *range(0x200B, 0x200D),
    *range(0x200E, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xD800, 0xE000),
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
)
_SYMBOLS = {
    **{number: chr(0x2400 + number) for number in range(0x20)},
    0x7F: "\u2421",
    **{number: f"\u27e8U+{number:04X}\u27e9" for number in _HIDDEN},
}
_SYMBOLS_BUT_LINES = {key: value for key, value in _SYMBOLS.items() if key not in (9, 10)}
_KNOWN = frozenset(
    ("success", "failed", "timeout", "partial", "running", "cancelled", "stale", "open", "killed")
)


def text(value: Any) -> str:
    """Return a value as one line of text without tricks, cut if it is long."""
    if value is None:
        return ""
    whole = value.hex() if isinstance(value, bytes) else str(value)
    return whole[:MOST_CHARACTERS].translate(_SYMBOLS) + _rest(whole)


def lines(value: Any) -> str:
    """Return a value as text of several lines without tricks, cut if it is long."""
    whole = "" if value is None else str(value).replace("\r\n", "\n")
    return whole[:MOST_CHARACTERS].translate(_SYMBOLS_BUT_LINES) + _rest(whole)


def _rest(whole: str) -> str:
    return "" if len(whole) <= MOST_CHARACTERS else f" \u2026 ({len(whole):,} characters in all)"


def pretty(value: Any) -> str:
    """Return JSON with a line for each of its parts, where it is JSON, as text without tricks."""
    try:
        value = orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, TypeError):
        # Cut, perhaps: as it is.
        pass
    return lines(value)


def isolated(value: Any) -> Markup:
    """Return what an agent wrote as an element of its own direction."""
    return Markup("<bdi>{}</bdi>").format(text(value))


def short(value: Any) -> str:
    """Return a name as it is shown in lists and sentences, where its end matters to nobody."""
    whole = "" if value is None else str(value)
    if not whole.strip():
        return "(blank)"
    return text(whole if len(whole) <= _LONGEST_NAME else f"{whole[:_LONGEST_NAME]}\u2026")


def name(value: Any) -> Markup:
    """Return a name that an agent gave as an element of its own direction, cut if it is long."""
    return Markup("<bdi>{}</bdi>").format(short(value))


def moment(value: Any) -> Markup:
    """Return a time as an element: local, with UTC where one points at it."""
    try:
        local = parse_time(value).astimezone()
    except (TypeError, ValueError, OverflowError, AttributeError):
        return isolated(value)
    today = datetime.now().astimezone().date()
    near = abs((today - local.date()).days) < 1
    words = f"{local:%H:%M:%S}" if near else f"{local:%b} {local.day}, {local:%H:%M}"
    if local.year != today.year:
        words = f"{local:%b} {local.day}, {local.year}"
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(value, words)


def status_class(value: Any) -> str:
    """Return the name of a status for a class or an id: a known one, or `other`."""
    return str(value) if str(value) in _KNOWN else "other"


def money(value: Optional[float]) -> str:
    """Return an amount of dollars; what is not known is not zero."""
    if value is None:
        return "unknown"
    if 0 < abs(value) < 0.01:
        return f"${value:.4f}".rstrip("0")
    return f"${value:,.2f}" if abs(value) < 1e12 else f"${value:.3g}"


def tokens(value: Any) -> str:
    """Return a number of tokens in short: 41k, 2.1M."""
    if not isinstance(value, (int, float)):
        return ""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return (
                f"{value / size:.0f}{unit}" if value >= 10 * size else f"{value / size:.1f}{unit}"
            )
    return f"{value:.0f}"


def number(value: Any) -> str:
    """Return a number in as few digits as say it: `0.31`, `1.2e-05`, `12,000`."""
    if not isinstance(value, (int, float)):
        return text(value)
    return f"{value:,.0f}" if 10_000 <= abs(value) < 1e12 else f"{value:,.4g}"


def percent(value: Optional[float]) -> str:
    """Return a part of the whole as percent."""
    if value is None:
        return ""
    if 0 < value < 0.01:
        return "under 1%"
    return f"{100 * value:.0f}%"


def url(path: str, query: Optional[Mapping[str, Any]] = None) -> str:
    """Return an address on this page; parameters without a value are left out."""
    pairs = [
        (name, one)
        for name, value in (query or {}).items()
        for one in (value if isinstance(value, (list, tuple)) else (value,))
        if one not in ("", None)
    ]
    return path + (f"?{urlencode(pairs)}" if pairs else "")


def without(query: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the parameters of an address but for one, and for the piece of the list shown."""
    return {key: value for key, value in query.items() if key not in (name, "before", "after")}


def run_url(run_id: Any, query: Optional[Mapping[str, Any]] = None) -> str:
    """Return the address of a run's page."""
    return url(f"/runs/{quote(str(run_id), safe='')}", query)


def sentence_list(words: Sequence[str]) -> str:
    """Return words as in a sentence: `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _without_tricks(value: Any) -> Any:
    """Return whatever a template puts out without control characters, where it is no markup."""
    if isinstance(value, str) and not isinstance(value, Markup) and not value.isprintable():
        return value.translate(_SYMBOLS_BUT_LINES)
    return value


def make_environment(shared: Mapping[str, Any]) -> Environment:
    """Return the environment of all templates; `shared` are names that every one of them has."""
    environment = Environment(
        loader=PackageLoader("indexer.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_without_tricks,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        text=text,
        lines=lines,
        pretty=pretty,
        value=isolated,
        name=name,
        short=short,
        moment=moment,
        status_class=status_class,
        money=money,
        tokens=tokens,
        percent=percent,
        number=number,
        count=words.count,
        duration=words.duration,
        ago=words.ago,
        size=words.size,
        short_id=lambda run_id: text(short_id(str(run_id))),
    )
    environment.globals.update(
        shared,
        url=url,
        run_url=run_url,
        without=without,
        many=words.many,
    )
    return environment
