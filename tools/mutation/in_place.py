"""Putting a mutant in place: functions that are imported already get the mutant's code.

Called by the bench and, in a fork, by the trial. Whoever has imported a function has it under a
name of his own, so the function stays the same object, and only what it does is exchanged.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any


def fits_in_place(source: str, original: str) -> bool:
    """Whether two sources differ within functions only."""
    return _outside(source) == _outside(original)


def put_in_place(source: str, module: ModuleType) -> None:
    """Give the functions and methods of a module the code that they have in `source`."""
    codes = {code.co_qualname: code for code in _codes(compile(source, module.__file__, "exec"))}
    for function in _functions(module):
        function.__code__ = codes[function.__code__.co_qualname]


def _outside(source: str) -> str:
    return ast.dump(_Outside().visit(ast.parse(source)))


class _Outside(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        # The class cell of `super` can't be put into a function that had none, or taken out.
        node.body = [each for each in node.body if "super()" in ast.unparse(each)]
        return node


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _functions(owner: Any) -> Iterator[FunctionType]:
    module = getattr(owner, "__module__", owner.__name__)
    for value in list(vars(owner).values()):
        found = getattr(value, "fget", None) or getattr(value, "__func__", value)
        found = getattr(found, "__wrapped__", found)
        if getattr(found, "__module__", None) != module:
            continue
        if isinstance(found, FunctionType) and "<" not in found.__code__.co_qualname:
            yield found
        elif isinstance(found, type):
            yield from _functions(found)
