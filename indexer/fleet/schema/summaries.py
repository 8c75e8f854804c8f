"""Define the views that sum up and arrange, with the names and columns of SQLite's. Pure.

They are SQLite's views in the centre's dialect: `indexer/store/schema/views.py` and `spans.py`
give their meaning, and tests compare both. What differs in the dialect: a column is told from a
sum of the same name by its table, halves are rounded by hand (ClickHouse rounds them to even),
and a subquery knows nothing of the rows around it.
"""

from __future__ import annotations

from indexer.fleet.schema.layout import Layout

STALE_AFTER_SECONDS = 3600
"""How long a running run may be silent. The centre knows neither hosts' settings nor processes."""

_MAX_WHOLE = 2**63 - 1
"""Sums beyond it end there, as SQLite's do."""
_DEEPEST = 100
"""Deeper runs are shown at this depth, so that a path stays bounded; as in SQLite."""


def summary_views(layout: Layout) -> dict[str, str]:
    """Return the query of each view, by name, in the order in which they can be created."""
    return {
        "failed_runs": _failed_runs(layout),
        "stale_runs": _stale_runs(layout),
        "runs_by_agent": _runs_by_agent(layout),
        "runs_by_day": _runs_by_day(layout),
        "run_tree": _run_tree(layout),
        "run_usage": _usage(layout, "s.run_id AS run_id", "s.run_id"),
        "usage_by_day": _usage(
            layout, f"substr(s.start_time, 1, 10) AS day, {_RUNS}", "substr(s.start_time, 1, 10)"
        ),
        "usage_by_model": _usage(
            layout, f"s.provider AS provider, s.model AS model, {_RUNS}", "s.provider, s.model"
        ),
        "usage_by_agent": _usage(
            layout,
            f"r.agent_name AS agent_name, {_RUNS}",
            "r.agent_name",
            f"INNER JOIN {layout.name('agent_runs')} AS r ON r.run_id = s.run_id\n",
        ),
    }


def _whole_sum(column: str, name: str) -> str:
    """NULL where no row has a number; never an overflow, whatever the numbers are."""
    total = f"sum(toFloat64({column}))"
    whole = f"if({total} >= {_MAX_WHOLE}, {_MAX_WHOLE}, toInt64({total}))"
    return f"if({total} IS NULL, NULL, {whole}) AS {name}"


def _rounded(rate: str) -> str:
    """Four digits, halves upwards."""
    return f"floor({rate} * 10000 + 0.5) / 10000"


def _counts(layout: Layout) -> str:
    """Runs by outcome, of a source named `r`; the columns of SQLite's `COUNTS`."""
    named = "('success', 'partial', 'failed', 'timeout', 'cancelled', 'running')"
    stale = _stale(layout)
    return f"""count() AS runs,
  countIf(r.status = 'success') AS succeeded,
  countIf(r.status = 'partial') AS partial,
  countIf(r.status IN ('failed', 'timeout')) AS failed,
  countIf(r.status = 'cancelled') AS cancelled,
  countIf(r.status = 'running') - {stale} AS running,
  {stale} AS stale,
  countIf(ifNull(r.status, '') NOT IN {named}) AS other"""


def _stale(layout: Layout) -> str:
    return f"countIf(r.run_id IN (SELECT run_id FROM {layout.name('stale_runs')}))"


def _failed_runs(layout: Layout) -> str:
    return f"""SELECT run_id, agent_name, job_type, status, start_time, end_time, duration_ms,
  items_failed, error_summary, error_details, parent_run_id, host
FROM {layout.name("agent_runs")}
WHERE status IN ('failed', 'timeout')
ORDER BY start_time DESC"""


def _stale_runs(layout: Layout) -> str:
    """Silence alone: whether a process is gone is known on its host, which says so in its views."""
    past = f"now64(3, 'UTC') - toIntervalSecond({STALE_AFTER_SECONDS})"
    before = f"concat(replaceOne(toString({past}), ' ', 'T'), 'Z')"
    return f"""SELECT r.run_id AS run_id, r.agent_name AS agent_name, r.job_type AS job_type,
  r.start_time AS start_time, r.last_event_time AS last_event_time, r.host AS host,
  r.source AS source, 'silent' AS reason, ifNull(o.spans, 0) AS open_spans,
  o.last_open AS last_open_span
FROM {layout.name("agent_runs")} AS r
LEFT JOIN (
  SELECT run_id, count() AS spans, anyIf(name, place = 1) AS last_open FROM (
    SELECT run_id, name, row_number() OVER (
      PARTITION BY run_id ORDER BY start_time DESC NULLS LAST, span_id) AS place
    FROM {layout.name("run_spans")} WHERE end_time IS NULL
  )
  GROUP BY run_id
) AS o ON o.run_id = r.run_id
WHERE r.status = 'running' AND r.last_event_time < {before}"""


