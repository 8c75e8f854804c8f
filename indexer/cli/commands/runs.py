"""`telemetry runs`: list runs, newest first."""

from __future__ import annotations

from typing import Any

import click

from indexer.cli.context import Settings, base_option, fleet_options, json_option
from indexer.cli.exit_codes import OK
from indexer.cli.reading import open_for
from indexer.cli.run_options import explain_no_match, run_filter_options, with_parent_found
from indexer.store.run_queries import (
    RunFilter,
    count_nested,
    count_runs,
    select_runs,
    select_top_level,
)
from indexer.terminal.console import at_terminal
from indexer.terminal.format import count, many
from indexer.terminal.json_output import print_json
from indexer.terminal.runs_table import print_runs, run_values
from indexer.terminal.time_options import MOMENT_HELP

EXAMPLES = f"""\b
Examples:
  telemetry runs
  telemetry runs --agent crawler --status failed --since 7d
  telemetry runs --status stale
  telemetry runs --parent 3f9a1c20 --nested
  telemetry runs --since 2026-11-22 --json | jq '.[].run_id'

{MOMENT_HELP}

A terminal shows the end of a run's id; `telemetry show` accepts it.
"""


@click.command("runs", epilog=EXAMPLES)
@run_filter_options()
@click.option("--nested", is_flag=True, help="List nested runs too, indented below their parent.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="List at most this many; 0 for all.",
)
@json_option
@fleet_options
@base_option
@click.pass_obj
def command(
    settings: Settings, *, chosen: RunFilter, nested: bool, limit: int, as_json: bool
) -> int:
    """List runs, newest first.

    A run that is nested in another run of the list is counted there (NESTED) rather than listed;
    --nested lists it too. JSON has every matching run, nested or not.
    """
    with open_for(settings, lambda fleet: fleet.runs(chosen)) as connection:
        chosen = with_parent_found(connection, chosen)
        select = select_runs if nested or as_json else select_top_level
        rows = select(connection, chosen, limit)
        runs = run_values(connection, rows)
        if as_json:
            print_json(runs)
        if not runs:
            explain_no_match(connection, chosen)
        elif not as_json:
            ids = [run["run_id"] for run in runs]
            counts = {} if nested else count_nested(connection, chosen, ids)
            print_runs(_as_tree(runs) if nested else runs, counts)
            _print_total(len(runs), count_runs(connection, chosen), nested)
    return OK


def _as_tree(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return runs with each below its parent, where that is among them, and its `depth`."""
    ids = {run["run_id"] for run in runs}
    children: dict[Any, list[dict[str, Any]]] = {}
    for run in runs:
        parent = run["parent_run_id"]
        is_nested = parent in ids and parent != run["run_id"]
        children.setdefault(parent if is_nested else None, []).append(run)
    ordered: list[dict[str, Any]] = []
    waiting = [(0, run) for run in reversed(children.get(None, []))]
    while waiting:
        depth, run = waiting.pop()
        ordered.append({**run, "depth": depth})
        # Below its parent, the oldest first: in the order in which they ran.
        waiting += [(depth + 1, child) for child in children.get(run["run_id"], [])]
    seen = {run["run_id"] for run in ordered}
    # Runs that are each other's parents have no first one.
    return ordered + [{**run, "depth": 0} for run in runs if run["run_id"] not in seen]


def _print_total(shown: int, counted: tuple[int, int], nested: bool) -> None:
    """Say on stderr how many of the matching runs were listed; in a pipe only if not all were."""
    top, below = counted
    total = top + below if nested else top
    if shown == total and not at_terminal():
        return
    listed = many(total, "run") if shown == total else f"{count(shown)} of {many(total, 'run')}"
    more = f", and {count(below)} nested in them" if below and not nested else ""
    click.echo(listed + more, err=True)
