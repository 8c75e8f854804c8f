"""`telemetry fleet verify`, `status`, `nodes`, `rebuild`: see what the centre has, and mend it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Optional

import click

from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.cli.exit_codes import DEGRADED, OK
from indexer.outbox.target import Target
from indexer.system.base import Base
from indexer.terminal.format import ago, count, local_time, many, plain, size, warn
from indexer.terminal.json_output import print_json
from indexer.terminal.table import Column, print_table

if TYPE_CHECKING:
    from indexer.fleet.checking.finding import Findings
    from indexer.fleet.checking.nodes import Node
    from indexer.fleet.checking.status import Status
    from indexer.fleet.checking.verify import Verified
    from indexer.fleet.wire.client import FleetClient

VERIFY_EXAMPLES = """\b
Examples:
  telemetry fleet verify                has the centre what this host has?
  telemetry fleet verify --json | jq '.findings[] | {kind, what, detail}'
  telemetry forward && telemetry fleet verify    ship what is new first
"""

STATUS_EXAMPLES = """\b
Examples:
  telemetry fleet status                what waits here, and the last answer of the centre
  telemetry fleet status --json | jq .waiting_bytes
"""

NODES_EXAMPLES = """\b
Examples:
  telemetry fleet nodes                 who ships, and when it last did
  telemetry fleet nodes --json | jq -r '.nodes[] | [.node, .shipped_at] | @tsv'
"""

REBUILD_EXAMPLES = """\b
Examples:
  telemetry fleet rebuild               after an upgrade that reads sessions better, on one host
