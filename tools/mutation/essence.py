"""The essence of a source: what makes it the program it is.

Called by the mutants, to tell whether a change makes another program.
"""

from __future__ import annotations

import ast
from typing import Any, Optional


def essence(source: str) -> Optional[str]:
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
