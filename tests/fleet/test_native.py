"""What the engine reads from the columns that are sent is what was given, value by value."""

from __future__ import annotations

import urllib.request
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.fleet.schema.layout import quoted
from indexer.fleet.schema.tables import TABLES, Table
from indexer.fleet.wire.native import Row
from indexer.fleet.wire.squeeze import GZIP, best_squeezer
from tests.support.clickhouse import Centre
from tests.support.rowbinary import encode_rows

pytestmark = pytest.mark.needs("clickhouse")

# Lengths on both sides of what one byte and a table hold, and texts that are not ASCII.
_LONG = st.sampled_from([127, 128, 4095, 4096, 20_000]).map(lambda size: "x" * size)
_FEW = st.sampled_from(["", "a", "b", "\x7f", "é"])
_TEXT = _FEW | st.text(st.characters(exclude_categories=("Cs",)), max_size=8) | _LONG
_BYTES = st.binary(max_size=8) | _LONG.map(str.encode)
_REAL = st.floats(allow_nan=False)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "String": _TEXT,
    "LowCardinality(String)": _TEXT,
    "Nullable(String)": st.none() | _TEXT,
    "UInt8": st.integers(0, 2**8 - 1),
    "UInt32": st.integers(0, 2**32 - 1),
    "UInt64": st.sampled_from([0, 7]) | st.integers(0, 2**64 - 1),
    "Int64": st.sampled_from([-1, 7]) | st.integers(-(2**63), 2**63 - 1),
    "Float64": _REAL,
    "Nullable(Float64)": st.none() | _REAL,
    "Date": st.just(date(2026, 1, 1)) | st.dates(date(1970, 1, 1), date(2149, 6, 6)),
    "Array(String)": st.lists(_TEXT, max_size=3),
}


def _rows(table: Table) -> st.SearchStrategy[list[Row]]:
    values = [_BYTES if column.name == "line" else _VALUES[column.type] for column in table.sent]
    return st.lists(st.tuples(*values), min_size=1, max_size=6)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_rows_are_there_as_they_were_given(
    table: Table, module_centre: Centre, data: st.DataObject
) -> None:
    """Compared in the plainest of the engine's formats, with a spelling that has no columns."""
    rows = data.draw(_rows(table))
    assert _sent_and_read(module_centre, table, rows) == encode_rows(table, rows)


def test_names_of_more_than_a_byte_and_than_two_can_number(module_centre: Centre) -> None:
    """The numbers of names are as wide as they have to be."""
    table = next(one for one in TABLES if one.name == "node_rows")
    for count in (256, 257, 65_537):
        rows = [(f"n{number}", "t", number, "h", "2.0", 0) for number in range(count)]
        assert _sent_and_read(module_centre, table, rows) == encode_rows(table, rows)


def test_requests_are_squeezed_by_what_is_installed() -> None:
    """The engine reads both ways; the tests of this folder use the first."""
    assert best_squeezer() is not GZIP


def test_rows_squeezed_by_gzip_are_the_same(
    module_centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where zstd's library is not installed."""
    monkeypatch.setattr(module_centre.client, "_squeezer", GZIP)
    table = next(one for one in TABLES if one.name == "node_rows")
    rows = [("é", "t", 1, "h", "2.0", 0)]
    assert _sent_and_read(module_centre, table, rows) == encode_rows(table, rows)


def _sent_and_read(centre: Centre, table: Table, rows: list[Row]) -> bytes:
    name = f"plain_{table.name}"
    columns = ", ".join(f"{quoted(one.name)} {one.type}" for one in table.sent)
    centre.client.run(f"CREATE TABLE IF NOT EXISTS {name} ({columns}) ENGINE = Memory")
    centre.client.run(f"TRUNCATE TABLE {name}")
    centre.client.insert(Table(name, table.sent, table.key, table.sharding), rows)
    address = f"{centre.server.url}?database={centre.address.database}"
    sql = f"SELECT * FROM {name} FORMAT RowBinary".encode()
    with urllib.request.urlopen(urllib.request.Request(address, sql)) as answer:
        return bytes(answer.read())