"""

_target_argument = click.argument("target", required=False, metavar="[TARGET]")


def _chosen(base: Base, name: Optional[str]) -> Target:
    # Imported here, as below: HTTP is large, and other commands of the group need none.
    from indexer.fleet.reading.choice import chosen_centre

    return chosen_centre(base, name)


@contextmanager
def _client_of(target: Target) -> Iterator[FleetClient]:
    from indexer.fleet.reading.choice import explaining
    from indexer.fleet.wire.address import address_of
    from indexer.fleet.wire.client import FleetClient

    with explaining(target), FleetClient(address_of(target)) as client:
        yield client


@click.command("verify", epilog=VERIFY_EXAMPLES)
@_target_argument
@json_option
@base_option
@click.pass_obj
def verify_command(settings: Settings, *, target: Optional[str], as_json: bool) -> int:
    """Compare what this host has with what the centre has of it.

    Lines by segment: their number, their end, and the sum of their check sums. Then each event,
    and each run's own row with its spans and metrics; where others have events of a run too, the
    centre's row is of more events and is not compared. Nothing is changed.

    Exits 0 if all is equal, 3 if something differs or was not shipped yet, and 1 if the centre
    gives no answer or does not let this host in.
    """
    from indexer.fleet.checking.verify import verify

    base = settings.base()
    chosen = _chosen(base, target)
    with open_database(base) as connection, _client_of(chosen) as client:
        found = verify(base, connection, client, ships_content=chosen.content)
    if as_json:
        print_json(_verified_json(chosen, found))
    else:
        _print_verified(chosen, found)
    return OK if found.findings.is_equal else DEGRADED


def _verified_json(target: Target, found: Verified) -> dict[str, Any]:
    findings = found.findings
    return {
        "target": target.name,
        "node": found.node,
        "is_equal": findings.is_equal,
        "segments": findings.segments,
        "lines": findings.lines,
        "runs": findings.runs,
        "events": findings.events,
        "not_compared": findings.not_compared,
        "only_there": findings.only_there,
        "counts": dict(findings.counts),
        "findings": [one._asdict() for one in findings.shown],
    }


def _print_verified(target: Target, found: Verified) -> None:
    findings: Findings = found.findings
    columns = [Column("KIND"), Column("WHAT"), Column("DETAIL", note=True)]
    if findings.shown:
        print_table(columns, [list(map(plain, one)) for one in findings.shown])
    compared = ", ".join(
        many(number, noun)
        for number, noun in (
            (findings.lines, "line"),
            (findings.events, "event"),
            (findings.runs, "run"),
        )
    )
    result = "equal" if findings.is_equal else f"{many(findings.total, 'finding')}"
    click.echo(f"{plain(found.node or 'this host')} and {plain(target.name)}: {compared}: {result}")
    if findings.only_there:
        warn(f"{many(findings.only_there, 'line')} of these segments are in the centre only")
    if findings.not_compared:
        warn(f"{findings.not_compared} segments or runs were not compared: not kept on both sides")


@click.command("status", epilog=STATUS_EXAMPLES)
@_target_argument
@json_option
@base_option
@click.pass_obj
def status_command(settings: Settings, *, target: Optional[str], as_json: bool) -> int:
    """Show what of this host's log waits to be shipped, and what the centre last answered.

    With every node as it signed when it last shipped. Exits 3 if the target is down or paused,
    or the centre gives no answer now.
    """
    from indexer.fleet.checking.status import read_status

    base = settings.base()
    chosen = _chosen(base, target)
    with open_database(base) as connection:
        status = read_status(base, connection, chosen)
    if as_json:
        print_json(asdict(status))
    else:
        _print_status(status)
        _print_nodes(status.nodes)
        if status.no_answer:
            warn(plain(status.no_answer))
    return OK if status.is_well else DEGRADED


def _print_status(status: Status) -> None:
    shipped = local_time(status.last_shipped_at) if status.last_shipped_at else "never"
    lag = f"{many(status.waiting_lines, 'line')}, {size(status.waiting_bytes)}"
    if status.oldest_waiting:
        lag += f", the oldest from {ago(status.oldest_waiting)}"
    rows = [
        ("target", f"{status.target} at {status.address}, {status.state}"),
        ("node", status.node or "none yet: it gets its name with the first shipment"),
        ("last shipped", shipped),
        ("waiting", lag if status.waiting_lines else "nothing"),
    ]
    if status.last_error:
        rows.append(("last error", f"{ago(status.last_error_at)}: {status.last_error}"))
    for name, value in rows:
        click.echo(f"{name + ':':14}{plain(value)}")


@click.command("nodes", epilog=NODES_EXAMPLES)
@_target_argument
@json_option
@base_option
@click.pass_obj
def nodes_command(settings: Settings, *, target: Optional[str], as_json: bool) -> int:
    """List every node that ships to the centre, the last to ship first.

    A node signs when it ships, and ships nothing while nothing is new: an old time alone is no
    fault. Names of nodes that a host gave up stay in the list with the lines they shipped.
    """
    from indexer.fleet.checking.nodes import nodes

    chosen = _chosen(settings.base(), target)
    with _client_of(chosen) as client:
        found = nodes(client)
    if as_json:
        print_json({"target": chosen.name, "nodes": [asdict(one) for one in found]})
    else:
        _print_nodes(found)
    return OK


def _print_nodes(found: list[Node]) -> None:
    columns = [
        Column("NODE"),
        Column("HOST"),
        Column("SHIPPED"),
        Column("WAITED THEN", right=True),
        Column("SOFTWARE"),
    ]
    rows = [
        [
            plain(one.node),
            plain(one.host),
            ago(one.shipped_at),
            size(one.waiting_bytes),
            plain(one.software),
        ]
        for one in found
    ]
    if rows:
        print_table(columns, rows)


@click.command("rebuild", epilog=REBUILD_EXAMPLES)
@_target_argument
@json_option
@base_option
@click.pass_obj
def rebuild_command(settings: Settings, *, target: Optional[str], as_json: bool) -> int:
    """Make all of the centre's events and rows again from the lines that it has.

    One host does it for the whole fleet, with the fold that every host uses: after an upgrade that
    reads records better, or with other prices in its config/prices.toml. Hosts may go on shipping,
    and it may be run again. Lines that were shipped without content keep their events as they are.
    """
    from indexer.fleet.checking.rebuild import Rebuilt, rebuild
    from indexer.fleet.node import read_identity
    from telemetry_core.process import host_name

    base = settings.base()
    chosen = _chosen(base, target)
    identity = read_identity(base)
    shown = 0

    def show(done: Rebuilt) -> None:
        nonlocal shown
        if done.lines + done.runs >= shown + 100_000:
            shown = done.lines + done.runs
            click.echo(f"{count(done.lines)} lines, {count(done.runs)} runs", err=True)

    with _client_of(chosen) as client:
        done = rebuild(base, client, identity.node if identity else host_name(), show)
    if as_json:
        print_json({"target": chosen.name, **asdict(done)})
    else:
        click.echo(f"{many(done.lines, 'line')} decoded, {many(done.runs, 'run')} folded")
        if done.withheld:
            warn(f"{done.withheld} lines were shipped without content: their events stay")
    return OK


COMMANDS = (verify_command, status_command, nodes_command, rebuild_command)
