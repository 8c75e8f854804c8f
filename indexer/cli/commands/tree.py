"""`telemetry tree`: what a run did, as a tree of its spans and of the runs inside it."""

from __future__ import annotations

import sqlite3
from typing import Any

import click

from indexer.cli.completions import complete_run
from indexer.cli.context import Settings, base_option, fleet_options, json_option
from indexer.cli.exit_codes import OK
from indexer.cli.reading import open_for
from indexer.store.run_queries import find_run
from indexer.store.spans.open_spans import last_span
from indexer.store.spans.trees import runs_inside, spans_of_run
from indexer.terminal.format import plain
from indexer.terminal.json_output import parsed_row, print_json
from indexer.terminal.runs_table import run_values
from indexer.terminal.spans.table import print_nodes
from indexer.terminal.spans.tree import Node, folded, run_node

EXAMPLES = """\b
Examples:
  telemetry tree latest
  telemetry tree 3f9a1c20 --all               no sibling folded
  telemetry tree latest --json | jq '.. | objects | select(.status? == "error") | .name'

Siblings of one name in a row are one line, with how many they are. TOKENS are input and output;
COST is what the source reported, else list price.
"""


@click.command("tree", epilog=EXAMPLES)
@click.argument("run_id", shell_complete=complete_run)
@click.option("--all", "shows_all", is_flag=True, help="A line for each span, however many.")
@json_option
@fleet_options
@base_option
@click.pass_obj
def command(settings: Settings, *, run_id: str, shows_all: bool, as_json: bool) -> int:
    """Show what a run did: its spans and the runs inside it.

    RUN_ID is an id, its beginning or its end if only one run has that, or `latest`.
    """
    with open_for(settings, lambda fleet: fleet.tree(run_id)) as connection:
        run = run_values(connection, [find_run(connection, run_id)])[0]
        top = _tree(connection, run["run_id"])
        doing = last_span(connection, run["run_id"])
    if as_json:
        print_json(_value(top))
        return OK
    nodes = [top] if shows_all else folded([top])
    print_nodes(nodes)
    if doing is not None:
        click.echo()
        click.echo(plain(doing.sentence(is_dead=run["stale"] is not None)))
    return OK


def _tree(connection: sqlite3.Connection, run_id: str) -> Node:
    rows = runs_inside(connection, run_id)
    inside: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        inside.setdefault(row["parent_run_id"] or "", []).append(row)
    spans = {row["run_id"]: spans_of_run(connection, row["run_id"]) for row in rows}
    top = next(row for row in rows if row["run_id"] == run_id)
    return run_node(top, spans, inside)


def _value(top: Node) -> dict[str, Any]:
    """The tree as one JSON value; it may be deeper than Python's own stack."""
    values = {id(top): {**parsed_row(top.row), "children": []}}
    todo = [top]
    while todo:
        node = todo.pop()
        for child in node.children:
            value = {**parsed_row(child.row), "children": []}
            values[id(child)] = value
            values[id(node)]["children"].append(value)
            todo.append(child)
    return values[id(top)]
