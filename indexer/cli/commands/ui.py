"""`telemetry ui`: the live page, on this machine only.

Called by the command line. The work is in indexer/ui/, which needs the extra `ui`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Optional

import click

from indexer.cli.context import Settings, base_option, fleet_options
from indexer.cli.exit_codes import OK
from indexer.system.base import Base
from telemetry_core.errors import TelemetryError

EXAMPLES = """\b
Examples:
  telemetry ui --open            in the browser, on the base that the environment names
  telemetry ui --port 9000
  telemetry ui --fleet           the runs of all hosts that ship to a centre
  telemetry ui --link            another address that opens the page which is being served
"""


class MissingExtra(TelemetryError):
    """What the page is made with is not installed."""

    hint = "pip install 'local-telemetry[ui]' (Python 3.10 or newer)"


@click.command("ui", epilog=EXAMPLES)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="A loopback address to listen at."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The port; 0 for any free one. Default 8765, or the next that is free.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--index/--no-index",
    "indexes",
    default=True,
    help="Index what arrives, where no daemon does so already. Default: yes.",
)
@click.option("--link", is_flag=True, help="Print one more address of the page being served.")
@fleet_options
@base_option
@click.pass_obj
def command(
    settings: Settings, *, host: str, port: Optional[int], opens: bool, indexes: bool, link: bool
) -> int:
    """Serve the live page: what runs now, every run with its spans and events, agents, usage.

    It prints an address that signs one browser in, once. Only this machine can reach the
    page, and only browsers that were signed in see anything. It loads nothing from other hosts.

    With --fleet it shows the newest runs of the centre that config/telemetry.toml names, and asks
    it while a page is open and at no other time; nothing is indexed here.
    """
    base = settings.base()
    if link:
        click.echo(import_page().link_to(base, of_fleet=settings.reads_fleet))
        return OK
    if settings.reads_fleet:
        serving = {"reads_fleet": True, "fleet": settings.fleet}
        launch = import_page()
        launch.serve(base, launch.Serving(host, port, opens, (), **serving), say)
        return OK
    serve_page(base, host, port, opens=opens, indexes=indexes)
    return OK


def serve_page(
    base: Base,
    host: str = "127.0.0.1",
    port: Optional[int] = None,
    *,
    opens: bool = False,
    indexes: bool = True,
) -> None:
    """Serve the page of a base until Ctrl-C. Raises MissingExtra, NotServed or OSError."""
    launch = import_page()
    children = [("index", "--watch")] if indexes else []
    launch.serve(base, launch.Serving(host, port, opens, children), say)


def is_page_installed() -> bool:
    """Return whether the extra `ui` is there, without importing it."""
    return all(find_spec(name) is not None for name in ("starlette", "uvicorn", "jinja2"))


def import_page() -> ModuleType:
    """Return indexer.ui.launch, or say what to install. Raises MissingExtra."""
    try:
        # Imported here: Starlette and uvicorn are an extra, and `--help` needs neither.
        return import_module("indexer.ui.launch")
    except ModuleNotFoundError as error:
        name = str(error.name).partition(".")[0]
        raise MissingExtra(f"the page needs {name}, which is not installed") from error


def say(link: str) -> None:
    """Print the address of the page."""
    click.echo(link)
    click.echo("It signs one browser in, once. Ctrl-C ends the page.", err=True)
