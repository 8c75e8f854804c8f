"""Pages for what is not there and for what went wrong: the thing, the reason, the command.

Called by the application.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple, Union

from indexer.errors import DatabaseUnusable
from indexer.fleet.errors import FleetError
from indexer.ui.site import Asked, Reply, Site, html, json


class Said(NamedTuple):
    """What a page that says one thing says."""

    status: int
    title: str
    what: str
    todo: str = ""
    near: Sequence[str] = ()
    """Ids of runs that may have been meant."""


def not_found(site: Site, asked: Asked) -> Reply:
    """Return that there is no such page."""
    what = f"There is nothing at {asked.path[:200]}."
    return message(site, asked, Said(404, "No such page", what, "The pages are in the header."))


def failure(
    site: Site, asked: Asked, error: Union[DatabaseUnusable, FleetError, sqlite3.Error, None]
) -> Reply:
    """Return what kept a page from being made."""
    title = "This can't be shown now"
    if error is None:
        what = "This page failed; the reason is in the log of `telemetry ui`."
        return message(site, asked, Said(500, title, what))
    if str(error) != "interrupted":
        return message(site, asked, Said(503, title, *in_parts(error)))
    what = "The database did not answer in the time allowed."
    todo = "Ask for less, or again in a moment: another process may be writing a lot."
    return message(site, asked, Said(503, title, what, todo))


def in_parts(error: Exception) -> tuple[str, str]:
    """Return what happened, and what to do about it where the error says so."""
    hint: str = getattr(error, "hint", "")
    return str(error).removesuffix(f". {hint}"), hint


def message(site: Site, asked: Asked, said: Said) -> Reply:
    """Return a page that says one thing."""
    if asked.form != "html":
        return json({"error": said.what, "hint": said.todo}, said.status)
    return html(site, asked, "message.html", said.status, said=said)
