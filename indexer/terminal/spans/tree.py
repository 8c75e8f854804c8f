"""Draw a run's spans and nested runs as lines of a tree, repeated siblings folded.

Used by `telemetry tree` and by the pages. Pure: it is given rows and gives lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from indexer.semantics.tree import without_cycles

FOLDED_FROM = 4
"""So many siblings of one name in a row are one line, unless all are wanted."""


@dataclass
class Node:
    """A span or a run, with what is inside it in the order it began."""

    name: str
    kind: str
    """The kind of a span, or `run`."""
    row: Mapping[str, Any]
    children: list[Node] = field(default_factory=list)
    times: int = 1
    """How many siblings in a row it is, where they are folded."""

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.row.get("status") in ("error", "failed", "timeout")

    @property
    def key(self) -> tuple[str, str, bool]:
        """What siblings that are folded have in common."""
        return self.kind, self.name, self.failed


def span_nodes(spans: Sequence[Mapping[str, Any]]) -> list[Node]:
    """Return the spans of one run as trees, by start; a circle of parents is cut."""
    nodes = {row["span_id"]: Node(span_name(row), row["kind"] or "span", row) for row in spans}
    parents = without_cycles({row["span_id"]: row["parent_span_id"] for row in spans})
    roots: list[Node] = []
    for row in sorted(spans, key=_start):
        parent = parents[row["span_id"]]
        into = roots if parent is None else nodes[parent].children
        into.append(nodes[row["span_id"]])
    return roots


def span_name(row: Mapping[str, Any]) -> str:
    """Return what people call a span: a tool by its own name, the others by the span's."""
    named = row["tool_name"] if row["kind"] == "tool" else None
    return str(named or row["name"] or row["span_id"])


def run_node(
    run: Mapping[str, Any],
    spans: Mapping[str, Sequence[Mapping[str, Any]]],
    children: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Node:
    """Return a run with its spans and the runs inside it, all the way down."""
    top = Node(_run_name(run), "run", run)
    todo, seen = [top], {run["run_id"]}
    while todo:
        node = todo.pop()
        run_id = node.row["run_id"]
        inside = [
            Node(_run_name(row), "run", row)
            for row in children.get(run_id, ())
            if row["run_id"] not in seen
        ]
        seen.update(one.row["run_id"] for one in inside)
        todo += inside
        node.children = sorted(
            [*span_nodes(spans.get(run_id, ())), *inside], key=lambda one: _start(one.row)
        )
    return top


def folded(nodes: Iterable[Node]) -> list[Node]:
    """Return siblings with those that repeat one another put together, all the way down."""
    found: list[Node] = []
    for group in _in_a_row(nodes):
        if len(group) < FOLDED_FROM:
            found += [Node(one.name, one.kind, one.row, folded(one.children)) for one in group]
        else:
            found.append(Node(group[0].name, group[0].kind, _summed(group), [], len(group)))
    return found


def lines(nodes: Sequence[Node], *, is_ascii: bool = False) -> Iterator[tuple[str, Node]]:
    """Yield each node in order with the lines of the tree before its name."""
    branch, last, through = ("|- ", "`- ", "|  ") if is_ascii else ("├─ ", "└─ ", "│  ")
    todo = _reversed(nodes, "")
    while todo:
        node, before, is_last = todo.pop()
        yield before + (last if is_last else branch), node
        todo += _reversed(node.children, before + ("   " if is_last else through))


def _reversed(nodes: Sequence[Node], before: str) -> list[tuple[Node, str, bool]]:
    """Nodes to be taken from the end, with the lines before them, and whether they are last."""
    return [(node, before, node is nodes[-1]) for node in reversed(nodes)]


def _in_a_row(nodes: Iterable[Node]) -> Iterator[list[Node]]:
    group: list[Node] = []
    for node in nodes:
        if group and (node.key != group[0].key or node.kind == "run"):
            yield group
            group = []
        group.append(node)
    if group:
        yield group


def _summed(group: Sequence[Node]) -> dict[str, Any]:
    """The sums of spans, their children's usage included, in the place of one span's row."""
    every = [row for node in group for row in _rows(node)]
    row = dict(group[0].row)
    row["duration_ms"] = _sum(node.row["duration_ms"] for node in group)
    for name in (
        "input_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "output_tokens",
        "cost_reported_usd",
        "cost_estimated_usd",
    ):
        row[name] = _sum(one[name] for one in every if one.get("counted"))
    row["counted"] = any(one.get("counted") for one in every)
    return row


def _rows(node: Node) -> Iterator[Mapping[str, Any]]:
    todo = [node]
    while todo:
        one = todo.pop()
        yield one.row
        todo += one.children


def _sum(values: Iterable[Optional[float]]) -> Optional[float]:
    known = [one for one in values if one is not None]
    return sum(known) if known else None


def _start(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["start_time"] or "", row.get("span_id") or row["run_id"]


def _run_name(run: Mapping[str, Any]) -> str:
    return " ".join(str(one) for one in (run["agent_name"], run["job_type"]) if one) or "run"
