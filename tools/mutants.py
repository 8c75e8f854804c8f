"""The mutants of a module: the same program, broken in one place.

Called by mutation.py. Most operators are cosmic-ray's, named in mutation.toml; three are ours,
for what its own do not break: a whole statement, a handler, a keyword argument. It leaves out
what would be the same program, or differ in types, docstrings and messages only.
"""

from __future__ import annotations

import ast
import difflib
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.number_replacer import NumberReplacer
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from parso.python.tree import Name


class Mutant(NamedTuple):
    """A module's source with one change."""

    key: str
    """The lines before and after: names the mutant as long as its line stays what it is."""
    line: Optional[int]
    source: str


def mutants_of(source: str, operators: list[str]) -> Iterator[Mutant]:
    """Yield each mutant of a source once."""
    known = {None, _essence(source)}
    same_lines: Counter[str] = Counter()
    made = [get_operator(f"core/{name}")() for name in operators]
    for operator in (*made, StatementRemover(), HandlerRemover(), ArgumentRemover()):
        for occurrence, line in enumerate(_lines(source, operator)):
            if isinstance(operator, NumberReplacer) and occurrence % 2:
                # One less says what one more has said.
                continue
            mutated = mutate_code(source, operator, occurrence)
            essence = _essence(mutated)
            if essence not in known:
                known.add(essence)
                change = _change(source, mutated)
                same_lines[change] += 1
                yield Mutant(f"{change} #{same_lines[change]}", line, mutated)


def _lines(source: str, operator: Operator) -> list[int]:
    nodes = ast_nodes(get_ast(source))
    return [start[0] for node in nodes for start, _ in operator.mutation_positions(node)]


def _change(before: str, after: str) -> str:
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    old, new = (" ".join(x[2:].strip() for x in lines if x[0] == sign) for sign in "-+")
    return f"{old} => {new}"


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


def _essence(source: str) -> Optional[str]:
    """Return what makes a source the program it is; None if it is none."""
    try:
        return ast.dump(_Essence().visit(ast.parse(source)))
    except SyntaxError:
        return None


_PAIRS = [(ast.Eq, ast.NotEq), (ast.Lt, ast.GtE), (ast.Gt, ast.LtE), (ast.Is, ast.IsNot),
          (ast.In, ast.NotIn)]  # fmt: skip
_OPPOSITES = dict(_PAIRS + [(two, one) for one, two in _PAIRS])


class _Essence(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_arguments(self, node: ast.arguments) -> Any:
        # Whether an argument is given by position or by name is style, too.
        node.args = node.posonlyargs + node.args + node.kwonlyargs
        node.posonlyargs, node.kwonlyargs = [], []
        node.defaults, node.kw_defaults = [*node.defaults, *filter(None, node.kw_defaults)], []
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        return ast.Pass() if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> Any:
        if isinstance(node.exc, ast.Call):
            # What it says is for people.
            node.exc = node.exc.func
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        self.generic_visit(node)
        inner = node.operand
        if isinstance(node.op, ast.Not) and isinstance(inner, ast.UnaryOp):
            # A condition is as true without `not not`.
            return inner.operand if isinstance(inner.op, ast.Not) else node
        if isinstance(node.op, ast.Not) and isinstance(inner, ast.Compare) and not inner.ops[1:]:
            inner.ops = [_OPPOSITES[type(inner.ops[0])]()]
            return inner
        return node
