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
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from typing import Any, Optional

import coverage
import hypothesis
import pytest
import tomllib
from mutants import mutants_of
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
        self._data = coverage.CoverageData(str(STATE / ".coverage"))
        self._data.read()
        self.seconds = Counter(json.loads((STATE / "durations.json").read_text()))

    def of(self, module: str, source: str, line: Optional[int], limit: float) -> list[str]:
        """Return the module's tests that reach a statement, the quickest first, up to a time."""
        by_line = self._data.contexts_by_lineno(str(ROOT / module))
        wanted = by_line.keys()
        if line is not None:
            wanted &= lines_of_statement(source, line)
        contexts = {context for number in wanted for context in by_line[number]}
        if "" in contexts and line is not None:
            # Run by an import, so that each test of the module may notice.
            return self.of(module, source, None, limit)
        names = {re.sub(r"(\|\w+| \(\w+\))+$", "", context) for context in contexts} - {""}
        files = SETTINGS["tests"][module]
        mine = [name for name in names if any(fnmatchcase(name, f"{file}::*") for file in files)]
        mine.sort(key=lambda name: (self.seconds[name], name))
        so_far = accumulate(self.seconds[name] for name in mine)
        return [name for name, seconds in zip(mine, so_far) if seconds < limit]


class _Chosen:
    """Has pytest run some tests only, in an order, none of them much longer than usual."""

    def __init__(self, names: list[str], tests: Tests) -> None:
        self._order = {name: number for number, name in enumerate(names)}
        self._seconds = tests.seconds

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        # What the map does not know was written after it, maybe for this very mutant.
        order = {item: self._order.get(item.nodeid) for item in items}
        new = [item for item in items if item.nodeid not in self._seconds]
        items[:] = new + sorted((item for item in items if order[item] is not None), key=order.get)
        for item in items:
            self._shorten(getattr(item, "obj", None))

    def _shorten(self, function: Any) -> None:
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

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 6 + 6 * self._seconds[nodeid])


class Bench:
    """A copy of the repository, on which one mutant after another is tried."""

    def __init__(self, tests: Tests) -> None:
        self._tests = tests
        self._second = int(time.time())
        self._scratch = Path(tempfile.mkdtemp(prefix="mutation-"))
        self._copy = self._scratch / "copy"
        ignore = shutil.ignore_patterns(".git", ".venv", ".mutation", ".nox", "__pycache__")
        shutil.copytree(ROOT, self._copy, ignore=ignore)

    def close(self) -> None:
        """Delete the copy."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def try_source(self, module: str, source: str, names: list[str]) -> tuple[str, str]:
        """Run tests on another source of a module; return how they ended and what they said."""
        path = self._copy / module
        original = path.read_text()
        self._write(path, source)
        try:
            return self._run(names, SETTINGS["tests"][module])
        finally:
            self._write(path, original)

    def _write(self, path: Path, source: str) -> None:
        # Python knows stale bytecode by the second, and mutants come quicker.
        self._second += 1
        path.write_text(source)
        os.utime(path, (self._second, self._second))

    def _run(self, names: list[str], files: list[str]) -> tuple[str, str]:
        output = self._scratch / "output"
        pid = os.fork()
        if pid == 0:
            try:
                self._be_pytest(names, files, output)
            finally:
                # Whatever happened, the copy is the parent's to delete.
                traceback.print_exc()
                os._exit(99)
        limit = time.monotonic() + 30 + 4 * sum(self._tests.seconds[name] for name in names)
        status = None
        while status is None and time.monotonic() < limit:
            time.sleep(0.01)
            ended, given = os.waitpid(pid, os.WNOHANG)
            status = given if ended else None
        try:
            # What the tests started and left behind goes with them.
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if status is None:
            os.waitpid(pid, 0)
        shutil.rmtree(self._scratch / "tmp", ignore_errors=True)
        return _outcome(status), output.read_text(errors="replace")

    def _be_pytest(self, names: list[str], files: list[str], output: Path) -> None:
        os.setsid()
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.RLIM_INFINITY))
        # Looking for plugins takes longer than most mutants live.
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        os.chdir(self._copy)
        sys.path.insert(0, str(self._copy))
        code = pytest.main(
            ["-x", "-q", "--tb=line", "-ptelemetry_core.pytest_plugin", _UNSEEN,
             f"--basetemp={self._scratch / 'tmp'}", *files],
            plugins=[_Chosen(names, self._tests)],
        )  # fmt: skip
        sys.stdout.flush()
        os._exit(int(code))


def _outcome(status: Optional[int]) -> str:
    if status is None or os.WIFSIGNALED(status):
        return "timeout"
    no_failure = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return "survived" if os.WEXITSTATUS(status) in no_failure else "killed"


def run(modules: list[str]) -> None:
    """Try the mutants of some modules, as far as none of the tests is known to kill them."""
    STATE.mkdir(exist_ok=True)
    for name in _LIBRARIES:
        importlib.import_module(name)
    tests = Tests()
    bench = Bench(tests)
    try:
        for module in modules:
            _run_module(module, tests, bench)
    finally:
        bench.close()


def _run_module(module: str, tests: Tests, bench: Bench) -> None:
    source, limit = (ROOT / module).read_text(), SETTINGS["seconds"]
    outcome, said = bench.try_source(module, source, tests.of(module, source, None, limit))
    if outcome != "survived":
        raise SystemExit(f"{module}: the tests fail without any mutation\n{said}")
    known, results = _results(module), {}
    for mutant in mutants_of(source, SETTINGS["operators"]):
        outcome = known.get(mutant.key, "survived")
        if outcome == "survived":
            names = tests.of(module, source, mutant.line, limit)
            outcome, _ = bench.try_source(module, mutant.source, names)
        results[mutant.key] = outcome
        if outcome == "survived":
            print(f"{module}:{mutant.line}: {mutant.key}", flush=True)
        _results_path(module).write_text(json.dumps({**known, **results}, indent=1))
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
    survivors = []
    print("| module | mutants | killed | by a time-out | survived | killed, % |")
    print("|---|--:|--:|--:|--:|--:|")
    total: Counter[str] = Counter()
    for module in SETTINGS["tests"]:
        results = _results(module)
        counts = Counter(results.values())
        total += counts
        print(f"| `{module}` | {_figures(counts)} |")
        survivors += [(module, key) for key, outcome in results.items() if outcome == "survived"]
    print(f"| all | {_figures(total)} |\n")
    print("| module | what survived | why |\n|---|---|---|")
    for module, key in survivors:
        change = key.rpartition(" #")[0].replace("|", "\\|")
        print(f"| `{module}` | `{change}` | {reasons.get((module, key), '**none given**')} |")
    return all(survivor in reasons for survivor in survivors)


def _figures(counts: Counter[str]) -> str:
    dead, total = counts["killed"] + counts["timeout"], counts.total()
    share = f"{100 * dead / total:.1f}" if total else ""
    return f"{total} | {dead} | {counts['timeout']} | {counts['survived']} | {share}"


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
