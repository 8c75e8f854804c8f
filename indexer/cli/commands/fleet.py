"""`telemetry fleet`: the central ClickHouse that many hosts ship to."""

from __future__ import annotations

import os
from typing import Optional

import click

from indexer.cli.commands import fleet_checks
from indexer.cli.context import Settings, base_option, json_option
from indexer.cli.exit_codes import OK
from indexer.fleet.schema.layout import REPLICATED, SHARDED, SINGLE, Layout
from indexer.terminal.format import many, plain
from indexer.terminal.json_output import print_json

EXAMPLES = """\b
Examples:
  telemetry fleet init --url http://127.0.0.1:8123 --database telemetry
  telemetry fleet init --url https://ch:8443 --database telemetry --cluster main
  telemetry fleet init --url http://ch:8123 --database telemetry --print | less
  telemetry fleet verify              has the centre what this host has?
  telemetry fleet status              what waits here, and what the centre last answered
"""


@click.group("fleet", epilog=EXAMPLES)
@base_option
def command() -> None:
    """Many hosts, one ClickHouse: set it up, and see what was shipped.

    The target is in config/telemetry.toml; the daemon and `telemetry forward` ship. User and
    password come from TELEMETRY_FLEET_USER and TELEMETRY_FLEET_TOKEN.
    """


@command.command("init", epilog=EXAMPLES)
@click.option("--url", required=True, metavar="URL", help="The server's HTTP address.")
@click.option("--database", required=True, metavar="NAME", help="The database to create or update.")
@click.option("--cluster", metavar="NAME", help="Create on all servers of a cluster.")
@click.option("--replicas-only", is_flag=True, help="The cluster has one shard: spread nothing.")
@click.option(
    "--keep-days", type=click.IntRange(min=1), metavar="DAYS", help="Delete older rows by TTL."
)
@click.option("--print", "only_print", is_flag=True, help="Print the SQL and change nothing.")
@json_option
@base_option
@click.pass_obj
def _init(
    _settings: Settings,
    *,
    url: str,
    database: str,
    cluster: Optional[str],
    replicas_only: bool,
    keep_days: Optional[int],
    only_print: bool,
    as_json: bool,
) -> int:
    """Create the database, its tables and views; an existing one is brought up to date.

    It may be run again at any time: it adds columns for fields that are new, replaces the views,
    and deletes nothing. Without --keep-days the time that rows are kept for stays as it is.
    """
    if replicas_only and not cluster:
        raise click.UsageError("--replicas-only needs --cluster.")
    kind = SINGLE if not cluster else REPLICATED if replicas_only else SHARDED
    layout = Layout(database, cluster, kind, keep_days)
    # Imported here: HTTP is large, and --print needs none.
    if only_print:
        from indexer.fleet.schema.script import script

        click.echo(script(layout), nl=False)
        return OK
    from indexer.fleet.setup import create_centre
    from indexer.fleet.wire.address import address_from
    from indexer.fleet.wire.client import FleetClient

    address = address_from(url, database, os.environ)
    with FleetClient(address) as client:
        count = create_centre(client, layout)
    if as_json:
        print_json({"database": database, "layout": kind, "statements": count})
    else:
        done = many(count, "statement")
        click.echo(f"{plain(database)} at {plain(address.shown)} is up to date ({done})")
    return OK


for _check in fleet_checks.COMMANDS:
    command.add_command(_check)
