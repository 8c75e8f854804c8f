"""Mutation tests: breaks the code in one place at a time and runs the tests that go there.

    python tools/mutation map               which test reaches which line, and how long it takes
    python tools/mutation run [MODULE ...]  try the mutants that no test is known to kill
    python tools/mutation report            the tables of docs/testing-mutation.md; 1 if a
                                            survivor has no reason

Needs Python 3.11 and `pip install -e '.[dev,mutation]'`. What it learns is kept in `.mutation/`;
delete a module's results there to try all of its mutants again.
"""

from __future__ import annotations

import sys

from settings import TESTS


def main(arguments: list[str]) -> int:
    """Do what the first argument says; return the exit code."""
    # What one command imports is nothing to the others: the map must not have Hypothesis loaded
    # before pytest is.
    if arguments == ["map"]:
        from make_map import make_map

        make_map()
    elif arguments[:1] == ["run"] and set(arguments[1:]) <= TESTS.keys():
        from run import run

        run(arguments[1:] or list(TESTS))
    elif arguments == ["report"]:
        from report import report

        return 0 if report() else 1
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
