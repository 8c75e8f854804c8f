"""Prepare Wine and the interpreters, run the suite, and report the outcome."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from tools.windows import interpreter, page, suite
from tools.windows.wine import Wine, WineMissing


def main() -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args()
    cache = Path(options.cache)
    try:
        wine = Wine(cache / "prefix")
    except WineMissing as missing:
        print(f"skipped: {missing}")
        return 1 if options.required else 0
    files = suite.files_of_tests(options.paths)
    with wine.started():
        for version in options.python or [interpreter.VERSIONS[-1]]:
            python = interpreter.prepare(version, cache)
            if options.speed:
                print(suite.output_of(wine, python, "tools/windows/speed.py").strip(), flush=True)
                continue
            for _ in range(options.repeat):
                print(f"Python {version} for Windows under {wine.version()}:", flush=True)
                outcome = suite.run(wine, python, files, options.jobs)
                if not _judge(outcome, options.at_least):
                    return 1
                if options.write_docs:
                    page.write(outcome, version)
    return 0


def _judge(outcome: suite.Outcome, at_least: int) -> bool:
    """Print what a run came to; return whether it is good enough."""
    print("left out:")
    for path, reason in suite.ELSEWHERE.items():
        print(f"        {path}: {reason}")
    print("skipped:")
    for reason, count in sorted(outcome.skipped.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:6}  {reason}")
    skipped, failed = sum(outcome.skipped.values()), len(outcome.failed)
    counts = f"{outcome.passed} passed, {skipped} skipped, {failed} failed"
    print(f"{counts} in {outcome.seconds:.0f} s", flush=True)
    if outcome.passed < at_least:
        print(f"at least {at_least} have to pass")
    return not outcome.failed and outcome.passed >= at_least


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/windows", description=__doc__)
    parser.add_argument(
        "paths", nargs="*", help="files or folders of tests; all that make sense if none"
    )
    parser.add_argument(
        "--python", action="append", choices=interpreter.VERSIONS, help="may be repeated"
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs of each Python")
    parser.add_argument(
        "--jobs", type=int, default=4, help="interpreters at a time; they mostly wait for Wine"
    )
    parser.add_argument("--at-least", type=int, default=0, help="how many tests have to pass")
    parser.add_argument(
        "--speed", action="store_true", help="measure log_event instead of running tests"
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="put the counts of a whole run into the docs"
    )
    parser.add_argument("--required", action="store_true", help="fail where Wine is missing")
    parser.add_argument("--cache", default=_default_cache(), help="where what is prepared is kept")
    return parser


def _default_cache() -> Path:
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(caches) / "local-telemetry" / "windows"
