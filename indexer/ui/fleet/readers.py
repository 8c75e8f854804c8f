"""Databases in memory for the pages of a fleet: its newest runs, and single runs in full.

Called by the pages in place of the connections to a host's database. What was copied is good for a
moment, and for as long as no host has shipped: that is one small question.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Optional

from indexer.errors import NoSuchRun
from indexer.fleet.reading.choice import chosen_centre, explaining, in_words
from indexer.fleet.reading.copy import Copy
from indexer.fleet.reading.pages import add_newest, add_page_of_run
from indexer.fleet.reading.query import SCHEMA, FleetSql
from indexer.fleet.reading.reader import memory_database
from indexer.fleet.wire.address import address_of
from indexer.fleet.wire.client import FleetClient
from indexer.system.base import Base
from indexer.ui.readers import Answer, Deadline

MOST_ROWS = 20_000
"""Of one table, for the lists as for one run."""
_STEPS_BETWEEN_LOOKS = 2_000
_TIMEOUT = 10.0
_FRESH_SECONDS = 2.0
_TIMES = 5.0
"""What took a second to copy is good for so many."""
_LONGEST = 60.0
_RUNS_HELD = 8
_LISTS: tuple[str, ...] = ()
_VERSION = "SELECT sum(cityHash64(node, shipped)) FROM node_rows FINAL"


@dataclass
class _Held:
    """A database, and until when it is good."""

    copy: Copy
    version: int
    took: float
    until: float


class FleetReaders:
    """The centre as pages read it, one page at a time."""

    def __init__(self, base: Base, name: Optional[str]) -> None:
        """Choose the centre and ask it nothing yet. Raises FleetError."""
        self._base = base
        self._target = chosen_centre(base, name)
        address = address_of(self._target)
        self._address = replace(address, timeout=min(address.timeout, _TIMEOUT))
        self._client = FleetClient(self._address)
        self._lock = threading.Lock()
        self._held: dict[tuple[str, ...], _Held] = {}
        self._schema: dict[str, list[str]] = {}
        self._took = 0.0

    @property
    def name(self) -> str:
        """`fleet NAME at HOST`."""
        return in_words(self._target)

    @property
    def note(self) -> str:
        """What the lists leave out, in words; empty for nothing."""
        held = self._held.get(_LISTS)
        return "; ".join(dict.fromkeys(held.copy.notes)) if held else ""

    @property
    def pause(self) -> float:
        """How many seconds should be between two looks at whether there is something new."""
        return _good_for(self._took)

    @contextmanager
    def connection(self, seconds: float, about: Sequence[str] = ()) -> Iterator[sqlite3.Connection]:
        """Give a database for a block, in which SQLite may run for `seconds`.

        It has the newest runs, or all there is of the runs that the page is `about`. Raises
        FleetError.
        """
        with self._lock, explaining(self._target):
            connection = self._current(tuple(about)).copy.connection
            connection.set_progress_handler(Deadline(seconds).is_over, _STEPS_BETWEEN_LOOKS)
            try:
                yield connection
            finally:
                connection.set_progress_handler(None, 0)

    @contextmanager
    def query(self, sql: str, seconds: float) -> Iterator[Answer]:
        """Give the answer to a query of the user's. Raises FleetError."""
        address = replace(self._address, timeout=seconds + _TIMEOUT)
        with explaining(self._target), FleetClient(address) as client:
            result = FleetSql(client, self.name, seconds).run(sql)
        yield Answer(result.columns, map(tuple, result.rows))

    def schema(self, seconds: float) -> dict[str, list[str]]:
        """Return tables and views with the names of their columns. Raises FleetError."""
        if not self._schema:
            with self.query(SCHEMA, seconds) as answer:
                for table, column, _ in answer.rows:
                    self._schema.setdefault(str(table), []).append(str(column))
        return self._schema

    def look(self) -> bool:
        """Return whether a host has shipped since something was copied; that is dropped then.

        Raises FleetError.
        """
        with self._lock, explaining(self._target):
            version = self._version()
            outdated = [about for about, held in self._held.items() if held.version != version]
            for about in outdated:
                self._held.pop(about).copy.connection.close()
            return bool(outdated)

    def close(self) -> None:
        """Close the connection and all databases."""
        with self._lock:
            self._client.close()
            for held in self._held.values():
                held.copy.connection.close()
            self._held.clear()

    def _current(self, about: tuple[str, ...]) -> _Held:
        held = self._held.get(about)
        if held is not None and time.monotonic() < held.until:
            return held
        version = self._version()
        if held is None or held.version != version:
            held = self._copied(about, version)
        held.until = time.monotonic() + _good_for(held.took)
        return held

    def _copied(self, about: tuple[str, ...], version: int) -> _Held:
        began = time.monotonic()
        copy = self._filled(lambda copy: _fill(copy, about))
        self._drop(about)
        self._took = time.monotonic() - began
        self._held[about] = _Held(copy, version, self._took, 0.0)
        return self._held[about]

    def _filled(self, fill: Callable[[Copy], None]) -> Copy:
        connection = memory_database(self._base.config.stale_after)
        try:
            copy = Copy(self._client, connection, MOST_ROWS)
            fill(copy)
        except BaseException:
            connection.close()
            raise
        # Pages read rows by their places.
        connection.row_factory = None
        return copy

    def _drop(self, about: tuple[str, ...]) -> None:
        """Forget the database of a page, and the oldest of single runs where there are many."""
        runs = [one for one in self._held if one != _LISTS]
        for one in (about, *runs[: max(0, len(runs) - _RUNS_HELD + 1)]):
            held = self._held.pop(one, None)
            if held is not None:
                held.copy.connection.close()

    def _version(self) -> int:
        ((version,),) = self._client.select(_VERSION)[1]
        return int(version or 0)


def _fill(copy: Copy, about: tuple[str, ...]) -> None:
    if not about:
        add_newest(copy)
    for one in about:
        try:
            add_page_of_run(copy, one)
        except NoSuchRun:
            # The page says so, with the runs that may have been meant.
            add_newest(copy, among=500)


def _good_for(took: float) -> float:
    return max(_FRESH_SECONDS, min(_LONGEST, took * _TIMES))
