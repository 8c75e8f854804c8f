"""Leaves are summed, parents never, whatever the parents say."""

from __future__ import annotations

from typing import Optional

from hypothesis import given
from hypothesis import strategies as st

from indexer.semantics.tree import usage_leaves, without_cycles

IDS = st.sampled_from("abcdefgh")


def test_a_parent_that_repeats_its_children_does_not_count() -> None:
    """At any distance, through spans without usage."""
    parents = {"agent": None, "step": "agent", "call": "step", "other": None}
    assert usage_leaves(parents, ["agent", "call", "other"]) == {"call", "other"}


def test_a_parent_that_is_not_there_is_no_parent() -> None:
    """It may come later, or never."""
    assert without_cycles({"a": "gone"}) == {"a": None}


def test_in_a_cycle_something_still_counts() -> None:
    """The smallest id is cut loose; a span that is its own parent is a root."""
    assert without_cycles({"a": "b", "b": "a"}) == {"a": None, "b": "a"}
    assert usage_leaves({"a": "b", "b": "a"}, ["a", "b"]) == {"b"}
    assert usage_leaves({"a": "a"}, ["a"]) == {"a"}


@given(st.dictionaries(IDS, st.none() | IDS), st.sets(IDS))
def test_every_graph_becomes_a_forest_whose_leaves_count_once(
    parents: dict[str, Optional[str]], used: set[str]
) -> None:
    """No way up ends in a circle; on each way up from a leaf nothing else counts."""
    forest = without_cycles(parents)
    used &= parents.keys()
    leaves = usage_leaves(parents, used)
    for span in forest:
        above, steps = forest[span], 0
        while above is not None:
            assert not (span in used and above in leaves)
            above, steps = forest[above], steps + 1
            assert steps <= len(forest)
    assert bool(leaves) == bool(used)


def test_ten_thousand_spans_at_two_hundred_levels_are_no_strain() -> None:
    """Each way up is gone once."""
    parents: dict[str, Optional[str]] = {}
    for number in range(10_000):
        depth = number % 200
        parents[f"{number:05d}"] = f"{number - 1:05d}" if depth else None
    leaves = usage_leaves(parents, parents)
    assert leaves == {f"{number:05d}" for number in range(199, 10_000, 200)}
