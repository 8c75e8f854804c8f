"""Decide how the centre's tables are spread: one server, replicas, or shards with replicas. Pure.

Every table is a ReplacingMergeTree: of rows with one key the newest stays, so that sending a row
again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

SINGLE, REPLICATED, SHARDED = "single", "replicated", "sharded"
LAYOUTS = (SINGLE, REPLICATED, SHARDED)

_LOCAL = "_local"


@dataclass(frozen=True)
class Layout:
    """Where the tables are, and which of their variants they are."""

    database: str
    cluster: Optional[str] = None
    """The name of the cluster as the servers' configuration has it; None for one server."""
    kind: str = SINGLE
    """One of `LAYOUTS`."""
    keep_days: Optional[int] = None
    """For how many days rows are kept; None to leave that as it is."""

    @property
    def on_cluster(self) -> str:
        """The clause that has a statement run on all servers; empty for one server."""
        return f" ON CLUSTER {quoted(self.cluster)}" if self.cluster else ""

    def name(self, table: str) -> str:
        """Return the full name of what is read and written."""
        return f"{quoted(self.database)}.{quoted(table)}"

    def stored_name(self, table: str) -> str:
        """Return the full name of the table that holds the rows, on each shard."""
        return self.name(table + _LOCAL if self.kind == SHARDED else table)

    def engine(self, version: Optional[str]) -> str:
        """Return the engine of a table; `version` is the column by which the newest row stays."""
        if self.kind == SINGLE:
            return f"ReplacingMergeTree({version or ''})"
        # The macros are in every server's configuration; {table} is filled in by the server.
        path = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
        rest = f", {version}" if version else ""
        return f"ReplicatedReplacingMergeTree({path}{rest})"

    def distributed(self, table: str, sharding: str) -> str:
        """Return the engine of the table that spreads rows over the shards."""
        names = (self.cluster or "", self.database, table + _LOCAL)
        return f"Distributed({', '.join(map(text, names))}, {sharding})"


def quoted(name: Optional[str]) -> str:
    """Return a name as SQL writes it, whatever its characters."""
    escaped = (name or "").replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def text(value: str) -> str:
    """Return a text as SQL writes it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def in_list(values: Iterable[str]) -> str:
    """Return texts as SQL writes them in a list."""
    return ", ".join(map(text, values))
