"""`telemetry compare`: two runs side by side, in what they differ."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import click

from indexer.cli.completions import complete_run
from indexer.cli.context import Settings, base_option, json_option, open_database
from indexer.cli.exit_codes import OK
from indexer.store.run_queries import find_run
from indexer.store.spans.trees import last_metrics, spans_of_run
from indexer.store.spans.usage import usage_of_run
from indexer.terminal.console import heading
from indexer.terminal.format import count, duration, plain
from indexer.terminal.json_output import print_json, to_json
from indexer.terminal.runs_table import run_values
from indexer.terminal.spans.tree import span_name
from indexer.terminal.spans.usage import dollars, percent
from indexer.terminal.table import Column, print_table
from telemetry_core.run_fields import RUN_FIELD_NAMES

EXAMPLES = """\b
Examples:
  telemetry compare 3f9a1c20 8b2d4e61
  telemetry compare 3f9a1c20 latest --json | jq .usage
"""

_TOLD_APART = frozenset(("start_time", "end_time", "parent_run_id", "metrics_json"))
_USAGE = (
    "calls",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "cache_hit_rate",
    "cost_reported_usd",
    "cost_estimated_usd",
)


class Pair(NamedTuple):
    """One thing of two runs."""

    name: str
    one: Any
    other: Any

    @property
    def change(self) -> Optional[float]:
        """How much more the second has than the first, as a share of it; None if not a number."""
        if not isinstance(self.one, (int, float)) or not isinstance(self.other, (int, float)):
            return None
        return (self.other - self.one) / abs(self.one) if self.one else None


@click.command("compare", epilog=EXAMPLES)
@click.argument("one", shell_complete=complete_run)
@click.argument("other", shell_complete=complete_run)
@json_option
@base_option
@click.pass_obj
def command(settings: Settings, *, one: str, other: str, as_json: bool) -> int:
    """Show how two runs differ: fields, metrics, usage, and how long their spans took.

    ONE and OTHER are ids, as `telemetry show` takes them.
    """
    with open_database(settings.base()) as connection:
        rows = [find_run(connection, one), find_run(connection, other)]
        runs = run_values(connection, rows)
        parts = {
            "fields": list(_fields(*runs)),
            "metrics": list(_metrics(connection, *runs)),
            "usage": list(_usage(connection, *runs)),
            "spans": list(_spans(connection, *runs)),
        }
    if as_json:
        found: dict[str, Any] = {"one": runs[0]["run_id"], "other": runs[1]["run_id"]}
        for name, pairs in parts.items():
            found[name] = [{**pair._asdict(), "change": pair.change} for pair in pairs]
        print_json(found)
        return OK
    click.echo(f"{plain(runs[0]['run_id'])} and {plain(runs[1]['run_id'])}")
    if not any(parts.values()):
        click.echo("no differences")
    for name, pairs in parts.items():
        if pairs:
            _print_pairs(name, pairs)
    return OK


def _print_pairs(name: str, pairs: list[Pair]) -> None:
    heading({"spans": "Spans (milliseconds in all, by name)"}.get(name, name.capitalize()))
    columns = [
        Column("", cut=True),
        Column("ONE", right=True, cut=True),
        Column("OTHER", right=True, cut=True),
        Column("CHANGE", right=True),
    ]
    print_table(
        columns,
        [
            [
                plain(pair.name),
                _words(pair.name, pair.one),
                _words(pair.name, pair.other),
                "" if pair.change is None else f"{pair.change:+.0%}",
            ]
            for pair in pairs
        ],
    )


def _words(name: str, value: Any) -> str:
    if name.endswith("_usd"):
        return dollars(value)
    if name == "cache_hit_rate":
        return percent(value)
    if name == "duration_ms":
        return duration(value)
    if isinstance(value, (dict, list)):
        return to_json(value)
    return count(value)


def _fields(one: dict[str, Any], other: dict[str, Any]) -> Iterator[Pair]:
    """The fields in which the runs differ."""
    for name in sorted(RUN_FIELD_NAMES - _TOLD_APART, key=list(one).index):
        if one[name] != other[name]:
            yield Pair(name, one[name], other[name])


def _metrics(
    connection: sqlite3.Connection, one: dict[str, Any], other: dict[str, Any]
) -> Iterator[Pair]:
    """The last value of each metric, whether logged in steps or set once."""
    both = []
    for run in (one, other):
        given = run["metrics_json"]
        values = dict(given) if isinstance(given, dict) else {}
        values.update({m["name"]: m["last"] for m in last_metrics(connection, run["run_id"])})
        both.append(values)
    for name in sorted({*both[0], *both[1]}):
        yield Pair(name, both[0].get(name), both[1].get(name))


def _usage(
    connection: sqlite3.Connection, one: dict[str, Any], other: dict[str, Any]
) -> Iterator[Pair]:
    first, second = (usage_of_run(connection, run["run_id"]) or {} for run in (one, other))
    for name in _USAGE if first or second else ():
        if first.get(name) is not None or second.get(name) is not None:
            yield Pair(name, first.get(name), second.get(name))


def _spans(
    connection: sqlite3.Connection, one: dict[str, Any], other: dict[str, Any]
) -> Iterator[Pair]:
    """How long the spans of each kind and name took, in all."""
    both: list[dict[str, Optional[float]]] = []
    for run in (one, other):
        sums: dict[str, Optional[float]] = {}
        for span in spans_of_run(connection, run["run_id"]):
            name, took = f"{span['kind'] or 'span'} {span_name(span)}", span["duration_ms"]
            known = sums.get(name)
            sums[name] = known if took is None else round((known or 0.0) + took, 3)
        both.append(sums)
    for name in dict.fromkeys((*both[0], *both[1])):
        yield Pair(name, both[0].get(name), both[1].get(name))
