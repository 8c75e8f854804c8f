"""What a shell completes for arguments: agents, job types, statuses and run ids.

Called by click while a shell waits. It reads the database as it stands, never the log, and
answers with nothing where that fails.
"""

from __future__ import annotations

import sqlite3
from typing import Callable, Optional, TypeVar

import click
from click.shell_completion import CompletionItem

Answer = TypeVar("Answer")

_MOST = 50
_TIMEOUT_SECONDS = 0.5


def complete_agent(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of an agent."""
    return _values(ctx, "agent_name", incomplete)


def complete_job(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a job type."""
    return _values(ctx, "job_type", incomplete)


def complete_status(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a status: those that telemetry knows, and those that agents made up."""
    # Imported here, as in all of this file: only completion needs it.
    from indexer.store.run_queries import STALE
    from telemetry_core.status import STATUSES

    known = [*STATUSES, STALE]
    items = [CompletionItem(one) for one in known if one.startswith(incomplete)]
    others = _values(ctx, "status", incomplete)
    return items + [item for item in others if item.value not in known]


def complete_run(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the id of a run from its beginning; its short name becomes the whole id."""
    from indexer.store.run_queries import recent_run_ids

    rows = _ask(ctx, lambda connection: recent_run_ids(connection, incomplete, _MOST)) or []
    items = [CompletionItem(run_id, help=agent) for run_id, agent in rows]
    if "latest".startswith(incomplete):
        items.insert(0, CompletionItem("latest", help="the newest run"))
    return items


def _values(ctx: click.Context, column: str, incomplete: str) -> list[CompletionItem]:
    from indexer.store.run_queries import distinct_values

    values = _ask(ctx, lambda connection: distinct_values(connection, column)) or []
    matching = [value for value in values if value.startswith(incomplete)]
    return [CompletionItem(value) for value in matching[:_MOST]]


def _ask(ctx: click.Context, question: Callable[[sqlite3.Connection], Answer]) -> Optional[Answer]:
    """Return the answer of the database, or None where it can't be read at once."""
    from contextlib import closing

    from indexer.cli.context import Settings
    from indexer.store.connection import open_reader
    from telemetry_core.errors import TelemetryError

    try:
        base = ctx.ensure_object(Settings).base()
        with closing(open_reader(base.database_path, _TIMEOUT_SECONDS)) as connection:
            return question(connection)
    except (TelemetryError, OSError, ValueError, sqlite3.Error):
        # A shell has nowhere to show an error: it offers nothing.
        return None
