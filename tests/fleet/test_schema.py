"""The centre's SQL is made from the one list of fields, for each way to spread the tables."""

from __future__ import annotations

import re

import pytest

from indexer.fleet.schema.layout import REPLICATED, SHARDED, SINGLE, Layout, quoted, text
from indexer.fleet.schema.script import init_statements, script
from indexer.fleet.schema.tables import RUNS, SPANS, TABLES
from indexer.fleet.schema.views import run_spans_of
from indexer.store.schema.columns import PRICED_COLUMNS, RUN_COLUMNS, SPAN_COLUMNS

CLUSTER = Layout("telemetry", "main", SHARDED)


def test_every_field_of_a_run_and_a_span_has_its_column() -> None:
    """A field that is added to the list is in the centre as well."""
    assert {column.name for column in RUNS.columns} >= set(RUN_COLUMNS)
    assert {column.name for column in SPANS.columns} >= {*SPAN_COLUMNS, *PRICED_COLUMNS}


def test_a_new_field_is_added_to_tables_that_exist() -> None:
    """Running the script again adds what is missing, on the shards and above them."""
    for layout in (Layout("telemetry"), CLUSTER):
        sql = script(layout)
        assert sql.count("ADD COLUMN IF NOT EXISTS `git_commit_source`") == 1 + (layout is CLUSTER)
        assert "DROP" not in sql
        assert "TTL" not in sql


def test_no_column_of_a_key_is_ever_changed() -> None:
    """A key says the same for ever, so that what is sent again is recognised."""
    for table in TABLES:
        for name in table.key:
            assert f"ADD COLUMN IF NOT EXISTS `{name}`" not in _of_table(table.name)


def test_one_server_needs_no_keeper() -> None:
    """The simplest centre has plain tables and nothing else."""
    sql = script(Layout("telemetry"))
    assert "ReplacingMergeTree(version)" in sql
    assert not {word for word in ("Replicated", "Distributed", "CLUSTER") if word in sql}


def test_replicas_have_the_tables_themselves() -> None:
    """With one shard nothing is spread, and each table is replicated under its own name."""
    sql = script(Layout("telemetry", "main", REPLICATED))
    assert "ReplicatedReplacingMergeTree(" in sql
    assert "'{replica}', version)" in sql
    assert not {word for word in ("Distributed", "_local") if word in sql}
    assert sql.count("ON CLUSTER `main`") == len(init_statements(Layout("d", "m", REPLICATED)))


@pytest.mark.parametrize("kind", [SINGLE, REPLICATED, SHARDED])
def test_no_table_remembers_inserts(kind: str) -> None:
    """What a redaction deleted is stored when it is sent again, in tables that exist as well."""
    name = f"{'non_' if kind == SINGLE else ''}replicated_deduplication_window = 0"
    sql = init_statements(Layout("d", None if kind == SINGLE else "c", kind))
    created = [one for one in sql if "MergeTree(" in one]
    assert len(created) == len(TABLES)
    assert all(f", {name}" in one for one in created)
    assert sum(f"MODIFY SETTING {name}" in one for one in sql) == len(TABLES)


def test_all_rows_of_a_run_are_on_one_shard() -> None:
    """A key is replaced only where its other row is."""
    for table in TABLES:
        if "run_id" in table.key:
            assert table.sharding == "cityHash64(run_id)"
    assert "ENGINE = Distributed('main', 'telemetry', 'run_rows_local'" in script(CLUSTER)


def test_rows_expire_only_where_somebody_says_so() -> None:
    """The time to keep rows is of the tables with rows, not of the list of hosts."""
    sql = script(Layout("telemetry", keep_days=90))
    assert sql.count("MODIFY TTL day + INTERVAL 90 DAY DELETE") == len(TABLES) - 1


@pytest.mark.parametrize("name", ["a`b", "a\\", "a'b", "a b"])
def test_a_name_cannot_leave_its_quotes(name: str) -> None:
    """Whatever the database is called, it is a name and no SQL."""
    assert quoted(name)[1:-1].replace("\\\\", "").replace("\\`", "").count("`") == 0
    assert text(name)[1:-1].replace("\\\\", "").replace("\\'", "").count("'") == 0


def test_layouts_differ_in_nothing_but_where_rows_are() -> None:
    """The views are the same text for one server and for a cluster."""
    one = [line for line in init_statements(Layout("d", kind=SINGLE)) if "VIEW" in line]
    many = [line for line in init_statements(Layout("d", "c", SHARDED)) if "VIEW" in line]
    assert [line.replace(" ON CLUSTER `c`", "") for line in many] == one


def test_spans_of_some_runs_are_asked_of_the_shards_by_one_server() -> None:
    """A shard that asked all others would be refused, or have a part of the answer."""
    sql = run_spans_of(CLUSTER, "run_id = 'a'")
    assert sql.count("run_id = 'a'") == 2
    assert not re.search(r"(?<!GLOBAL )IN \(SELECT [^)]*FROM `telemetry`", sql)


def _of_table(name: str) -> str:
    return "\n".join(
        one for one in init_statements(CLUSTER) if one.startswith("ALTER") and f"`{name}" in one
    )