def _runs_by_agent(layout: Layout) -> str:
    finished = f"(count() - countIf(r.status = 'running') + {_stale(layout)})"
    rate = f"countIf(r.status = 'success') / nullIf({finished}, 0)"
    return f"""WITH ranked AS (
  SELECT agent_name, duration_ms,
    row_number() OVER (PARTITION BY agent_name ORDER BY duration_ms) AS place,
    count() OVER (PARTITION BY agent_name) AS places
  FROM {layout.name("agent_runs")}
  WHERE duration_ms IS NOT NULL
),
percentiles AS (
  SELECT agent_name,
    minIf(duration_ms, place * 100 >= places * 50) AS p50,
    minIf(duration_ms, place * 100 >= places * 95) AS p95
  FROM ranked
  GROUP BY agent_name
)
SELECT r.agent_name AS agent_name,
  {_counts(layout)},
  {_rounded(rate)} AS success_rate,
  any(p.p50) AS p50_duration_ms,
  any(p.p95) AS p95_duration_ms,
  max(r.start_time) AS last_run
FROM {layout.name("agent_runs")} AS r
LEFT JOIN percentiles AS p ON p.agent_name <=> r.agent_name
GROUP BY r.agent_name"""


def _runs_by_day(layout: Layout) -> str:
    return f"""SELECT substr(r.start_time, 1, 10) AS day,
  {_counts(layout)},
  uniqExact(r.agent_name) AS agents,
  {_whole_sum("r.items_succeeded", "items_succeeded")},
  {_whole_sum("r.items_failed", "items_failed")}
FROM {layout.name("agent_runs")} AS r
GROUP BY substr(r.start_time, 1, 10)"""


_RUNS = "uniqExact(s.run_id) AS runs"


def _usage_sums() -> str:
    """The sums that every view of usage has; the columns of SQLite's `USAGE_SUMS`."""
    tokens = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    sums = ",\n  ".join(_whole_sum(f"s.{one}", one) for one in (*tokens, "reasoning_tokens"))
    read, *others = (
        f"ifNull(sum(toFloat64(s.{one})), 0)"
        for one in ("cache_read_tokens", "input_tokens", "cache_write_tokens")
    )
    rate = f"{read} / nullIf({' + '.join((read, *others))}, 0)"
    return f"""count() AS calls,
  {sums},
  {_rounded(rate)} AS cache_hit_rate,
  sum(s.cost_reported_usd) AS cost_reported_usd,
  sum(s.cost_estimated_usd) AS cost_estimated_usd,
  countIf(s.cost_estimated_usd IS NULL) AS calls_without_price"""


def _usage(layout: Layout, columns: str, keys: str, join: str = "") -> str:
    return f"""SELECT {columns}, {_usage_sums()}
FROM {layout.name("run_spans")} AS s
{join}WHERE s.counted = 1
GROUP BY {keys}"""


def _branches(name: str, roots: str) -> str:
    """Return a recursive table of everything below some roots."""
    step = f"if({name}.depth < {_DEEPEST}, {name}.path, {name}.stem)"
    return f"""{name} AS (
  SELECT run_id, run_id AS root_run_id, toInt64(0) AS depth, '' AS stem,
    concat(began, ' ', run_id) AS path
  FROM linked WHERE {roots}
  UNION ALL
  SELECT child.run_id, {name}.root_run_id, least({name}.depth + 1, {_DEEPEST}),
    {step}, concat({step}, ' / ', child.began, ' ', child.run_id)
  FROM linked AS child INNER JOIN {name} ON child.parent = {name}.run_id
  WHERE child.run_id <> {name}.run_id AND child.run_id <> {name}.root_run_id
)"""


def _run_tree(layout: Layout) -> str:
    """Runs whose parents lead in a circle hang below the earliest of them.

    A run has one parent, so that the way up from a run of a circle comes back to it, and is the
    circle. Every level asks for all runs again: many levels are slow here.
    """
    runs = layout.name("agent_runs")
    all_runs = f"(SELECT run_id FROM {runs})"
    return f"""WITH RECURSIVE linked AS (
  SELECT run_id, ifNull(parent_run_id, '') AS parent, ifNull(start_time, '') AS began,
    parent_run_id IS NULL OR parent_run_id = run_id OR parent_run_id NOT IN {all_runs} AS is_top
  FROM {runs}
),
{_branches("tree", "is_top")},
circling AS (
  SELECT run_id, parent, began FROM linked WHERE run_id NOT IN (SELECT run_id FROM tree)
),
climb AS (
  SELECT run_id, parent AS above, [(began, run_id)] AS seen FROM circling
  UNION ALL
  SELECT climb.run_id, next.parent, arrayPushBack(climb.seen, (next.began, next.run_id))
  FROM climb INNER JOIN circling AS next ON next.run_id = climb.above
  WHERE NOT has(arrayMap(one -> one.2, climb.seen), next.run_id)
),
first_of_circle AS (
  SELECT run_id FROM climb WHERE above = run_id AND arrayMin(seen).2 = run_id
),
{_branches("circles", "run_id IN (SELECT run_id FROM first_of_circle)")}
SELECT t.root_run_id AS root_run_id, t.depth AS depth, r.run_id AS run_id,
  r.parent_run_id AS parent_run_id, r.agent_name AS agent_name, r.job_type AS job_type,
  r.status AS status, r.start_time AS start_time, r.duration_ms AS duration_ms, t.path AS path
FROM (SELECT * FROM tree UNION ALL SELECT * FROM circles) AS t
INNER JOIN {runs} AS r ON r.run_id = t.run_id
ORDER BY t.path"""
