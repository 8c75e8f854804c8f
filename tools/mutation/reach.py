"""The reach of the tests: which of them run a line, and how long they take.

Read from the map by whoever tries mutants. It runs nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import accumulate
from typing import Optional

import coverage
from settings import COVERAGE_DATA, DURATIONS, ROOT, SECONDS, TESTS
from statement import lines_of_statement


class Reach:
    """What the map says."""

    def __init__(self) -> None:
        data = coverage.CoverageData(str(COVERAGE_DATA))
        data.read()
        # All of it at once, for in a fork the data would begin anew.
        self._contexts = {module: data.contexts_by_lineno(str(ROOT / module)) for module in TESTS}
        self.seconds = Counter(json.loads(DURATIONS.read_text()))

    def tests_of(self, module: str, line: Optional[int]) -> list[str]:
        """Return the module's tests that run a statement, the quickest first, as time allows.

        Without a line, those that run any. A test's name is pytest's node id.
        """
        contexts = self._contexts_of(module, line)
        if "" in contexts and line is not None:
            # Run by an import, so that each test of the module may notice.
            return self.tests_of(module, None)
        names = {re.sub(r"(\|\w+| \(\w+\))+$", "", context) for context in contexts} - {""}
        mine = [name for name in names if name.partition("::")[0] in TESTS[module]]
        mine.sort(key=lambda name: (self.seconds[name], name))
        so_far = accumulate(self.seconds[name] for name in mine)
        return [name for name, seconds in zip(mine, so_far) if seconds < SECONDS]

    def _contexts_of(self, module: str, line: Optional[int]) -> set[str]:
        by_line = self._contexts[module]
        wanted = by_line.keys()
        if line is not None:
            wanted &= lines_of_statement((ROOT / module).read_text(), line)
        return {context for number in wanted for context in by_line[number]}
