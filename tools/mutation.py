"""Mutation tests: breaks the code in one place at a time and runs the tests that go there.

    python tools/mutation.py map               which test reaches which line, and how long it takes
    python tools/mutation.py run [MODULE ...]  try the mutants that no test is known to kill
    python tools/mutation.py report            the tables of docs/testing.md; 1 if one has no reason

Needs Python 3.11 and `pip install -e '.[dev,mutation]'`. What it learns is kept in `.mutation/`;
delete a module's results there to try all of its mutants again. The code is broken in a copy of
the repository, so children that tests start are broken as well, and the checkout never is. Each
mutant is a fork of a process that has pytest loaded: a new interpreter takes ten times as long.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from typing import Any, Optional

import coverage
import hypothesis
import pytest
import tomllib
from in_place import fits_in_place, put_in_place
from mutants import Mutant, mutants_of
from statement import lines_of_statement

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".mutation"
SUITES = ("tests/unit", "tests/integration")
SETTINGS = tomllib.loads((ROOT / "tools" / "mutation.toml").read_text())

# In a child the context is the test that started it, which pytest puts into its environment.
_COVERAGE = """\
[run]
branch = True
source = telemetry_core,indexer
parallel = True
context = ${PYTEST_CURRENT_TEST-}
patch = _exit,fork
"""
# Imported before the first fork, so that no mutant waits for them; none imports our code.
_LIBRARIES = ("asyncio", "click", "httpx", "logging", "numpy", "orjson", "portalocker",
              "rich.console", "sqlite3", "watchdog.observers", "zstandard")  # fmt: skip
_MEMORY = 3 * 2**30
_EXAMPLES = 30
# Hypothesis is here before pytest, which does not mind.
_UNSEEN = "-Wignore::pytest.PytestAssertRewriteWarning"


class _Recorder:
    """Notes how long each test takes, and has the children that tests start measured as well."""

    def __init__(self, settings: Path) -> None:
        self._settings = settings
        self._seconds: Counter[str] = Counter()

    def pytest_sessionstart(self) -> None:
        os.environ["COVERAGE_PROCESS_START"] = str(self._settings)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        (STATE / "durations.json").write_text(json.dumps(self._seconds))


def make_map() -> None:
    """Run all tests once under coverage. The few that mind being measured may fail."""
    STATE.mkdir(exist_ok=True)
    for old in STATE.glob(".coverage*"):
        old.unlink()
    settings = STATE / "coverage.ini"
    settings.write_text(f"{_COVERAGE}data_file = {STATE / '.coverage'}\n")
    os.chdir(ROOT)
    pytest.main(
        ["-q", _UNSEEN, "--cov", "--cov-context=test", f"--cov-config={settings}", "--cov-report=",
         *SUITES],
        plugins=[_Recorder(settings)],
    )  # fmt: skip


class Tests:
    """Which test reaches which line, and how long it takes."""

    def __init__(self) -> None:
        data = coverage.CoverageData(str(STATE / ".coverage"))
        data.read()
        # All of it at once, for in a fork the data would begin anew.
        self._tests_by_line = {
            module: data.contexts_by_lineno(str(ROOT / module)) for module in SETTINGS["tests"]
        }
        self.seconds = Counter(json.loads((STATE / "durations.json").read_text()))

    def of(self, module: str, line: Optional[int], limit: float) -> list[str]:
        """Return the module's tests that reach a statement, the quickest first, up to a time."""
        by_line = self._tests_by_line[module]
        wanted = by_line.keys()
        if line is not None:
            wanted &= lines_of_statement((ROOT / module).read_text(), line)
        contexts = {context for number in wanted for context in by_line[number]}
        if "" in contexts and line is not None:
            # Run by an import, so that each test of the module may notice.
            return self.of(module, None, limit)
        names = {re.sub(r"(\|\w+| \(\w+\))+$", "", context) for context in contexts} - {""}
        files = SETTINGS["tests"][module]
        mine = [name for name in names if any(fnmatchcase(name, f"{file}::*") for file in files)]
        mine.sort(key=lambda name: (self.seconds[name], name))
        so_far = accumulate(self.seconds[name] for name in mine)
        return [name for name, seconds in zip(mine, so_far) if seconds < limit]


