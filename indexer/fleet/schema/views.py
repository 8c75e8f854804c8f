"""Define the views that have the names and columns of the tables in SQLite. Pure.

They give of each key the newest row, at once and not only when the server has merged its parts.
"""

from __future__ import annotations

from indexer.fleet.schema.layout import Layout
from indexer.fleet.schema.tables import EVENT_ROWS, METRIC_ROWS, RUN_ROWS, SPAN_ROWS
from indexer.store.schema.columns import (
    PRICED_COLUMNS,
    RUN_COLUMNS,
    SPAN_COLUMNS,
)

# What an event says, in the order in which SQLite's side compares it.
_SAYS = "timestamp, type, source, event_type, ifnull(payload_json, ''), ifnull(extra_json, '')"
_METRIC_COLUMNS = ("run_id", "name", "time", "event_id", "step", "value")


def base_views(layout: Layout) -> dict[str, str]:
    """Return the query of each view, by name, in the order in which they can be created."""
    return {
        "agent_runs": _agent_runs(layout),
        "run_events": _run_events(layout),
        "run_spans": _run_spans(layout),
        "run_metrics": _run_metrics(layout),
        "span_calls": _span_calls(layout),
    }


def _agent_runs(layout: Layout) -> str:
    return f"SELECT {', '.join(RUN_COLUMNS)} FROM {layout.name(RUN_ROWS)} FINAL"


def _run_events(layout: Layout) -> str:
    """Of two contents that claim one id the smaller has it, and the other an id made of both.

    Of imported and received events the id alone decides, and the smallest copy is the event.
    """
    return f"""SELECT run_id, if(place = 1, id, concat(id, '~', mark)) AS event_id, event_type,
  timestamp, type, source, payload_json, extra_json, file_id, offset, length, node
FROM (
  SELECT *, row_number() OVER (PARTITION BY run_id, id
    ORDER BY is_known_by_id, if(is_known_by_id, type, ''), {_SAYS}) AS place
  FROM (
    SELECT * EXCEPT (event_id), event_id AS id, mark <> content AS is_known_by_id,
      row_number() OVER (PARTITION BY run_id, event_id, mark ORDER BY {_SAYS}) AS copy
    FROM {layout.name(EVENT_ROWS)} FINAL
  )
  WHERE copy = 1
)"""


def run_spans_of(layout: Layout, which: str) -> str:
    """Return the query of `run_spans` for runs that have a span which a condition means.

    Beyond those it reads the runs that claim one of their calls, and no others; `which` is on the
    columns of the table. GLOBAL: the shards are asked by one server, and not by each other.
    """
    table = layout.name(SPAN_ROWS)
    meant = f"SELECT run_id FROM {table} WHERE {which}"
    their_calls = f"SELECT arrayJoin(calls) FROM {table} WHERE run_id GLOBAL IN ({meant})"
    claiming = f"SELECT run_id FROM {table} ARRAY JOIN calls AS call"
    return _run_spans(
        layout,
        f"WHERE run_id GLOBAL IN ({meant})"
        f" OR run_id GLOBAL IN ({claiming} WHERE call GLOBAL IN ({their_calls}))",
    )


def _current(layout: Layout, table: str, where: str = "") -> str:
    """Return the query for the rows that still stand.

    A run whose rows were all made anew has a generation: what is older than that is gone.
    """
    return f"""SELECT * FROM (
    SELECT *, max(generation) OVER (PARTITION BY run_id) AS newest
    FROM {layout.name(table)} FINAL {where}
  ) WHERE version >= newest"""


def _run_spans(layout: Layout, where: str = "") -> str:
    """A call that several spans claim counts where the claim is strongest, whatever its host."""
    columns = ", ".join((*SPAN_COLUMNS, "is_owner", "counted", *PRICED_COLUMNS))
    return f"""WITH standing AS (
  {_current(layout, SPAN_ROWS, where)}
),
claims AS (
  SELECT run_id, span_id, (claim, run_id, span_id) AS own, call
  FROM standing ARRAY JOIN calls AS call
),
owners AS (SELECT call, min(own) AS owner FROM claims GROUP BY call),
lost AS (
  SELECT claims.run_id, claims.span_id FROM claims INNER JOIN owners ON owners.call = claims.call
  WHERE claims.own > owners.owner
)
SELECT {columns} FROM (
  SELECT *, toInt64((run_id, span_id) NOT IN (SELECT run_id, span_id FROM lost)) AS is_owner,
    if(is_owner = 1 AND leaf = 1, 1, 0) AS counted
  FROM standing
)"""


def _run_metrics(layout: Layout) -> str:
    columns = ", ".join(_METRIC_COLUMNS)
    return f"SELECT {columns} FROM ({_current(layout, METRIC_ROWS)})"


def _span_calls(layout: Layout) -> str:
    return f"""SELECT call, claim, run_id, span_id
FROM ({_current(layout, SPAN_ROWS)})
ARRAY JOIN calls AS call"""
