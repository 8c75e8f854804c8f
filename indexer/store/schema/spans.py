"""Define tables and views of what agents do, what it used and what it cost.

Part of the schema. Rows of `run_spans` are made from events alone, but for the last columns:
whose usage counts depends on the other spans and runs, and what it cost on price data.
"""

from __future__ import annotations

RUN_SPANS = """CREATE TABLE run_spans (
  run_id TEXT NOT NULL,
  span_id TEXT NOT NULL,
  parent_span_id TEXT,
  name TEXT,
  kind TEXT,
  status TEXT,
  start_time TEXT,
  end_time TEXT,
  duration_ms REAL,
  model TEXT,
  provider TEXT,
  tool_name TEXT,
  error TEXT,
  time_to_first_token_ms REAL,
  input_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_tokens INTEGER,
  output_tokens INTEGER,
  reasoning_tokens INTEGER,
  cache_write_1h_tokens INTEGER,
  cost_reported_usd REAL,
  vocabulary TEXT,
  attributes_json TEXT,
  start_event TEXT,
  end_event TEXT,
  is_owner INTEGER NOT NULL DEFAULT 1,
  counted INTEGER NOT NULL DEFAULT 0,
  cost_estimated_usd REAL,
  price_version TEXT,
  PRIMARY KEY (run_id, span_id)
) WITHOUT ROWID"""

SPAN_CALLS = """CREATE TABLE span_calls (
  call TEXT NOT NULL,
  claim TEXT NOT NULL,
  run_id TEXT NOT NULL,
  span_id TEXT NOT NULL,
  PRIMARY KEY (call, claim, run_id, span_id)
) WITHOUT ROWID"""

RUN_METRICS = """CREATE TABLE run_metrics (
  run_id TEXT NOT NULL,
  name TEXT NOT NULL,
  time TEXT NOT NULL,
  event_id TEXT NOT NULL,
  step REAL,
  value REAL NOT NULL,
  PRIMARY KEY (run_id, name, time, event_id)
) WITHOUT ROWID"""

CALLS_OF_SPANS = "CREATE INDEX span_calls_of_spans ON span_calls (run_id, span_id)"
# Few spans are open, and few have usage: most runs and most spans are in neither index.
OPEN_SPANS = "CREATE INDEX run_spans_open ON run_spans (run_id) WHERE end_time IS NULL"
UNPRICED_SPANS = (
    "CREATE INDEX run_spans_unpriced ON run_spans (run_id)"
    " WHERE counted = 1 AND price_version IS NULL"
)
COUNTED_SPANS = "CREATE INDEX run_spans_counted ON run_spans (run_id) WHERE counted = 1"
# All that sums of usage over a time read; without `counted` older SQLite reads the rows as well.
USED_SPANS = (
    "CREATE INDEX run_spans_used ON run_spans (start_time, run_id, provider, model, input_tokens,"
    " cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_reported_usd,"
    " cost_estimated_usd, counted) WHERE counted = 1"
)


def _sum(column: str) -> str:
    """NULL where no call has the number; never an overflow, whatever the numbers are."""
    return f"CAST(CASE WHEN count({column}) THEN total({column}) END AS INTEGER) AS {column}"


USAGE_SUMS = f"""count(*) AS calls,
  {_sum("input_tokens")},
  {_sum("cache_read_tokens")},
  {_sum("cache_write_tokens")},
  {_sum("output_tokens")},
  {_sum("reasoning_tokens")},
  round(total(cache_read_tokens) / nullif(
    total(input_tokens) + total(cache_read_tokens) + total(cache_write_tokens), 0), 4)
    AS cache_hit_rate,
  sum(cost_reported_usd) AS cost_reported_usd,
  sum(cost_estimated_usd) AS cost_estimated_usd,
  sum(cost_estimated_usd IS NULL) AS calls_without_price"""
"""The sums that every view of usage has."""

RUN_USAGE = f"""CREATE VIEW run_usage AS
SELECT run_id, {USAGE_SUMS}
FROM run_spans
WHERE counted = 1
GROUP BY run_id"""

USAGE_BY_DAY = f"""CREATE VIEW usage_by_day AS
SELECT substr(start_time, 1, 10) AS day, count(DISTINCT run_id) AS runs, {USAGE_SUMS}
FROM run_spans
WHERE counted = 1
GROUP BY day"""

USAGE_BY_MODEL = f"""CREATE VIEW usage_by_model AS
SELECT provider, model, count(DISTINCT run_id) AS runs, {USAGE_SUMS}
FROM run_spans
WHERE counted = 1
GROUP BY provider, model"""

USAGE_BY_AGENT = f"""CREATE VIEW usage_by_agent AS
SELECT runs.agent_name, count(DISTINCT runs.run_id) AS runs, {USAGE_SUMS}
FROM run_spans JOIN agent_runs AS runs ON runs.run_id = run_spans.run_id
WHERE counted = 1
GROUP BY runs.agent_name"""

SPAN_TABLES = {"run_spans": RUN_SPANS, "span_calls": SPAN_CALLS, "run_metrics": RUN_METRICS}
"""The tables of spans that are a function of the log, given the same price data."""

SPAN_INDEXES = (CALLS_OF_SPANS, OPEN_SPANS, COUNTED_SPANS, USED_SPANS, UNPRICED_SPANS)

SPAN_VIEWS = {
    "run_usage": RUN_USAGE,
    "usage_by_day": USAGE_BY_DAY,
    "usage_by_model": USAGE_BY_MODEL,
    "usage_by_agent": USAGE_BY_AGENT,
}
"""The views of usage that people query."""
