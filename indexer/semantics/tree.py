"""Arrange a run's spans as a tree without cycles, and decide whose usage counts.

A parent may repeat its children's totals, so that leaves are summed and parents never. Parents
may be missing, name each other, or themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

Parents = Mapping[str, Optional[str]]


def without_cycles(parents: Parents) -> dict[str, Optional[str]]:
    """Return the parents of spans that form a forest: of a cycle the smallest id has no parent.

    Nor has a span whose parent is not among them.
    """
    forest = {span: parent if parent in parents else None for span, parent in parents.items()}
    done: set[str] = set()
    for span in sorted(forest):
        path: list[str] = []
        on_path: set[str] = set()
        one: Optional[str] = span
        while one is not None and one not in done and one not in on_path:
            path.append(one)
            on_path.add(one)
            one = forest[one]
        if one is not None and one in on_path:
            forest[min(path[path.index(one) :])] = None
        done |= on_path
    return forest


def usage_leaves(parents: Parents, with_usage: Iterable[str]) -> set[str]:
    """Return the spans whose usage counts: those with usage and no descendant that has any."""
    forest = without_cycles(parents)
    leaves = set(with_usage)
    passed: set[str] = set()
    for span in sorted(leaves):
        above = forest.get(span)
        while above is not None and above not in passed:
            passed.add(above)
            above = forest[above]
    return leaves - passed
