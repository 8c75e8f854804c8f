"""The SQL of every view, and the queries that share their sums."""

from __future__ import annotations

_TOTALS = """runs.agent_name,
  count(*) AS runs,
  sum(status = 'success') AS succeeded,
  sum(status IN ('failed', 'timeout')) AS failed,
  sum(status = 'running') AS running,
  round(1.0 * sum(status = 'success') / nullif(sum(status <> 'running'), 0), 4) AS success_rate,
  {p50} AS p50_duration_ms,
  {p95} AS p95_duration_ms,
  max(start_time) AS last_run"""

TOTALS_BY_AGENT = f"""SELECT {_TOTALS.format(p50="NULL", p95="NULL")}
FROM agent_runs AS runs
GROUP BY agent_name"""
"""The sums of `runs_by_agent` without its percentiles, which take most of its time."""


def by_agent_sql(source: str) -> str:
    """Return the query that sums up runs by agent, over a table or view of runs."""
    return f"""WITH ranked AS (
  SELECT agent_name, duration_ms,
    row_number() OVER (PARTITION BY agent_name ORDER BY duration_ms) AS place,
    count(*) OVER (PARTITION BY agent_name) AS places
  FROM {source}
  WHERE duration_ms IS NOT NULL
), percentiles AS (
  SELECT agent_name,
    min(CASE WHEN place * 100 >= places * 50 THEN duration_ms END) AS p50_duration_ms,
    min(CASE WHEN place * 100 >= places * 95 THEN duration_ms END) AS p95_duration_ms
  FROM ranked
  GROUP BY agent_name
)
SELECT {_TOTALS.format(p50="p50_duration_ms", p95="p95_duration_ms")}
FROM {source} AS runs
LEFT JOIN percentiles ON percentiles.agent_name IS runs.agent_name
GROUP BY runs.agent_name"""


RUNS_BY_AGENT = f"CREATE VIEW runs_by_agent AS\n{by_agent_sql('agent_runs')}"

RUNS_BY_DAY = """CREATE VIEW runs_by_day AS
SELECT substr(start_time, 1, 10) AS day,
  count(*) AS runs,
  sum(status = 'success') AS succeeded,
  sum(status IN ('failed', 'timeout')) AS failed,
  sum(status = 'running') AS running,
  count(DISTINCT agent_name) AS agents,
  sum(items_succeeded) AS items_succeeded,
  sum(items_failed) AS items_failed
FROM agent_runs
GROUP BY day"""

FAILED_RUNS = """CREATE VIEW failed_runs AS
SELECT run_id, agent_name, job_type, status, start_time, end_time, duration_ms,
  items_failed, error_summary, error_details, parent_run_id, host
FROM agent_runs
WHERE status IN ('failed', 'timeout')
ORDER BY start_time DESC"""

# `now` is asked of SQLite when the view is read: a stale run is never written as one.
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
    ) AS gone
  FROM agent_runs AS runs
  WHERE status = 'running'
) AS stale
WHERE gone OR last_event_time < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || ifnull(
  (SELECT value FROM settings WHERE name = 'stale_after'), 3600) || ' seconds')"""

RUN_TREE = """CREATE VIEW run_tree AS
WITH RECURSIVE tree (run_id, root_run_id, depth, path) AS (
  SELECT run_id, run_id, 0, start_time || ' ' || run_id
  FROM agent_runs
  WHERE parent_run_id IS NULL OR parent_run_id NOT IN (SELECT run_id FROM agent_runs)
  UNION ALL
  SELECT child.run_id, tree.root_run_id, tree.depth + 1,
    tree.path || ' / ' || child.start_time || ' ' || child.run_id
  FROM agent_runs AS child JOIN tree ON child.parent_run_id = tree.run_id
  WHERE tree.depth < 100
)
SELECT tree.root_run_id, tree.depth, runs.run_id, runs.parent_run_id, runs.agent_name,
  runs.job_type, runs.status, runs.start_time, runs.duration_ms, tree.path
FROM tree JOIN agent_runs AS runs ON runs.run_id = tree.run_id
ORDER BY tree.path"""