class _Loop:
    """In place of pytest's own loop over the tests: tries mutants in forks of the session.

    The modules are imported and the tests collected by then, so a mutant takes no longer than
    the tests that notice it.
    """

    def __init__(self, module: str, mutants: list[Mutant], tests: Tests, report: int) -> None:
        self._module = module
        self._mutants = mutants
        self._tests = tests
        self._report = report
        self._second = int(time.time())

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            _shorten(getattr(item, "obj", None))

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        source = Path(self._module).read_text()
        for mutant in self._mutants:
            self._write(mutant.source)
            outcome = self._try(session, mutant)
            self._write(source)
            os.write(self._report, json.dumps([mutant.key, outcome]).encode() + b"\n")
        return True

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 8 + 8 * self._tests.seconds[nodeid])

    def _write(self, source: str) -> None:
        # For the children that tests start. Python knows stale bytecode by the second, and
        # mutants come quicker.
        self._second += 1
        Path(self._module).write_text(source)
        os.utime(self._module, (self._second, self._second))

    def _try(self, session: pytest.Session, mutant: Mutant) -> str:
        items = self._items(session, mutant)
        pid = os.fork()
        if pid == 0:
            try:
                self._run(session, mutant, items)
            finally:
                traceback.print_exc()
                os._exit(1)
        limit = 30 + 4 * sum(self._tests.seconds[item.nodeid] for item in items)
        return _outcome(_end_of(pid, limit))

    def _items(self, session: pytest.Session, mutant: Mutant) -> list[pytest.Item]:
        names = self._tests.of(self._module, mutant.line, SETTINGS["seconds"])
        order = {name: number for number, name in enumerate(names)}
        # What the map does not know was written after it, maybe for this very mutant.
        new = [item for item in session.items if item.nodeid not in self._tests.seconds]
        known = [item for item in session.items if item.nodeid in order]
        return new + sorted(known, key=lambda item: order[item.nodeid])

    def _run(self, session: pytest.Session, mutant: Mutant, items: list[pytest.Item]) -> None:
        os.setsid()
        put_in_place(mutant.source, sys.modules[_name_of(self._module)])
        for item, following in zip(items, [*items[1:], None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                os._exit(1)
        os._exit(0)


def _name_of(module: str) -> str:
    return module.removesuffix(".py").replace("/", ".")


def _shorten(function: Any) -> None:
    usual = getattr(function, "_hypothesis_internal_use_settings", None)
    if usual is not None:
        # Few examples, always the same, and none made smaller: one that fails is enough.
        function._hypothesis_internal_use_settings = hypothesis.settings(
            usual,
            max_examples=min(usual.max_examples, _EXAMPLES),
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
            derandomize=True,
            database=None,
        )


def _end_of(pid: int, limit: float) -> Optional[int]:
    """Wait for a process that leads its group; end the group, and return how the process ended."""
    deadline = time.monotonic() + limit
    status = None
    while status is None and time.monotonic() < deadline:
        ended, given = os.waitpid(pid, os.WNOHANG)
        status = given if ended else time.sleep(0.005)
    try:
        # What the tests started and left behind goes with them.
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if status is None:
        os.waitpid(pid, 0)
    return status


def _outcome(status: Optional[int]) -> str:
    if status is None or os.WIFSIGNALED(status):
        return "timeout"
    return "killed" if os.WEXITSTATUS(status) else "survived"


class Bench:
    """A copy of the repository, on which mutants are tried."""

    def __init__(self, tests: Tests) -> None:
        self._tests = tests
        self._scratch = Path(tempfile.mkdtemp(prefix="mutation-"))
        self._copy = self._scratch / "copy"
        ignore = shutil.ignore_patterns(".git", ".venv", ".mutation", ".nox", "__pycache__")
        shutil.copytree(ROOT, self._copy, ignore=ignore)

    def close(self) -> None:
        """Delete the copy."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def outcomes(self, module: str, mutants: list[Mutant]) -> Iterator[tuple[str, str]]:
        """Yield the key of each mutant, and how its tests ended."""
        source = (ROOT / module).read_text()
        quick = [mutant for mutant in mutants if fits_in_place(mutant.source, source)]
        yield from self._session(module, quick)
        for mutant in mutants:
            if mutant not in quick:
                # Only an import puts it in place, and so each has a session of its own.
                path = self._copy / module
                path.write_text(mutant.source)
                os.utime(path, (0, 0))
                found = list(self._session(module, [mutant]))
                yield found[0] if found else (mutant.key, "killed")
                path.write_text(source)

    def _session(self, module: str, mutants: list[Mutant]) -> Iterator[tuple[str, str]]:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                self._be_pytest(_Loop(module, mutants, self._tests, writing), module)
            finally:
                # Whatever happened, the copy is the parent's to delete.
                traceback.print_exc()
                os._exit(1)
        os.close(writing)
        with open(reading) as lines:
            for line in lines:
                yield tuple(json.loads(line))
        _end_of(pid, 60)

    def _be_pytest(self, loop: _Loop, module: str) -> None:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        output = os.open(self._scratch / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.RLIM_INFINITY))
        # Looking for plugins takes longer than most mutants live.
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.chdir(self._copy)
        sys.path.insert(0, str(self._copy))
        signal.alarm(120 if len(loop._mutants) == 1 else 0)
        pytest.main(
            ["-q", "--tb=line", "-ptelemetry_core.pytest_plugin", _UNSEEN,
             f"--basetemp={self._scratch / 'tmp'}", *SETTINGS["tests"][module]],
            plugins=[loop],
        )  # fmt: skip
        os._exit(0)


def run(modules: list[str]) -> None:
    """Try the mutants of some modules, as far as none of the tests is known to kill them."""
    STATE.mkdir(exist_ok=True)
    for name in _LIBRARIES:
        importlib.import_module(name)
    bench = Bench(Tests())
    try:
        for module in modules:
            _run_module(module, bench)
    finally:
        bench.close()


def _run_module(module: str, bench: Bench) -> None:
    source = (ROOT / module).read_text()
    ((_, outcome),) = bench.outcomes(module, [Mutant("", None, source)])
    if outcome != "survived":
        raise SystemExit(f"{module}: the tests fail without any mutation")
    known, mutants = _results(module), list(mutants_of(source, SETTINGS["operators"]))
    results = {one.key: known.get(one.key, "untried") for one in mutants}
    todo = [one for one in mutants if results[one.key] in ("untried", "survived")]
    lines = {one.key: one.line for one in todo}
    for key, outcome in bench.outcomes(module, todo):
        results[key] = outcome
        if outcome == "survived":
            print(f"{module}:{lines[key]}: {key}", flush=True)
        _results_path(module).write_text(json.dumps(results, indent=1))
    print(module, dict(Counter(results.values())), flush=True)


def _results_path(module: str) -> Path:
    return STATE / f"{module.replace('/', '.')}.json"


def _results(module: str) -> dict[str, str]:
    path = _results_path(module)
    return json.loads(path.read_text()) if path.exists() else {}


def report() -> bool:
    """Print what was found, as Markdown; say whether each survivor has its reason."""
    reasons = {(s["module"], key): s["reason"] for s in SETTINGS["survivor"] for key in s["keys"]}
    results = {module: _results(module) for module in SETTINGS["tests"]}
    print("| module | mutants | tried | killed | by a time-out | survived | killed, % |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    total: Counter[str] = Counter()
    for module, outcomes in results.items():
        total += Counter(outcomes.values())
        print(f"| `{module}` | {_figures(Counter(outcomes.values()))} |")
    print(f"| all | {_figures(total)} |\n\n| module | what survived | why |\n|---|---|---|")
    survivors = [
        (module, key)
        for module, outcomes in results.items()
        for key, outcome in outcomes.items()
        if outcome == "survived"
    ]
    for module, key in survivors:
        change = key.rpartition(" #")[0].replace("|", "\\|")
        print(f"| `{module}` | `{change}` | {reasons.get((module, key), '**none given**')} |")
    return all(survivor in reasons for survivor in survivors)


def _figures(counts: Counter[str]) -> str:
    dead, tried = counts["killed"] + counts["timeout"], counts.total() - counts["untried"]
    share = f"{100 * dead / tried:.1f}" if tried else ""
    cells = (counts.total(), tried, dead, counts["timeout"], counts["survived"], share)
    return " | ".join(map(str, cells))


def main(arguments: list[str]) -> int:
    """Do what the first argument says."""
    if arguments[:1] == ["map"]:
        make_map()
    elif arguments[:1] == ["run"]:
        run(arguments[1:] or list(SETTINGS["tests"]))
    elif arguments == ["report"]:
        return 0 if report() else 1
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
