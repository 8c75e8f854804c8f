"""`telemetry up`: indexer, receiver and page together, as one command.

Called by the command line. It is `telemetry ui` together with everything that can feed it.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Optional

import click

from indexer.cli.commands.ui import import_page, say
from indexer.cli.context import Settings, base_option
from indexer.cli.exit_codes import OK

EXAMPLES = """\b
Examples:
  telemetry up --open            everything, and the page in the browser
  telemetry up --port 9000
"""

_OTLP_PORT = 4318


@click.command("up", epilog=EXAMPLES)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="A loopback address for the page."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The page's port; 0 for any free one. Default 8765, or the next that is free.",
)
@click.option(
    "--receive-port",
    type=click.IntRange(1, 65535),
    default=_OTLP_PORT,
    show_default=True,
    help="The OpenTelemetry receiver's port.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@base_option
@click.pass_obj
def command(
    settings: Settings, *, host: str, port: Optional[int], receive_port: int, opens: bool
) -> int:
    """Index new events, receive OpenTelemetry data, and serve the live page.

    The receiver needs the extra `receive`. It and the indexer run as processes of their own, unless
    others do their work already, and end with this one; they log to logs/ in the base directory.
    """
    launch = import_page()
    children: list[tuple[str, ...]] = [("index", "--watch")]
    if _is_receiver_installed():
        children.append(("receive", "--port", str(receive_port)))
        click.echo(f"OpenTelemetry: http://127.0.0.1:{receive_port}", err=True)
    launch.serve(settings.base(), launch.Serving(host, port, opens, children), say)
    return OK


def _is_receiver_installed() -> bool:
    """Return whether the extra `receive` is there, without importing it."""
    try:
        return find_spec("opentelemetry.proto") is not None
    except ModuleNotFoundError:
        # Not even the package around it.
        return False
