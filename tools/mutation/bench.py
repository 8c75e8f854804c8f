"""The bench: a copy of the repository, in which mutants are tried by sessions of pytest.

Called by the run. The copy is what is broken, so the processes that tests start are broken as
well, and the checkout never is. A session is a fork of a process that has the libraries loaded.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import hypothesis
import processes
import pytest
import results
from in_place import fits_in_place
from mutants import Mutant
from reach import Reach
from settings import PYTEST, ROOT, TESTS
from trial import Trial

# Imported before the first fork, so that no mutant waits for them; none imports our code.
_LIBRARIES = ("asyncio", "click", "httpx", "logging", "numpy", "orjson", "portalocker",
              "rich.console", "sqlite3", "watchdog.observers", "zstandard")  # fmt: skip
_MEMORY = 3 * 2**30


class Bench:
    """The copy, deleted at the end of a `with` block."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._scratch = Path(tempfile.mkdtemp(prefix="mutation-"))
        self._copy = self._scratch / "copy"
        # Some tests have a child that gives up its user, which then runs what stands here.
        self._scratch.chmod(0o755)

    def __enter__(self) -> Bench:
        ignore = shutil.ignore_patterns(".git", ".venv", ".mutation", ".nox", "__pycache__")
        shutil.copytree(ROOT, self._copy, ignore=ignore)
        for name in _LIBRARIES:
            importlib.import_module(name)
        # The same examples for each mutant; one that fails is enough, however large it is.
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile(
            "mutation", phases=phases, derandomize=True, database=None
        )
        hypothesis.settings.load_profile("mutation")
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)

    def outcomes(self, module: str, mutants: list[Mutant]) -> Iterator[tuple[str, str]]:
        """Yield the key of each mutant, and how its tests ended."""
        source = (ROOT / module).read_text()
        quick = [mutant for mutant in mutants if fits_in_place(mutant.source, source)]
        yield from self._session(module, quick)
        for mutant in mutants:
            if mutant not in quick:
                yield self._imported(module, mutant, source)

    def _imported(self, module: str, mutant: Mutant, source: str) -> tuple[str, str]:
        """Try a mutant that only an import puts in place, and so in a session of its own."""
        path = self._copy / module
        path.write_text(mutant.source)
        os.utime(path, (0, 0))
        found = list(self._session(module, [mutant]))
        path.write_text(source)
        # Without an outcome, the session itself could not bear it.
        return found[0] if found else (mutant.key, results.KILLED)

    def _session(self, module: str, mutants: list[Mutant]) -> Iterator[tuple[str, str]]:
        reading, writing = os.pipe()
        trial = Trial(module, mutants, self._reach, writing)
        limit = 60 if len(mutants) == 1 else 0
        pid = processes.start(partial(self._be_pytest, trial, TESTS[module], limit))
        os.close(writing)
        with open(reading) as lines:
            for line in lines:
                yield tuple(json.loads(line))
        processes.end(pid, 60)

    def _be_pytest(self, trial: Trial, files: list[str], limit: int) -> None:
        self._redirect()
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.RLIM_INFINITY))
        os.chdir(self._copy)
        sys.path.insert(0, str(self._copy))
        # Looking for plugins takes longer than most mutants live.
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.environ["PYTHONPATH"] = str(self._copy)
        # For what an import does not survive; by its own time first, see the trial.
        signal.setitimer(signal.ITIMER_PROF, limit)
        signal.alarm(10 * limit)
        pytest.main(
            [*PYTEST, "--tb=line", "-ptelemetry_core.pytest_plugin",
             # By this name such tests know what pytest made for nobody else, and open it.
             f"--basetemp={self._scratch / 'pytest'}", *files],
            plugins=[trial],
        )  # fmt: skip

    def _redirect(self) -> None:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        output = os.open(self._scratch / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
