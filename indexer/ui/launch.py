"""Serve the page, from opening the socket to the last child's end.

Called by `telemetry ui` and `telemetry up`.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import webbrowser
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Callable, Optional

from indexer.system.base import Base
from indexer.system.http_server import listen
from indexer.ui.app import Application, source_of
from indexer.ui.server import MOST_CONNECTIONS, make_server
from indexer.ui.sign_in import Address, Door, load_address, save_address
from indexer.ui.site import Source
from indexer.ui.supervisor import Supervisor
from telemetry_core.errors import TelemetryError

DEFAULT_PORT = 8765
_PORTS_TRIED = 20


class NotServed(TelemetryError):
    """The page can't be served where it was asked for."""

    hint = "`telemetry ui --help` has the options"


@dataclass(frozen=True)
class Serving:
    """How the page is to be served."""

    host: str
    port: Optional[int]
    """None for the usual one, or the next that is free."""
    opens: bool
    commands: Sequence[Sequence[str]]
    """What is to run with it, as in `("index", "--watch")`."""
    reads_fleet: bool = False
    """Whether it shows a fleet, and not the base."""
    fleet: Optional[str] = None
    """The name of the fleet's target; None for the only one."""


def serve(base: Base, serving: Serving, say: Callable[[str], None]) -> None:
    """Serve the page until SIGTERM or Ctrl-C; `say` gets the address, once it answers there.

    Raises NotServed, FleetError or OSError.
    """
    _check_loopback(serving.host)
    with (
        closing(_listen(serving)) as listener,
        closing(Supervisor(base, serving.commands)) as supervisor,
        closing(Application(base, _source(base, serving))) as application,
    ):
        port = listener.getsockname()[1]
        host = f"[{serving.host}]" if ":" in serving.host else serving.host
        of_fleet = serving.reads_fleet
        address = Address(load_address(base, of_fleet=of_fleet).secret, f"http://{host}:{port}")
        save_address(base, address, of_fleet=of_fleet)
        app = application.guarded(Door(address.secret, port), port)
        server = make_server(app, application.end_streams)
        with server.capture_signals():
            supervisor.start()
            link = address.link()
            say(link)
            if serving.opens:
                webbrowser.open(link)
            server.run(sockets=[listener])


def _source(base: Base, serving: Serving) -> Source:
    if not serving.reads_fleet:
        return source_of(base)
    # Imported here: HTTP is large, and a host's page needs none.
    from indexer.ui.fleet.source import fleet_source

    return fleet_source(base, serving.fleet)


def link_to(base: Base, path: str = "/", *, of_fleet: bool = False) -> str:
    """Return an address that opens a page of the server that runs. Raises NotServed."""
    address = load_address(base, of_fleet=of_fleet)
    if not address.is_served():
        what = "the fleet" if of_fleet else str(base.directory)
        failed = NotServed(f"no page is served for {what}")
        failed.hint = f"Start it: `telemetry ui{' --fleet' if of_fleet else ''}`"
        raise failed
    return address.link(path)


def _check_loopback(host: str) -> None:
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        failed = NotServed(f"{host} is no loopback address, and the page is for this machine only")
        failed.hint = "To see it from another machine: `ssh -L 8765:127.0.0.1:8765 HOST`"
        raise failed


def _listen(serving: Serving) -> socket.socket:
    usual = range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED)
    ports = usual if serving.port is None else [serving.port]
    for port in ports:
        try:
            return listen(serving.host, port, MOST_CONNECTIONS)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    failed = NotServed(f"port {ports[0]} is in use")
    failed.hint = "Choose another one: `telemetry ui --port 0` takes any that is free"
    raise failed
