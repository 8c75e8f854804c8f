"""The statement at a line: which lines run when it runs.

Called by the reach, for coverage knows a statement by some of its lines only. Of a compound
statement it gives the head, and not the body.
"""

from __future__ import annotations

import ast


def lines_of_statement(source: str, line: int) -> set[int]:
    """Return the lines of the innermost statement that `line` is part of."""
    best = {line}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.stmt, ast.excepthandler)):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
            if node.lineno <= line <= last:
                best = set(range(node.lineno, last + 1))
    return best
