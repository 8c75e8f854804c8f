"""Write the query behind a list of runs as SQL that a person can read and change. Pure.

Called by the list of runs, for its link to the page of queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from indexer.ui.queries.filters import Condition

_COLUMNS = (
    "run_id, agent_name, job_type, status, start_time, duration_ms, items_succeeded, error_summary"
)


def runs_as_sql(condition: Condition, order: str, limit: int) -> str:
    """Return a query of `agent_runs` with the values of a condition written into it.

    `order` is the ORDER BY clause's content.
    """
    parts = list(condition.parts)
    values = list(condition.values)
    for sign, moment in ((">=", condition.since), ("<", condition.until)):
        if moment is not None:
            parts.append(f"runs.start_time {sign} ?")
            values.append(moment)
    where = "\n  AND ".join(_filled(parts, values))
    lines = [
        f"SELECT {_COLUMNS}",
        "FROM agent_runs AS runs",
        *([f"WHERE {where}"] if where else []),
    ]
    return "\n".join([*lines, f"ORDER BY {order}", f"LIMIT {limit}"])


def _filled(parts: Sequence[str], values: Sequence[Any]) -> Iterator[str]:
    """Yield conditions with their values in the place of the question marks."""
    rest = iter(values)
    for part in parts:
        first, *others = part.split("?")
        yield first + "".join(f"{_literal(next(rest))}{text}" for text in others)


def _literal(value: Any) -> str:
    """Return a value as SQL has it; a text with a null character can't stand there as it is."""
    if not isinstance(value, str):
        return repr(value)
    quoted = value.replace("'", "''").replace("\0", "' || char(0) || '")
    return f"'{quoted}'"
