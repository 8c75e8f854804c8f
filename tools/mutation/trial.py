"""The trial: in place of pytest's own loop over the tests, one that tries mutants in forks.

Called by the bench, as a plugin of a pytest session in the copy of the repository. The modules
are imported and the tests collected by then, so a mutant takes no longer than the tests that
notice it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Optional

import processes
import pytest
import results
from in_place import put_in_place
from mutants import Mutant
from reach import Reach


class Trial:
    """Tries the mutants of a module, and writes a line of JSON for each: its key, its outcome."""

    def __init__(self, module: str, mutants: list[Mutant], reach: Reach, output: int) -> None:
        """Make a trial; `output` is the descriptor that the outcomes are written to."""
        self._module = module
        self._mutants = mutants
        self._reach = reach
        self._output = output
        self._second = int(time.time())

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try each mutant."""
        source = Path(self._module).read_text()
        for mutant in self._mutants:
            self._write(mutant.source)
            outcome = self._try(session, mutant, source)
            self._write(source)
            os.write(self._output, json.dumps([mutant.key, outcome]).encode() + b"\n")
        return True

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """End the fork if a test takes much longer than it usually does.

        What loops is ended by its own time: on a busy machine all else takes long, too.
        """
        usual = self._reach.seconds[nodeid]
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, 4 + 4 * usual)
        signal.setitimer(signal.ITIMER_REAL, 120 + 8 * usual)

    def _write(self, source: str) -> None:
        # For the children that tests start. Python knows stale bytecode by the second, and
        # mutants come quicker.
        self._second += 1
        Path(self._module).write_text(source)
        os.utime(self._module, (self._second, self._second))

    def _try(self, session: pytest.Session, mutant: Mutant, source: str) -> str:
        items = self._items(session, mutant)
        pid = processes.start(partial(self._run, session, mutant, source, items))
        code = processes.end(pid, 300 + 8 * sum(self._reach.seconds[one.nodeid] for one in items))
        return _outcome(code)

    def _items(self, session: pytest.Session, mutant: Mutant) -> list[pytest.Item]:
        names = self._reach.tests_of(self._module, mutant.line)
        order = {name: number for number, name in enumerate(names)}
        # What the map does not know was written after it, maybe for this very mutant.
        new = [item for item in session.items if item.nodeid not in self._reach.seconds]
        known = [item for item in session.items if item.nodeid in order]
        return new + sorted(known, key=lambda item: order[item.nodeid])

    def _run(
        self, session: pytest.Session, mutant: Mutant, source: str, items: list[pytest.Item]
    ) -> None:
        put_in_place(mutant.source, source, sys.modules[_name_of(self._module)])
        for item, following in zip(items, [*items[1:], None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                os._exit(1)


def _name_of(module: str) -> str:
    return module.removesuffix(".py").replace("/", ".")


def _outcome(code: Optional[int]) -> str:
    if code is None or code < 0:
        return results.TIMEOUT
    return results.KILLED if code else results.SURVIVED
