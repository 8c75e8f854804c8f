"""Whatever one value of one row says that the log does not, verify tells it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer.database.verify import verify
from indexer.store.schema.columns import RUN_COLUMNS, SETTLED_COLUMNS, SPAN_COLUMNS
from indexer.store.schema.tables import EVENT_COLUMNS
from indexer.system.base import Base
from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.event import Event
from telemetry_core.line import encode
from tests.support.database import event

_KEYS = {
    "agent_runs": ("run_id",),
    "run_events": ("run_id", "event_id"),
    "events_by_type": ("run_id", "event_id"),
    "run_spans": ("run_id", "span_id"),
    "run_metrics": ("run_id", "name", "time", "event_id"),
    "quarantine": ("file", "offset"),
}
_COLUMNS = {
    "agent_runs": RUN_COLUMNS,
    "run_events": EVENT_COLUMNS,
    "events_by_type": ("run_id", "event_id", "type", "timestamp"),
    "run_spans": (*SPAN_COLUMNS, *SETTLED_COLUMNS),
    "run_metrics": ("run_id", "name", "time", "event_id", "step", "value"),
    "quarantine": ("file", "offset", "length", "reason", "excerpt"),
}
_VALUES = [(table, column) for table, columns in _COLUMNS.items() for column in columns]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> TelemetryConfig:
    """A base with all that a log can hold, its database up to date."""
    config = TelemetryConfig.for_base(tmp_path_factory.mktemp("verified"))
    client = TelemetryClient(config)
    for number in range(30):
        with client.track_run(f"agent-{number % 3}", "job", host="host") as run:
            run.log_event("step")
            run.log_event("run.alert", {"message": "look"})
            run.log_metrics({"loss": 0.5}, step=number)
            with run.llm_call("model", provider="provider") as call:
                call.usage(input_tokens=10, output_tokens=2)
            run.log_event("step", {"number": -number})
    raised = event(1, "run.alert")
    (config.ndjson_dir / "events_20200101.ndjson").write_bytes(
        b"not an event\n" + encode(raised) + encode(raised) + b"nor this\n"
    )
    verification = verify(Base(config))
    assert verification.is_ok, verification.differences
    assert verification.runs == 30
    return config


def _open(config: TelemetryConfig) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(config.database_path, isolation_level=None))


@pytest.fixture
def damaged(indexed: TelemetryConfig, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The database, open for damage that is undone afterwards."""
    whole = tmp_path / "whole.sqlite"
    shutil.copyfile(indexed.database_path, whole)
    with _open(indexed) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield connection
    with closing(sqlite3.connect(whole)) as source, _open(indexed) as target:
        source.backup(target)
    assert verify(Base(indexed)).is_ok


@pytest.mark.parametrize(("table", "column"), _VALUES)
def test_each_value_of_each_table_is_compared(
    indexed: TelemetryConfig, damaged: sqlite3.Connection, table: str, column: str
) -> None:
    """One value of one row in the middle of its table is another: it is told, and by its name."""
    keys = ", ".join(_KEYS[table])
    damaged.execute(
        f"UPDATE {table} SET {column} = CASE WHEN typeof({column}) IN ('integer', 'real')"
        f" THEN {column} + 1 ELSE ifnull({column}, '') || 'x' END WHERE ({keys}) = (SELECT {keys}"
        f" FROM {table} ORDER BY {keys} LIMIT 1 OFFSET (SELECT count(*) / 2 FROM {table}))"
    )
    assert damaged.execute("SELECT changes()").fetchone() == (1,)
    found = verify(Base(indexed)).differences
    assert found
    if table in ("agent_runs", "run_spans", "run_metrics") and column not in _KEYS[table]:
        assert any(column in difference for difference in found), found


@pytest.mark.parametrize("change", ["the first is gone", "the last is gone", "one more"])
@pytest.mark.parametrize("table", _KEYS)
def test_each_row_of_each_table_is_looked_for(
    indexed: TelemetryConfig, damaged: sqlite3.Connection, table: str, change: str
) -> None:
    """It is told if it is gone, and if it is in no log."""
    *_, last = _KEYS[table]
    names = ", ".join(_COLUMNS[table])
    one_more = f"CASE typeof({last}) WHEN 'integer' THEN {last} + 1 ELSE {last} || 'x' END"
    another = ", ".join(one_more if name == last else name for name in _COLUMNS[table])
    damaged.execute(
        {
            "the first is gone": f"DELETE FROM {table} WHERE {last} = (SELECT min({last}) FROM"
            f" {table})",
            "the last is gone": f"DELETE FROM {table} WHERE {last} = (SELECT max({last}) FROM"
            f" {table})",
            "one more": f"INSERT INTO {table} ({names}) SELECT {another} FROM {table} LIMIT 1",
        }[change]
    )
    assert damaged.execute("SELECT changes()").fetchone() != (0,)
    assert verify(Base(indexed)).differences


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("payload_json = '' WHERE payload_json IS NULL", "has another payload_json"),
        ("length = length + 1", "has another length"),
        ("payload_json = '{' WHERE type = 'run.ended'", "cannot be folded"),
        ("extra_json = '{' WHERE type = 'run.ended'", "cannot be folded"),
    ],
)
def test_what_only_damage_can_say_is_told_as_well(
    indexed: TelemetryConfig, damaged: sqlite3.Connection, change: str, told: str
) -> None:
    """An empty text for nothing, a length of its own, text that is no JSON."""
    damaged.execute(f"UPDATE run_events SET {change}")
    found = verify(Base(indexed)).differences
    assert any(told in difference for difference in found), found


@pytest.mark.parametrize("is_first", [True, False])
def test_a_run_whose_ids_are_in_no_order_is_compared_as_well(
    client: TelemetryClient, *, is_first: bool
) -> None:
    """Between the first and the last of a few lines is then most of the run."""
    lines = [
        event(number)._replace(id=f"{number * 7_919 % 1_000:04}", run_id="long")
        for number in range(1_000)
    ]
    others = [event(number)._replace(run_id=f"run-{number % 9}") for number in range(300)]
    both: list[Event] = [*lines, *others] if is_first else [*others, *lines]
    base = Base(client.config)
    client.config.ndjson_dir.mkdir(parents=True, exist_ok=True)
    path = client.config.ndjson_dir / "events_20200101.ndjson"
    path.write_bytes(b"".join(map(encode, both)))
    assert verify(base).is_ok
    with _open(client.config) as connection:
        connection.execute("UPDATE run_events SET source = 'x' WHERE event_id = '0500'")
    told = verify(base).differences[0]
    assert told.startswith("events_20200101.ndjson: event 0500 at ")
