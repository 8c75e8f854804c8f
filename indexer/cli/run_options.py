"""The options that choose runs, alike in every command that has them.

A command decorated with `run_filter_options` gets one parameter, `chosen`, in place of seven.
Values that match nothing are reported on stderr with the nearest one that would.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from functools import wraps
from typing import Any, Callable, Optional

import click

from indexer.cli.completions import complete_agent, complete_job, complete_run, complete_status
from indexer.store.run_queries import STALE, RunFilter, distinct_values, find_run
from indexer.terminal.format import plain
from indexer.terminal.time_options import check_order, moment
from telemetry_core.status import STATUSES, normalise_status

Command = Callable[..., Any]

_COLUMNS = {"agent": "agent_name", "job": "job_type", "status": "status"}


def run_filter_options(since: Optional[str] = None) -> Callable[[Command], Command]:
    """Return a decorator that adds the options; `since` is the default of `--since`."""
    since_help = "Only runs that started at this time or later."

    def decorate(function: Command) -> Command:
        decorated = _collected(function)
        for option in (
            click.option("--roots", is_flag=True, help="Only runs that are not nested in another."),
            click.option(
                "--parent",
                metavar="RUN_ID",
                shell_complete=complete_run,
                help="Only runs nested directly in this one; an id as for `show`.",
            ),
            click.option(
                "--until", metavar="WHEN", callback=moment, help="Only runs that started before."
            ),
            click.option(
                "--since",
                metavar="WHEN",
                callback=moment,
                default=since,
                show_default=since is not None,
                help=since_help,
            ),
            click.option(
                "--status",
                shell_complete=complete_status,
                help="Only runs of this status; `stale` runs never ended and have no live process.",
            ),
            click.option("--job", shell_complete=complete_job, help="Only runs of this job type."),
            click.option("--agent", shell_complete=complete_agent, help="Only runs of this agent."),
        ):
            decorated = option(decorated)
        return decorated

    return decorate


def _collected(function: Command) -> Command:
    """Return a function that takes the options and calls `function` with one filter."""

    @wraps(function)
    def wrapper(
        *arguments: Any,
        agent: Optional[str],
        job: Optional[str],
        status: Optional[str],
        since: Optional[str],
        until: Optional[str],
        parent: Optional[str],
        roots: bool,
        **options: Any,
    ) -> Any:
        check_order(since, until)
        status = None if status is None else normalise_status(status)
        chosen = RunFilter(agent, job, status, since, until, parent, roots)
        return function(*arguments, chosen=chosen, **options)

    return wrapper


def nested_option(command: Command) -> Command:
    """Add `--nested`, for commands that count root runs without it."""
    return click.option(
        "--nested", is_flag=True, help="Count nested runs too, not only root runs."
    )(command)


def root_runs(chosen: RunFilter, nested: bool) -> RunFilter:
    """Return the filter for root runs alone, unless nested ones were asked for."""
    return replace(chosen, is_root=chosen.is_root or not (nested or chosen.parent))


def with_parent_found(connection: sqlite3.Connection, chosen: RunFilter) -> RunFilter:
    """Return the filter with the whole id of the parent that it names. Raises NoSuchRun."""
    if chosen.parent is None:
        return chosen
    return replace(chosen, parent=find_run(connection, chosen.parent)["run_id"])


def explain_no_match(connection: sqlite3.Connection, chosen: RunFilter) -> None:
    """Say on stderr that no run matches, and which value nothing could match."""
    unknown = _unknown_values(connection, chosen)
    click.echo("no runs match" + (f": {'; '.join(unknown)}" if unknown else ""), err=True)


def explain_unknown(connection: sqlite3.Connection, chosen: RunFilter) -> None:
    """Say on stderr which value nothing could match, if there is one."""
    for sentence in _unknown_values(connection, chosen):
        click.echo(sentence, err=True)


def _unknown_values(connection: sqlite3.Connection, chosen: RunFilter) -> list[str]:
    sentences = (
        _unknown(connection, name, column, getattr(chosen, name))
        for name, column in _COLUMNS.items()
    )
    return [sentence for sentence in sentences if sentence is not None]


def _unknown(
    connection: sqlite3.Connection, name: str, column: str, value: Optional[str]
) -> Optional[str]:
    """Return a sentence on a value that no run has, or None."""
    if value is None:
        return None
    known = distinct_values(connection, column)
    if name == "status":
        known = [*STATUSES, STALE, *known]
    if value in known:
        return None
    close = nearest(value, known)
    return f"no {name} {plain(value)!r}" + (f", did you mean {plain(close)!r}?" if close else "")


def nearest(value: str, known: list[str]) -> Optional[str]:
    """Return the known value that is most like another, or None where none is."""
    lower = {one.lower(): one for one in reversed(known)}
    # Imported here: only what matches nothing needs it.
    import difflib

    close = difflib.get_close_matches(value.lower(), lower, n=1, cutoff=0.5)
    return lower[close[0]] if close else None
