"""Requests go straight into the application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Optional

import httpx
import pytest

from indexer.system.base import Base

pytest.importorskip("starlette", reason="the page needs the extra `ui`, and Python 3.10")

from indexer.ui.app import Application
from indexer.ui.fleet.source import fleet_source
from indexer.ui.sign_in import Address, Door
from telemetry_core import TelemetryConfig

PORT = 8765
HOST = f"127.0.0.1:{PORT}"
SECRET = "a secret of a test"


class Visitor:
    """A browser that is signed in, or somebody who is not."""

    def __init__(self, base: Path, *, reads_fleet: bool = False) -> None:
        one = Base(TelemetryConfig.for_base(base, {}))
        source = fleet_source(one, None) if reads_fleet else None
        self.application = Application(one, source)
        self.door = Door(SECRET, PORT)
        self.app = self.application.guarded(self.door, PORT)
        self.signed_in = {
            "host": HOST,
            "sec-fetch-site": "same-origin",
            "sec-fetch-dest": "document",
            "cookie": self.door.set_cookie().partition(";")[0],
        }

    def close(self) -> None:
        self.application.close()

    def token(self) -> str:
        """A token that opens the door once."""
        return Address(SECRET, "").link().partition("token=")[2]

    def get(self, path: str, headers: Optional[dict[str, str]] = None) -> httpx.Response:
        """Ask as a browser that is signed in, unless `headers` say otherwise."""
        return self.ask("GET", path, self.signed_in if headers is None else headers)

    def ask(self, method: str, path: str, headers: dict[str, str], **more: Any) -> httpx.Response:
        # In a thread of its own: where a browser is driven, this one has a loop already.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(
                lambda: asyncio.run(self._ask(method, path, headers, more))
            ).result()

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], more: dict[str, Any]
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            return await client.request(method, path, headers=headers, **more)


@contextmanager
def visiting(base: Path, *, reads_fleet: bool = False) -> Iterator[Visitor]:
    """A visitor of the page of a base, or of the fleet that it names."""
    with closing(Visitor(base, reads_fleet=reads_fleet)) as visitor:
        yield visitor
