"""The operators that cosmic-ray lacks: a statement, a handler or a keyword argument goes.

Called by the mutants. An operator changes cosmic-ray's syntax tree, and knows nothing of tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cosmic_ray.operators.operator import Operator
from parso.python.tree import Name


class _OurOperator(Operator):
    """What each of ours has in common: it needs no examples, for it is in use here alone."""

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class StatementRemover(_OurOperator):
    """Takes a statement out of a function, or the value out of a `return`."""

    _TYPES = ("expr_stmt", "atom_expr", "raise_stmt", "return_stmt", "del_stmt")

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type != "simple_stmt" or node.children[0].type not in self._TYPES:
            return
        # What takes False for an answer takes None as well.
        is_no = node.children[0].get_code(include_prefix=False) == "return False"
        if _is_in_function(node) and not is_no:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        first = node.children[0]
        text = "return None" if first.type == "return_stmt" else "pass"
        node.children[0] = _instead_of(first, text)
        return node


class HandlerRemover(_OurOperator):
    """Has an `except` clause wait for what nobody raises."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "except_clause":
            for caught in self._caught(node):
                yield caught.start_pos, caught.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        caught = self._caught(node)[index]
        siblings = caught.parent.children
        siblings[siblings.index(caught)] = _instead_of(caught, "StopAsyncIteration")
        return node

    @staticmethod
    def _caught(node: Any) -> list[Any]:
        caught = node.children[1]
        several = caught.type == "atom" and caught.children[1].type == "testlist_comp"
        return caught.children[1].children[::2] if several else [caught]


class ArgumentRemover(_OurOperator):
    """Takes a keyword argument out of a call."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "argument" and node.children[1] == "=":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return _instead_of(node, "**{}")


def _instead_of(node: Any, text: str) -> Name:
    return Name(text, node.start_pos, node.get_first_leaf().prefix)


def _is_in_function(node: Any) -> bool:
    return node is not None and (node.type == "funcdef" or _is_in_function(node.parent))
