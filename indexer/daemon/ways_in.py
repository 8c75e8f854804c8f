"""Take session files and OpenTelemetry records into the log, from within the daemon.

Called by the daemon's loop between passes. What is wrong with either costs the daemon nothing
else: it is returned in words, and tried again.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

from indexer.errors import AlreadyRunning
from indexer.outbox.settings_file import read_document
from indexer.system.base import Base

if TYPE_CHECKING:
    from indexer.importers.rounds import Rounds
    from indexer.receivers.server import ReceiverServer

logger = logging.getLogger(__name__)

_END_SECONDS = 10.0
_RECEIVE_SETTINGS = ("enabled", "host", "port")


class Address(NamedTuple):
    """Where to receive."""

    host: str = "127.0.0.1"
    port: int = 4318


class WaysIn:
    """What one daemon imports and receives, as its settings say."""

    def __init__(
        self, base: Base, should_stop: Callable[[], bool], address: Optional[Address] = None
    ) -> None:
        """Receive at `address`; without one, where the settings file says so."""
        self._base = base
        self._should_stop = should_stop
        self._address = address
        self._rounds: Optional[Rounds] = None
        self._server: Optional[ReceiverServer] = None
        self._thread: Optional[threading.Thread] = None
        self._problems: list[str] = []

    def start(self) -> None:
        """Read the settings and begin to receive.

        Raises ImportError, ValueError or OSError if an address was given and can't be used.
        """
        document, _ = read_document(self._base.settings_path)
        if "import" in document:
            self._start_importing()
        if self._address is not None:
            self._start_receiving(self._address)
            return
        address = self._configured(document)
        if address is not None:
            try:
                self._start_receiving(address)
            except (ImportError, ValueError, OSError) as error:
                self._problems.append(f"[receive] of the settings file: {error}")

    def step(self) -> list[str]:
        """Import for a moment; return what is wrong. Raises TelemetryError or OSError."""
        problems, self._problems = self._problems, []
        if self._rounds is not None:
            try:
                done = self._rounds.step()
            except AlreadyRunning as error:
                logger.info("importing waits: %s", error)
            else:
                problems += done.problems
                if done.events:
                    logger.info("%d lines of %d session files", done.events, done.files)
        return problems

    @property
    def wait(self) -> float:
        """Seconds until there is something to import."""
        return math.inf if self._rounds is None else self._rounds.wait

    def stop(self) -> None:
        """Answer what is being received, and no more."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join(_END_SECONDS)

    def _start_importing(self) -> None:
        # Imported here: most bases import nothing.
        from indexer.importers.importer import Importer
        from indexer.importers.rounds import Rounds
        from indexer.importers.settings import load_settings

        settings = load_settings(self._base.settings_path)
        self._problems += settings.problems
        if settings.wanted is not None:
            importer = Importer(self._base, settings.wanted, patience=0.0)
            self._rounds = Rounds(importer, self._should_stop)

    def _start_receiving(self, address: Address) -> None:
        # Imported here: it needs an extra, and Python 3.10.
        from indexer.receivers.server import ReceiverServer

        token = os.environ.get("TELEMETRY_RECEIVE_TOKEN", "")
        self._server = ReceiverServer(self._base, address.host, address.port, token)
        self._thread = threading.Thread(
            target=self._server.serve_here, name="receiver", daemon=True
        )
        self._thread.start()
        logger.info("receiving at http://%s:%d", address.host, self._server.port)

    def _configured(self, document: Mapping[str, object]) -> Optional[Address]:
        """Return the address of `[receive]`, None where nothing is to be received."""
        table = document.get("receive")
        if table is None:
            return None
        if not isinstance(table, Mapping) or not set(table) <= set(_RECEIVE_SETTINGS):
            known = ", ".join(_RECEIVE_SETTINGS)
            self._problems.append(f"[receive] of the settings file: known are {known}")
            return None
        host, port = table.get("host", "127.0.0.1"), table.get("port", 4318)
        if not isinstance(host, str) or type(port) is not int or not 0 <= port < 65536:
            self._problems.append("[receive] of the settings file: host or port is none")
            return None
        return Address(host, port) if table.get("enabled", True) is True else None
