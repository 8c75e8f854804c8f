"""Route each address to its page.

Made by the command line, served by the server behind the guard. Pages run in a few threads, for
they read the database; the loop only passes bytes on.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Optional
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from indexer.errors import DatabaseUnusable
from indexer.fleet.errors import FleetError
from indexer.system.base import Base
from indexer.ui.assets import Asset, load_assets
from indexer.ui.guard import Guard
from indexer.ui.health_check import HealthCheck
from indexer.ui.kept import Kept
from indexer.ui.live.stream import Stream
from indexer.ui.live.watcher import DatabaseWatcher
from indexer.ui.pages.agents import agents
from indexer.ui.pages.failure import failure, not_found
from indexer.ui.pages.health import health
from indexer.ui.pages.overview import overview
from indexer.ui.pages.run.page import run
from indexer.ui.pages.runs import runs
from indexer.ui.pages.sql import sql
from indexer.ui.pages.usage import usage
from indexer.ui.readers import Readers
from indexer.ui.rendering import make_environment
from indexer.ui.sign_in import Door
from indexer.ui.site import Asked, Page, Reply, Site, Source
from telemetry_core import __version__

logger = logging.getLogger(__name__)

_THREADS = 4
_MOST_FIELDS = 300
_LISTS: dict[str, Page] = {
    "/": overview,
    "/runs": runs,
    "/agents": agents,
    "/usage": usage,
    "/sql": sql,
    "/health": health,
}
_SUFFIXES = {"": "html", ".json": "json", ".csv": "csv"}


def source_of(base: Base) -> Source:
    """Return what the pages of a host show."""
    stream = Stream(lambda listeners: DatabaseWatcher(base, listeners))
    return Source(Readers(base.database_path), stream, HealthCheck(base))


class Application:
    """The pages of one base, or of a fleet. Close it when done."""

    def __init__(self, base: Base, source: Optional[Source] = None) -> None:
        """`source` is the fleet to show; without it, the base itself is."""
        self._assets = load_assets()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="telemetry-ui-page")
        source = source or source_of(base)
        self._readers, self._stream = source.readers, source.stream
        paths = {kind: asset.path for kind, asset in self._assets.items()}
        environment = make_environment({"assets": paths, "version": __version__})
        self._site = Site(base, self._readers, environment, self._stream, source.health, Kept())

    def guarded(self, door: Door, port: int) -> ASGIApp:
        """Return the ASGI application for a port, which only who knows the door can use."""
        app = Starlette(routes=self._routes())
        return Guard(app, door, port, self._assets["style"].path)

    def end_streams(self) -> None:
        """End what would go on for ever. Called on the loop, when the server begins to end."""
        self._stream.close()

    def close(self) -> None:
        """End what is left and close the database."""
        self._stream.close()
        self._threads.shutdown(cancel_futures=True)
        self._readers.close()

    def _routes(self) -> list[Route]:
        routes = [Route(asset.path, _asset(asset)) for asset in self._assets.values()]
        routes.append(Route("/events", self._events))
        for path, page in _LISTS.items():
            for suffix, form in _SUFFIXES.items():
                name = "/overview" if path == "/" and suffix else path
                routes.append(Route(f"{name}{suffix}", self._endpoint(page, form)))
        routes.append(Route("/runs/{run_id:path}", self._endpoint(run, "html")))
        routes.append(Route("/{path:path}", self._endpoint(not_found, "html")))
        return routes

    def _endpoint(self, page: Page, form: str) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            asked = _asked(request, form)
            loop = asyncio.get_running_loop()
            reply = await loop.run_in_executor(self._threads, self._answer, page, asked)
            headers = {"content-type": reply.media_type}
            return Response(reply.body, reply.status, headers)

        return answer

    def _answer(self, page: Page, asked: Asked) -> Reply:
        """Return what a page answers; what goes wrong is said, not shown as a traceback."""
        try:
            return page(self._site, asked)
        except (DatabaseUnusable, FleetError, sqlite3.Error) as error:
            return failure(self._site, asked, error)
        except Exception:
            logger.exception("a page failed: %s", asked.path)
            return failure(self._site, asked, None)

    async def _events(self, request: Request) -> Response:
        if self._stream.is_full:
            return Response("Too many streams.\n", 503)
        seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")
        return StreamingResponse(self._stream.messages(seen), media_type="text/event-stream")


def _asked(request: Request, form: str) -> Asked:
    query = request.scope["query_string"].decode("latin-1")
    try:
        lists = parse_qs(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        lists = {}
    return Asked(request.scope["path"], lists, form)


def _asset(asset: Asset) -> Callable[[Request], object]:
    headers = {
        "content-type": asset.media_type,
        "cache-control": "public, max-age=31536000, immutable",
    }

    async def answer(request: Request) -> Response:
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(asset.compressed, headers={**headers, "content-encoding": "gzip"})
        return Response(asset.data, headers=headers)

    return answer
