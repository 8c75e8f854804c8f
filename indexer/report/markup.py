"""Elements of SVG, in which text can only ever be text.

Used by the charts. Everything that is not made by `element` is escaped, so that nothing an agent
wrote can become an element, an attribute or a script.
"""

from __future__ import annotations

from html import escape
from typing import Any

from indexer.terminal.format import plain

_WITHOUT_END = frozenset(("meta", "br", "link"))


class Markup(str):
    """Text that already is markup."""

    __slots__ = ()


def element(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """Return an element. `_` in the name of an attribute becomes `-`; None leaves one out."""
    named = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _WITHOUT_END:
        return Markup(f"<{name}{named}>")
    return Markup(f"<{name}{named}>{together(*children)}</{name}>")


def together(*children: Any) -> Markup:
    """Return markup and text joined; None is left out."""
    return Markup(
        "".join(child if isinstance(child, Markup) else _text(child) for child in children)
    )


def _text(value: Any) -> str:
    return escape(plain(value))


def percent(value: float) -> str:
    """Return a share of the width as SVG spells it."""
    return f"{value:.3f}%"
