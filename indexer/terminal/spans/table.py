"""Print trees of spans as a table: what, status, how long, tokens and costs.

Used by the commands that show runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from indexer.terminal.console import STATUS_STYLES
from indexer.terminal.format import count, duration, plain
from indexer.terminal.hyperlink import linked_run
from indexer.terminal.runs_table import short_id
from indexer.terminal.spans.tree import Node, lines
from indexer.terminal.spans.usage import dollars
from indexer.terminal.table import Column, print_table

_STYLES = {**STATUS_STYLES, "ok": "green", "error": "red", "open": "cyan"}


def print_nodes(nodes: Sequence[Node], limit: int = 0) -> int:
    """Print trees, at most so many lines, 0 for all; return how many lines were left out."""
    encoding = (sys.stdout.encoding or "ascii").lower()
    columns = [
        Column("WHAT"),
        Column("STATUS", styles=_STYLES),
        Column("TOOK", right=True),
        Column("TOKENS", right=True),
        Column("COST", right=True),
        Column("NOTE", style="dim", note=True),
    ]
    drawn = list(lines(nodes, is_ascii=not encoding.startswith("utf")))
    shown = drawn[: limit or len(drawn)]
    # The trees themselves stand at the margin.
    print_table(columns, [_cells(before[3:], node) for before, node in shown])
    return len(drawn) - len(shown)


def _cells(before: str, node: Node) -> list[str]:
    row = node.row
    times = f" x{node.times}" if node.times > 1 else ""
    name = f"{node.kind} {plain(node.name)}{times}"
    if node.kind == "run":
        name += f" {short_id(row['run_id'])}"
        return [
            linked_run(row["run_id"], before + name),
            plain(row["status"]),
            duration(row["duration_ms"]),
            "",
            "",
            plain(row["error_summary"]),
        ]
    is_counted = row["counted"]
    return [
        before + name,
        row["status"] or "open",
        duration(row["duration_ms"]),
        _tokens(row) if is_counted else "",
        _cost(row) if is_counted else "",
        plain(row["error"] or row["model"] or ""),
    ]


def _tokens(row: Any) -> str:
    read = sum(row[f"{name}_tokens"] or 0 for name in ("input", "cache_read", "cache_write"))
    return f"{count(read)} + {count(row['output_tokens'] or 0)}"


def _cost(row: Any) -> str:
    reported = row["cost_reported_usd"]
    return dollars(row["cost_estimated_usd"] if reported is None else reported)
