"""The SQL of every table.

Columns of runs come from the one list of fields. No CHECK and no column type rejects or changes
what an agent recorded.
"""

from __future__ import annotations

from indexer.store.schema.columns import RUN_COLUMNS
from telemetry_core.run_fields import RUN_FIELDS

# An integer field has no declared type: SQLite would turn the text "007" into 7.
_FIELD_TYPES = {"text": " TEXT", "time": " TEXT", "json": " TEXT", "integer": ""}
COUNTED_COLUMNS = frozenset(
    (
        "schema_version",
        "event_count",
        "revision",
        "api_posted",
        "api_posted_revision",
        "api_retry_count",
        "foreign_events",
    )
)
"""The columns beyond the fields that are whole numbers."""


def _run_column(name: str) -> str:
    kinds = {field.name: field.kind for field in RUN_FIELDS}
    if name == "run_id":
        return "run_id TEXT NOT NULL PRIMARY KEY"
    if name in kinds:
        return name + _FIELD_TYPES[kinds[name]]
    return f"{name} INTEGER" if name in COUNTED_COLUMNS else f"{name} TEXT"


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

EVENTS_BY_TYPE = """CREATE TABLE events_by_type (
  run_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  timestamp TEXT NOT NULL,
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
  lag_bytes INTEGER,
  watching INTEGER,
  last_error TEXT,
  last_error_at TEXT
)"""

GONE_PROCESSES = """CREATE TABLE gone_processes (
  source TEXT NOT NULL,
  process_start TEXT NOT NULL,
  noted_at TEXT NOT NULL,
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
  payload BLOB NOT NULL,
  changed_at TEXT NOT NULL,
  kind TEXT NOT NULL DEFAULT 'run',
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at REAL NOT NULL DEFAULT 0,
  PRIMARY KEY (target, run_id, revision)
)"""

FORWARD_TARGETS = """CREATE TABLE forward_targets (
  name TEXT NOT NULL PRIMARY KEY,
  failures INTEGER NOT NULL DEFAULT 0,
  blocked_until REAL NOT NULL DEFAULT 0,
  is_paused INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  last_error_at TEXT,
  last_delivered_at TEXT,
  retry_event_id TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID"""
