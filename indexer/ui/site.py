"""Hold everything that a page needs to answer, and what was asked of it.

Made by the application, given to every page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Protocol

import orjson
from jinja2 import Environment

from indexer.export.csv_text import csv_line
from indexer.system.base import Base
from indexer.ui.kept import Kept
from indexer.ui.live.stream import Stream
from indexer.ui.readers import Reading

MOST_BYTES = 4_000_000
"""The longest answer."""
PAGE_SECONDS = 2.0
"""How long the queries of a page may take in all. On a machine that is not overloaded they take a
tenth of that: those that look through many runs stop by themselves."""


class Health(Protocol):
    """Who knows how this host is."""

    def latest(self, patience: float = 0.0) -> Optional[dict[str, Any]]:
        """Return what `telemetry status` says; None where that is not known."""
        ...


class NoHealth:
    """Of a fleet: health is a host's."""

    def latest(self, patience: float = 0.0) -> Optional[dict[str, Any]]:  # noqa: ARG002
        """Return that nothing is known."""
        return None


class Source(NamedTuple):
    """What the pages show: this host, or a fleet."""

    readers: Reading
    stream: Stream
    health: Health


@dataclass(frozen=True)
class Site:
    """One base or fleet, as its pages see it."""

    base: Base
    readers: Reading
    environment: Environment
    stream: Stream
    health: Health
    kept: Kept

    @property
    def is_fleet(self) -> bool:
        """Whether it is the page of a fleet, and not of this host."""
        return bool(self.readers.name)


_NO_LISTS = ("/runs/", "/sql", "/health")


@dataclass(frozen=True)
class Asked:
    """A request, without what HTTP adds to it."""

    path: str
    lists: Mapping[str, Sequence[str]]
    """The parameters of the address, each with all its values."""
    form: str = "html"
    """`html`, `json` or `csv`: how the answer is to be written."""

    def get(self, name: str, otherwise: str = "") -> str:
        """Return the last value of a parameter."""
        values = self.lists.get(name)
        return values[-1] if values else otherwise

    @property
    def last(self) -> dict[str, str]:
        """The last value of each parameter."""
        return {name: values[-1] for name, values in self.lists.items() if values}

    @property
    def query(self) -> dict[str, Sequence[str]]:
        """The parameters that say what is shown, without those that say which piece of it."""
        return {name: values for name, values in self.lists.items() if name not in ("part", "ids")}

    def number(self, name: str, otherwise: int, most: int) -> int:
        """Return a parameter as a number from 1 to `most`."""
        try:
            return max(1, min(int(self.get(name)), most))
        except ValueError:
            return otherwise


@dataclass(frozen=True)
class Reply:
    """An answer."""

    body: bytes
    media_type: str = "text/html; charset=utf-8"
    status: int = 200


Page = Callable[[Site, Asked], Reply]


def html(site: Site, asked: Asked, template: str, status: int = 200, **values: Any) -> Reply:
    """Return a page, or only what is in its `main` if a part is asked for."""
    layout = "part.html" if asked.get("part") else "base.html"
    text = site.environment.get_template(template).render(
        values,
        layout=layout,
        asked=asked,
        position=site.stream.position,
        fleet=site.readers.name,
        left_out="" if asked.path.startswith(_NO_LISTS) else site.readers.note,
    )
    return checked(Reply(text.encode("utf-8", "replace"), status=status))


def json(value: Any, status: int = 200) -> Reply:
    """Return a value as JSON."""
    data = orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2)
    return checked(Reply(data + b"\n", "application/json", status))


def csv(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> Reply:
    """Return rows as CSV."""
    text = "".join(csv_line(row) for row in [titles, *rows])
    return checked(Reply(text.encode("utf-8", "replace"), "text/csv; charset=utf-8"))


def checked(reply: Reply) -> Reply:
    """Return an answer, or one that says that it would be too long."""
    if len(reply.body) <= MOST_BYTES:
        return reply
    text = (
        f"The answer has {len(reply.body):,} bytes, and {MOST_BYTES:,} is the most. Ask for less.\n"
    )
    return Reply(text.encode(), "text/plain; charset=utf-8", 413)
