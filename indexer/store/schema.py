"""The schema: the view's tables, indexes and views as SQL.

Called by whoever makes a database, and by the docs. Columns of runs come from the one list of
fields. No CHECK and no column type that could reject or change what an agent said.
"""

from __future__ import annotations

from indexer.store.columns import RUN_COLUMNS
from telemetry_core.fields import RUN_FIELDS, SCHEMA_VERSION

APPLICATION_ID = 0x7E1E3E7A
"""Marks the file as ours in SQLite's header."""

# An integer field has no declared type: SQLite would turn the text "007" into 7.
_FIELD_TYPES = {"text": " TEXT", "time": " TEXT", "json": " TEXT", "integer": ""}
_COUNTED = frozenset(
    (
        "schema_version",
        "event_count",
        "revision",
        "api_posted",
        "api_posted_revision",
        "api_retry_count",
    )
)


def _run_column(name: str) -> str:
    kinds = {field.name: field.kind for field in RUN_FIELDS}
    if name == "run_id":
        return "run_id TEXT NOT NULL PRIMARY KEY"
    if name in kinds:
        return name + _FIELD_TYPES[kinds[name]]
    return f"{name} INTEGER" if name in _COUNTED else f"{name} TEXT"


AGENT_RUNS = (
    "CREATE TABLE agent_runs (\n  "
    + ",\n  ".join(_run_column(name) for name in RUN_COLUMNS)
    + "\n) WITHOUT ROWID"
)

EVENT_COLUMNS = (
    "run_id",
    "event_id",
    "event_type",
    "timestamp",
    "type",
    "source",
    "payload_json",
    "extra_json",
    "file_id",
    "offset",
    "length",
)

RUN_EVENTS = """CREATE TABLE run_events (
  run_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  event_type TEXT,
  timestamp TEXT NOT NULL,
  type TEXT NOT NULL,
  source TEXT NOT NULL,
  payload_json TEXT,
  extra_json TEXT,
  file_id INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  length INTEGER NOT NULL,
  PRIMARY KEY (run_id, event_id)
) WITHOUT ROWID"""

LOG_FILES = """CREATE TABLE log_files (
  name TEXT NOT NULL PRIMARY KEY,
  file_id INTEGER NOT NULL UNIQUE,
  device INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  size INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  head_length INTEGER NOT NULL,
  head_hash TEXT NOT NULL,
  guard_length INTEGER NOT NULL,
  guard_hash TEXT NOT NULL,
  offset INTEGER NOT NULL,
  indexed INTEGER NOT NULL DEFAULT 0,
  indexed_bytes INTEGER NOT NULL DEFAULT 0,
  duplicate INTEGER NOT NULL DEFAULT 0,
  duplicate_bytes INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  quarantined_bytes INTEGER NOT NULL DEFAULT 0,
  fault TEXT
) WITHOUT ROWID"""

QUARANTINE = """CREATE TABLE quarantine (
  file TEXT NOT NULL,
  offset INTEGER NOT NULL,
  length INTEGER NOT NULL,
  reason TEXT NOT NULL,
  excerpt TEXT NOT NULL,
  PRIMARY KEY (file, offset)
) WITHOUT ROWID"""

INDEXER_STATUS = """CREATE TABLE indexer_status (
  id INTEGER NOT NULL PRIMARY KEY,
  pid INTEGER,
  host TEXT,
  started_at TEXT,
  heartbeat TEXT,
  stopped_at TEXT,
  last_pass TEXT,
  lag_bytes INTEGER,
  watching INTEGER,
  last_error TEXT,
  last_error_at TEXT
)"""

GONE_PROCESSES = """CREATE TABLE gone_processes (
  source TEXT NOT NULL,
  process_start TEXT NOT NULL,
  PRIMARY KEY (source, process_start)
) WITHOUT ROWID"""

SETTINGS = """CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value
) WITHOUT ROWID"""

OUTBOX = """CREATE TABLE outbox (
  target TEXT NOT NULL,
  run_id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  key TEXT NOT NULL,
  body BLOB NOT NULL,
  changed_at TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at REAL NOT NULL DEFAULT 0,
  PRIMARY KEY (target, run_id, revision)
)"""

FORWARD_TARGETS = """CREATE TABLE forward_targets (
  name TEXT NOT NULL PRIMARY KEY,
  failures INTEGER NOT NULL DEFAULT 0,
  shut_until REAL NOT NULL DEFAULT 0,
  is_paused INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  last_error_at TEXT,
  last_delivered_at TEXT,
  lifted_by TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID"""

# The last column, so that what is not due yet is passed over without being read.
OUTBOX_IN_ORDER = (
    "CREATE INDEX outbox_in_order ON outbox (target, changed_at, run_id, next_attempt_at)"
)
OUTBOX_LEAST_TRIED = (
    "CREATE INDEX outbox_least_tried"
    " ON outbox (target, attempts, changed_at, run_id, next_attempt_at)"
)
OUTBOX_OF_RUN = "CREATE INDEX outbox_of_run ON outbox (run_id)"
# Few events are receipts: those of a run are found without reading its others.
RECEIPTS = (
    "CREATE INDEX receipts ON run_events (run_id, type) WHERE type IN"
    " ('run.delivered', 'run.delivery_failed', 'run.delivery_retried')"
)

RUNS_BY_START = "CREATE INDEX agent_runs_by_start ON agent_runs (start_time)"
# Few runs have a parent, so it costs next to nothing.
CHILD_RUNS = (
    "CREATE INDEX agent_runs_by_parent ON agent_runs (parent_run_id)"
    " WHERE parent_run_id IS NOT NULL"
)
# Not by what changes with each event: the index would have to be changed as well.
RUNNING_RUNS = "CREATE INDEX agent_runs_running ON agent_runs (status) WHERE status = 'running'"


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
  CASE WHEN gone THEN 'process gone' ELSE 'silent' END AS reason
FROM (
  SELECT runs.*,
    EXISTS (
      SELECT 1 FROM gone_processes AS dead
      WHERE dead.source = runs.source AND dead.process_start = ifnull(runs.process_start, '')
    ) AS gone
  FROM agent_runs AS runs
  WHERE status = 'running'
)
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

TABLES = {
    "agent_runs": AGENT_RUNS,
    "run_events": RUN_EVENTS,
    "log_files": LOG_FILES,
    "quarantine": QUARANTINE,
}
"""The tables that are a function of the log: a rebuild gives the same rows."""

OWN_TABLES = {
    "indexer_status": INDEXER_STATUS,
    "gone_processes": GONE_PROCESSES,
    "settings": SETTINGS,
    "outbox": OUTBOX,
    "forward_targets": FORWARD_TARGETS,
}
"""The indexer's own tables: what it knows of itself and of this host."""

VIEWS = {
    "runs_by_agent": RUNS_BY_AGENT,
    "runs_by_day": RUNS_BY_DAY,
    "failed_runs": FAILED_RUNS,
    "stale_runs": STALE_RUNS,
    "run_tree": RUN_TREE,
}
"""The views that people query."""


def schema_sql() -> str:
    """Return the whole schema as one SQL script."""
    statements = [
        *TABLES.values(),
        *OWN_TABLES.values(),
        RUNS_BY_START,
        RUNNING_RUNS,
        CHILD_RUNS,
        OUTBOX_IN_ORDER,
        OUTBOX_LEAST_TRIED,
        OUTBOX_OF_RUN,
        RECEIPTS,
        *VIEWS.values(),
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {SCHEMA_VERSION}",
    ]
    return ";\n\n".join(statements) + ";\n"
