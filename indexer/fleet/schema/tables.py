"""Define the tables of the centre: their columns, keys, and how they are spread. Pure.

`row` holds a host's row as JSON, nulls left out: it is what equality means. The columns beside it
are for queries, and are made from it by the server, for old rows too when a field is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Optional

from indexer.store.schema.columns import (
    PRICED_COLUMNS,
    RUN_COLUMNS,
    SPAN_COLUMNS,
)
from indexer.store.schema.tables import COUNTED_COLUMNS
from telemetry_core.run_fields import RUN_FIELDS

LOG_LINES, EVENT_ROWS, RUN_ROWS = "log_lines", "event_rows", "run_rows"
SPAN_ROWS, METRIC_ROWS, NODE_ROWS = "span_rows", "metric_rows", "node_rows"

_NAME = "LowCardinality(String)"
_TEXT = "Nullable(String)"
_SQUEEZED = " CODEC(ZSTD(3))"


@dataclass(frozen=True)
class Column:
    """One column of the centre."""

    name: str
    type: str
    is_derived: bool = False
    """Whether the server makes it from `row`, rather than a host sending it."""
    codec: str = ""

    @property
    def sql(self) -> str:
        """Its definition."""
        default = f" DEFAULT {_from_row(self.name, self.type)}" if self.is_derived else ""
        return f"`{self.name}` {self.type}{default}{self.codec}"


@dataclass(frozen=True)
class Table:
    """One table of the centre."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sharding: str
    """What decides on which shard a row is: all rows of a run are on one."""
    version: Optional[str] = None
    """The column by which the newest row of a key stays; else the last that was sent."""
    partition: str = ""
    settings: tuple[str, ...] = ()
    expires: bool = True
    """Whether rows are deleted when they are older than the centre keeps them."""

    @cached_property
    def sent(self) -> tuple[Column, ...]:
        """The columns that a host sends, in order."""
        return tuple(one for one in self.columns if not one.is_derived)

    @property
    def derived(self) -> tuple[Column, ...]:
        """The columns that the server makes from `row`."""
        return tuple(one for one in self.columns if one.is_derived)


def _from_row(name: str, kind: str) -> str:
    if kind == "Nullable(Int64)":
        # Whole numbers only: an agent may have given 2.5, or more than 64 bits hold.
        is_whole = f"JSONType(row, '{name}') = 'Int64'"
        return f"if({is_whole}, JSONExtractInt(row, '{name}'), NULL)"
    return f"JSONExtract(row, '{name}', '{kind}')"


def _derived_run_columns() -> tuple[Column, ...]:
    whole = {field.name for field in RUN_FIELDS if field.kind == "integer"} | COUNTED_COLUMNS
    return tuple(
        Column(name, "Nullable(Int64)" if name in whole else _TEXT, is_derived=True)
        for name in RUN_COLUMNS
        if name != "run_id"
    )


_REALS = (
    "duration_ms",
    "time_to_first_token_ms",
    "cost_reported_usd",
    "cost_estimated_usd",
)
_RUN_ID = Column("run_id", "String")
_VERSION = Column("version", "UInt64")
_NODE = Column("node", _NAME)
_DAY = Column("day", "Date")
_ROW = Column("row", "String", codec=_SQUEEZED)


def _span_type(name: str) -> str:
    if name in _REALS:
        return "Nullable(Float64)"
    return "Nullable(Int64)" if name.endswith("_tokens") else _TEXT


def _derived_span_columns() -> tuple[Column, ...]:
    names = [*SPAN_COLUMNS[2:], *PRICED_COLUMNS]
    return tuple(Column(name, _span_type(name), is_derived=True) for name in names)


LINES = Table(
    LOG_LINES,
    (
        _NODE,
        Column("segment", "UInt64"),
        Column("name", _NAME),
        _DAY,
        Column("offset", "UInt64", codec=" CODEC(Delta, ZSTD(1))"),
        Column("length", "UInt64"),
        Column("crc", "UInt32"),
        Column("line", "String", codec=_SQUEEZED),
    ),
    # With the check sum two contents at one place both stay, and nobody takes one for the other.
    key=("node", "segment", "offset", "crc"),
    sharding="cityHash64(node, segment)",
    partition="toYYYYMM(day)",
    settings=("ttl_only_drop_parts = 1",),
)

EVENTS = Table(
    EVENT_ROWS,
    (
        _RUN_ID,
        Column("event_id", "String"),
        Column("content", "String"),
        Column("mark", "String"),
        Column("event_type", _NAME),
        Column("timestamp", "String"),
        Column("type", _NAME),
        Column("source", _NAME),
        Column("payload_json", _TEXT, codec=_SQUEEZED),
        Column("extra_json", _TEXT, codec=_SQUEEZED),
        Column("file_id", "Int64"),
        Column("offset", "Int64"),
        Column("length", "Int64"),
        _NODE,
        Column("segment", "UInt64"),
        _DAY,
    ),
    key=("run_id", "event_id", "content"),
    sharding="cityHash64(run_id)",
    settings=("index_granularity = 1024",),
)

RUNS = Table(
    RUN_ROWS,
    (_RUN_ID, _VERSION, _NODE, _DAY, _ROW, *_derived_run_columns()),
    key=("run_id",),
    sharding="cityHash64(run_id)",
    version="version",
)

SPANS = Table(
    SPAN_ROWS,
    (
        _RUN_ID,
        Column("span_id", "String"),
        _VERSION,
        Column("generation", "UInt64"),
        _NODE,
        _DAY,
        Column("leaf", "UInt8"),
        Column("claim", "String"),
        Column("calls", "Array(String)"),
        _ROW,
        *_derived_span_columns(),
    ),
    key=("run_id", "span_id"),
    sharding="cityHash64(run_id)",
    version="version",
)

METRICS = Table(
    METRIC_ROWS,
    (
        _RUN_ID,
        Column("name", "String"),
        Column("time", "String"),
        Column("event_id", "String"),
        _VERSION,
        Column("generation", "UInt64"),
        _NODE,
        _DAY,
        Column("step", "Nullable(Float64)"),
        Column("value", "Float64"),
    ),
    key=("run_id", "name", "time", "event_id"),
    sharding="cityHash64(run_id)",
    version="version",
)

NODES = Table(
    NODE_ROWS,
    (
        _NODE,
        Column("shipped_at", "String"),
        Column("shipped", "UInt64"),
        Column("host", "String"),
        Column("software", "String"),
        Column("waiting_bytes", "UInt64"),
    ),
    key=("node",),
    sharding="cityHash64(node)",
    version="shipped",
    expires=False,
)

TABLES: tuple[Table, ...] = (LINES, EVENTS, RUNS, SPANS, METRICS, NODES)
"""Every table of the centre."""
