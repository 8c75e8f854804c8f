"""The mutants of a module: the same program, broken in one place.

Called by the run. It leaves out what would be the same program, or differ in types, docstrings
and messages only.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, Optional

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.number_replacer import NumberReplacer
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from essence import essence
from operators import ArgumentRemover, HandlerRemover, StatementRemover


class Mutant(NamedTuple):
    """A module's source with one change."""

    key: str
    """The lines before and after: names the mutant as long as its line stays what it is."""
    line: Optional[int]
    source: str


def mutants_of(source: str, operators: list[str]) -> Iterator[Mutant]:
    """Yield each mutant of a source once."""
    known = {None, essence(source)}
    same_lines: Counter[str] = Counter()
    made = [get_operator(f"core/{name}")() for name in operators]
    for operator in (*made, StatementRemover(), HandlerRemover(), ArgumentRemover()):
        for line, mutated in _broken(source, operator):
            found = essence(mutated)
            if found not in known:
                known.add(found)
                change = _change(source, mutated)
                same_lines[change] += 1
                yield Mutant(f"{change} #{same_lines[change]}", line, mutated)


def _broken(source: str, operator: Operator) -> Iterator[tuple[int, str]]:
    for occurrence, line in enumerate(_lines(source, operator)):
        # One less says what one more has said.
        if not (isinstance(operator, NumberReplacer) and occurrence % 2):
            yield line, mutate_code(source, operator, occurrence)


def _lines(source: str, operator: Operator) -> list[int]:
    nodes = ast_nodes(get_ast(source))
    return [start[0] for node in nodes for start, _ in operator.mutation_positions(node)]


def _change(before: str, after: str) -> str:
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    old, new = (" ".join(x[2:].strip() for x in lines if x[0] == sign) for sign in "-+")
    return f"{old} => {new}"
