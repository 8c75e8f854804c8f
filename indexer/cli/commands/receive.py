"""`telemetry receive`: OpenTelemetry records taken in over HTTP.

Called by the command line. The work is in indexer/receivers.
"""

from __future__ import annotations

import os

import click

from indexer.cli.context import Settings, base_option
from indexer.cli.exit_codes import OK

EXAMPLES = """\b
Examples:
  telemetry receive
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 my-agent
  telemetry index --watch --receive       the same inside the daemon
"""


@click.command("receive", epilog=EXAMPLES)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address; any but loopback needs TELEMETRY_RECEIVE_TOKEN.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4318,
    show_default=True,
    help="The port; 0 for any that is free.",
)
@base_option
@click.pass_obj
def command(settings: Settings, *, host: str, port: int) -> int:
    """Receive OpenTelemetry traces and logs over HTTP (OTLP), until stopped.

    A request is answered when its records are in the log. Secrets are redacted; metrics are
    counted and not kept. Needs the extra `receive` and Python 3.10 or newer.
    """
    try:
        from indexer.receivers.server import ReceiverServer
    except ImportError as error:
        raise click.ClickException(
            f"{error.name} is missing: pip install 'local-telemetry[receive]' (Python 3.10+)"
        ) from None
    settings.log_to_stderr()
    try:
        server = ReceiverServer(
            settings.base(), host, port, os.environ.get("TELEMETRY_RECEIVE_TOKEN", "")
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    click.echo(f"receiving at http://{host}:{server.port}", err=True)
    server.serve_here()
    return OK
