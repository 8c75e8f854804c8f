"""The SQL of every view, and the queries that share their sums."""

from __future__ import annotations


def number(column: str) -> str:
    """Return SQL for a column where it is a number, NULL where it is anything else."""
    return f"CASE WHEN typeof({column}) IN ('integer', 'real') THEN {column} END"


def whole_sum(column: str) -> str:
    """Return SQL for a sum that cannot overflow; NULL where no row has a number."""
    value = number(column)
    return f"CAST(CASE WHEN count({value}) THEN total({value}) END AS INTEGER) AS {column}"


# Every run counts in one of the columns from `succeeded` to `other`. A run that only its record
# has as running is stale, and counts among those that did not succeed.
_STALE = "sum(runs.run_id IN (SELECT run_id FROM stale_runs))"
_RUNNING = f"(ifnull(sum(status = 'running'), 0) - {_STALE})"
_NAMED = "('success', 'partial', 'failed', 'timeout', 'cancelled', 'running')"
COUNTS = f"""count(*) AS runs,
  ifnull(sum(status = 'success'), 0) AS succeeded,
  ifnull(sum(status = 'partial'), 0) AS partial,
  ifnull(sum(status IN ('failed', 'timeout')), 0) AS failed,
  ifnull(sum(status = 'cancelled'), 0) AS cancelled,
  {_RUNNING} AS running,
  {_STALE} AS stale,
  sum(ifnull(status, '') NOT IN {_NAMED}) AS other"""
"""Runs by outcome, of a source named `runs`."""

SUCCESS_RATE = f"""round(1.0 * ifnull(sum(status = 'success'), 0)
    / nullif(count(*) - {_RUNNING}, 0), 4) AS success_rate"""
"""The share of successful runs among those that are no longer running."""

_TOTALS = f"""runs.agent_name,
  {COUNTS},
  {SUCCESS_RATE},
  p50_duration_ms,
  p95_duration_ms,
  max(start_time) AS last_run"""


def by_agent_sql(source: str) -> str:
    """Return the query that sums up runs by agent, over a table or view of runs."""
    return f"""WITH ranked AS (
  SELECT agent_name, duration_ms,
    row_number() OVER (PARTITION BY agent_name ORDER BY duration_ms) AS place,
    count(*) OVER (PARTITION BY agent_name) AS places
  FROM {source}
  WHERE typeof(duration_ms) IN ('integer', 'real')
), percentiles AS (
  SELECT agent_name,
    min(CASE WHEN place * 100 >= places * 50 THEN duration_ms END) AS p50_duration_ms,
    min(CASE WHEN place * 100 >= places * 95 THEN duration_ms END) AS p95_duration_ms
  FROM ranked
  GROUP BY agent_name
)
SELECT {_TOTALS}
FROM {source} AS runs
LEFT JOIN percentiles ON percentiles.agent_name IS runs.agent_name
GROUP BY runs.agent_name"""


RUNS_BY_AGENT = f"CREATE VIEW runs_by_agent AS\n{by_agent_sql('agent_runs')}"

RUNS_BY_DAY = f"""CREATE VIEW runs_by_day AS
SELECT substr(start_time, 1, 10) AS day,
  {COUNTS},
  count(DISTINCT agent_name) AS agents,
  {whole_sum("items_succeeded")},
  {whole_sum("items_failed")}
FROM agent_runs AS runs
GROUP BY day"""

FAILED_RUNS = """CREATE VIEW failed_runs AS
SELECT run_id, agent_name, job_type, status, start_time, end_time, duration_ms,
  items_failed, error_summary, error_details, parent_run_id, host
FROM agent_runs
WHERE status IN ('failed', 'timeout')
ORDER BY start_time DESC"""

# `now` is asked of SQLite when the view is read: a stale run is never written as one. An event
# that is newer than the look at its process shows that a run lives, wherever it is.
STALE_RUNS = """CREATE VIEW stale_runs AS
SELECT run_id, agent_name, job_type, start_time, last_event_time, host, source,
  CASE WHEN gone THEN 'process gone' ELSE 'silent' END AS reason,
  (SELECT count(*) FROM run_spans AS spans
    WHERE spans.run_id = stale.run_id AND spans.end_time IS NULL) AS open_spans,
  (SELECT name FROM run_spans AS spans
    WHERE spans.run_id = stale.run_id AND spans.end_time IS NULL
    ORDER BY start_time DESC, span_id LIMIT 1) AS last_open_span
FROM (
  SELECT runs.*,
    EXISTS (
      SELECT 1 FROM gone_processes AS dead
      WHERE dead.source = runs.source AND dead.process_start = ifnull(runs.process_start, '')
        AND dead.noted_at >= runs.last_event_time
    ) AS gone
  FROM agent_runs AS runs
  WHERE status = 'running'
) AS stale
WHERE gone OR last_event_time < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || ifnull(
  (SELECT value FROM settings WHERE name = 'stale_after'), 3600) || ' seconds')"""

_DEEPEST = 100
"""Deeper runs are shown at this depth, so that a path stays bounded."""


def _branches(name: str, roots: str) -> str:
    """Return a recursive table of everything below some roots."""
    step = f"CASE WHEN {name}.depth < {_DEEPEST} THEN {name}.path ELSE {name}.stem END"
    return f"""{name} (run_id, root_run_id, depth, stem, path) AS (
  SELECT run_id, run_id, 0, '', ifnull(start_time, '') || ' ' || run_id
  FROM agent_runs WHERE {roots}
  UNION ALL
  SELECT child.run_id, {name}.root_run_id, min({name}.depth + 1, {_DEEPEST}),
    {step}, {step} || ' / ' || ifnull(child.start_time, '') || ' ' || child.run_id
  FROM agent_runs AS child JOIN {name} ON child.parent_run_id = {name}.run_id
  WHERE child.run_id <> {name}.run_id AND child.run_id <> {name}.root_run_id
)"""


# Runs whose parents lead in a circle hang below the earliest of them.
RUN_TREE = f"""CREATE VIEW run_tree AS
WITH RECURSIVE {
    _branches(
        "tree",
        "parent_run_id IS NULL OR parent_run_id = run_id"
        " OR parent_run_id NOT IN (SELECT run_id FROM agent_runs)",
    )
},
circling (run_id, parent_run_id, start_time) AS (
  SELECT run_id, parent_run_id, ifnull(start_time, '') FROM agent_runs
  WHERE parent_run_id IS NOT NULL AND run_id NOT IN (SELECT run_id FROM tree)
),
climb (run_id, above) AS (
  SELECT run_id, parent_run_id FROM circling
  UNION
  SELECT climb.run_id, circling.parent_run_id
  FROM climb JOIN circling ON circling.run_id = climb.above
),
first_of_circle (run_id) AS (
  SELECT own.run_id FROM climb AS own JOIN circling USING (run_id)
  WHERE own.above = own.run_id AND NOT EXISTS (
    SELECT 1 FROM climb JOIN circling AS other ON other.run_id = climb.above
    WHERE climb.run_id = own.run_id
      AND (other.start_time, other.run_id) < (circling.start_time, circling.run_id)
  )
),
{_branches("circles", "run_id IN (SELECT run_id FROM first_of_circle)")}
SELECT tree.root_run_id, tree.depth, runs.run_id, runs.parent_run_id, runs.agent_name,
  runs.job_type, runs.status, runs.start_time, runs.duration_ms, tree.path
FROM (SELECT * FROM tree UNION ALL SELECT * FROM circles) AS tree
JOIN agent_runs AS runs ON runs.run_id = tree.run_id
ORDER BY tree.path"""
