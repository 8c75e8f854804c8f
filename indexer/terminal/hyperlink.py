"""Link run ids to the page, at terminals that can: a click opens the run in the browser.

Used by the commands that show runs, which say where the page is served. The addresses have no
secret in them: a browser that signed in opens them, no other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Callable, Optional

import click

from indexer.terminal.console import at_terminal

_KEY = "indexer.terminal.hyperlink"
_PROGRAMS = frozenset(
    ("iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "rio", "Tabby", "WarpTerminal")
)
"""Values of TERM_PROGRAM."""
_TERMS = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour")
_VARIABLES = ("WT_SESSION", "KITTY_WINDOW_ID", "DOMTERM", "KONSOLE_VERSION")
"""Set by terminals that know links, whatever their version."""
_VTE_WITH_LINKS = 5000


class Linked(str):
    """A text that opens an address; the table of a terminal shows it as such."""

    __slots__ = ("address",)

    address: str

    @classmethod
    def to(cls, text: str, address: str) -> Linked:
        """Return a text with the address that it opens."""
        linked = cls(text)
        linked.address = address
        return linked


def use_page(find: Callable[[], str]) -> None:
    """Say how this command finds where the page is served, as in `http://127.0.0.1:8765`.

    `find` is called once, only where a link could be shown; it returns nothing if there is no page.
    """
    context = click.get_current_context(silent=True)
    if context is not None and at_terminal() and knows_links(os.environ):
        context.meta[_KEY] = find()


def linked_run(run_id: str, text: str) -> str:
    """Return a text that opens a run where that can be, else the text as it is."""
    address = _address_of(run_id)
    return text if address is None else Linked.to(text, address)


def sequence(text: str) -> str:
    """Return a text as it is written to the terminal: with the sequence that makes it a link."""
    if not isinstance(text, Linked):
        return text
    return f"\x1b]8;;{text.address}\x1b\\{text}\x1b]8;;\x1b\\"


def knows_links(environment: Mapping[str, str]) -> bool:
    """Return whether the terminal shows links, or would show their bytes as rubbish.

    FORCE_HYPERLINK decides where it is set. Without colours there are no links either.
    """
    forced = environment.get("FORCE_HYPERLINK")
    if forced:
        return forced not in ("0", "false", "no")
    term = environment.get("TERM", "")
    # A multiplexer passes on the variables of a terminal that it stands in front of.
    if environment.get("NO_COLOR") or term == "dumb" or term.startswith(("screen", "tmux")):
        return False
    return (
        environment.get("TERM_PROGRAM", "") in _PROGRAMS
        or term.startswith(_TERMS)
        or any(environment.get(name) for name in _VARIABLES)
        or _number(environment.get("VTE_VERSION", "")) >= _VTE_WITH_LINKS
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _address_of(run_id: str) -> Optional[str]:
    context = click.get_current_context(silent=True)
    page = context.meta.get(_KEY) if context is not None else None
    if not page:
        return None
    # Imported here: it is large, and rarely is a page served.
    from urllib.parse import quote

    return f"{page}/runs/{quote(run_id, safe='')}"
