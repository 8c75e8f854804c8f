"""Putting a mutant in place: functions that are imported already get the mutant's code.

Called by the bench and, in a fork, by the trial. Whoever has imported a function has it under a
name of his own, so the function stays the same object, and only what it does is exchanged.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any


def fits_in_place(source: str, original: str) -> bool:
    """Whether two sources differ within functions only."""
    return _outside(source) == _outside(original)


def put_in_place(source: str, original: str, module: ModuleType) -> None:
    """Give the functions and methods of a module, imported from `original`, the code of `source`.

    A name that is defined in two branches has two codes: the function has that of its own place.
    """
    new, old = _by_name(source, module), _by_name(original, module)
    for function in _functions(module):
        code = function.__code__
        lines = [one.co_firstlineno for one in old[code.co_qualname]]
        function.__code__ = new[code.co_qualname][lines.index(code.co_firstlineno)]


def _outside(source: str) -> str:
    return ast.dump(_Outside().visit(ast.parse(source)))


class _Outside(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        # The class cell of `super` can't be put into a function that had none, or taken out.
        node.body = [each for each in node.body if "super()" in ast.unparse(each)]
        return node


def _by_name(source: str, module: ModuleType) -> dict[str, list[CodeType]]:
    found: defaultdict[str, list[CodeType]] = defaultdict(list)
    for code in _codes(compile(source, module.__file__, "exec")):
        found[code.co_qualname].append(code)
    return found


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
