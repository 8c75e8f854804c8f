"""Its files in batches, each run by a Windows interpreter of its own, some at a time."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional
from xml.etree import ElementTree as ET

from tools.windows.interpreter import ROOT
from tools.windows.wine import Wine, windows_path

ELSEWHERE = {
    "tests/test_architecture.py": "about the source, not about a platform",
    "tests/tools": "about tools that run on Linux",
    "tests/laboratory": "breaks system calls of POSIX",
    "tests/docs": "runs the documentation's shell snippets",
    "tests/smoke_test.py": "deletes a directory that its own client has open",
    "tests/acceptance/test_archive_under_load.py": "stops and continues processes by signals",
    "tests/acceptance/test_database_disasters.py": "replaces databases that are open",
    "tests/acceptance/test_demo.py": "ends processes by signals",
    "tests/acceptance/test_forward_stories.py": "needs a file system in memory",
    "tests/acceptance/test_full_database_disk.py": "mounts small file systems",
    "tests/acceptance/test_laboratory.py": "breaks system calls of POSIX",
    "tests/acceptance/test_process_endings.py": "ends processes in POSIX's ways",
    "tests/acceptance/test_signal_storms.py": "is about POSIX signals",
    "tests/acceptance/test_strange_files.py": "is about FIFOs, devices and sparse files",
    "tests/acceptance/test_torn_writes.py": "needs a file system in memory",
    "tests/acceptance/test_watch_disasters.py": "is about inotify",
    "tests/acceptance/test_wheel.py": "builds and installs by Linux's pip",
    "tests/cli/shell/test_wrapped.py": "is about POSIX processes and terminals",
    "tests/forward/test_daemon.py": "kills daemons by signals at chosen moments",
}
"""What is left out, and why."""

_BATCH_BYTES = 30_000
"""Of test files; a batch of that size takes about a quarter of a minute."""
_BATCH_SECONDS = 600.0
_MEMORY = "/dev/shm"  # noqa: S108  # directories of our own are made in it
_ROOM_BYTES = 4 * 1024**3
_LEFT_OVER_SECONDS = 5.0
"""How long a child that left its process group may keep the output open."""
_LAST_LINES = 60
"""Shown of a batch that came to no end."""
_WINES_COMPLAINT = "wine: Read access denied for device"
_OPTIONS = (
    "-p",
    "no:xdist",
    "-p",
    "no:cacheprovider",
    "-o",
    "addopts=",
    # Where an interpreter dies, the last line names the test.
    "-v",
    "--tb=short",
    "--continue-on-collection-errors",
)


@dataclass
class Counts:
    """How many tests of a folder passed and were skipped."""

    passed: int = 0
    skipped: int = 0


@dataclass
class Outcome:
    """What a run of tests came to."""

    passed: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """How many, by reason."""
    failed: list[str] = field(default_factory=list)
    """What failed, with what was printed."""
    folders: dict[str, Counts] = field(default_factory=dict)
    """By the folder below the checkout, without the folders in it."""
    seconds: float = 0.0

    def add(self, other: Outcome, folder: str) -> None:
        """Add the outcome of a batch, whose files are of one folder."""
        counts = self.folders.setdefault(folder, Counts())
        counts.passed += other.passed
        counts.skipped += sum(other.skipped.values())
        self.passed += other.passed
        self.failed += other.failed
        for reason, count in other.skipped.items():
            self.skipped[reason] = self.skipped.get(reason, 0) + count


def files_of_tests(named: Sequence[str]) -> list[Path]:
    """Return the files of tests to run: those under the paths named, or all that make sense."""
    roots = [ROOT / name for name in named] or [ROOT / "tests"]
    found = {
        path for root in roots for path in ([root] if root.is_file() else root.rglob("test_*.py"))
    }
    if not named:
        left_out = [ROOT / name for name in ELSEWHERE]
        found = {
            path
            for path in found
            if not any(one == path or one in path.parents for one in left_out)
        }
    return sorted(found)


def batches(files: Sequence[Path]) -> list[list[Path]]:
    """Return files in groups of about the same size, each of one folder, the largest first."""
    groups: list[list[Path]] = []
    size = 0
    for path in files:
        more = path.stat().st_size
        if not groups or size + more > _BATCH_BYTES or groups[-1][0].parent != path.parent:
            groups.append([])
            size = 0
        groups[-1].append(path)
        size += more
    return sorted(groups, key=lambda group: -sum(path.stat().st_size for path in group))


def run(wine: Wine, python: Path, files: Sequence[Path], jobs: int) -> Outcome:
    """Run tests, `jobs` interpreters at a time, and say how each batch went."""
    started = time.monotonic()
    waiting: queue.SimpleQueue[list[Path]] = queue.SimpleQueue()
    for batch in batches(files):
        waiting.put(batch)
    total = Outcome()
    lock = threading.Lock()

    def work() -> None:
        while True:
            try:
                batch = waiting.get_nowait()
            except queue.Empty:
                return
            outcome = _run_batch(wine, python, batch)
            with lock:
                total.add(outcome, batch[0].parent.relative_to(ROOT).as_posix())
                _print(batch, outcome)

    workers = [threading.Thread(target=work) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    total.seconds = time.monotonic() - started
    return total


def output_of(wine: Wine, python: Path, script: str) -> str:
    """Return what a script of this checkout prints."""
    return _until_end(wine.start([str(python), script], subprocess.PIPE, ROOT))


def _run_batch(wine: Wine, python: Path, batch: list[Path]) -> Outcome:
    started = time.monotonic()
    names = [path.relative_to(ROOT).as_posix() for path in batch]
    with tempfile.TemporaryDirectory(dir=_in_memory()) as work:
        report = Path(work) / "report.xml"
        command = [
            str(python),
            "-m",
            "pytest",
            *_OPTIONS,
            f"--basetemp={windows_path(Path(work))}\\t",
        ]
        command += [f"--junitxml={windows_path(report)}", "-m", "not laboratory", *names]
        process = wine.start(command, subprocess.PIPE, ROOT)
        output = _until_end(process)
        end = "".join(output.splitlines(keepends=True)[-_LAST_LINES:])
        outcome = _read(report) if report.exists() else Outcome(failed=[f"{names}\n{end}"])
    if process.returncode not in (0, 5) and not outcome.failed:
        outcome.failed.append(f"{' '.join(names)}: exit code {process.returncode}\n{end}")
    outcome.seconds = time.monotonic() - started
    return outcome


def _in_memory() -> Optional[str]:
    """Return where files need no disk, if there is room: flushes take half of the time on one."""
    with suppress(OSError):
        if shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES:
            return _MEMORY
    return None


def _until_end(process: subprocess.Popen[str]) -> str:
    """Return what a process and its children printed; none of them is left when it has ended."""
    assert process.stdout is not None
    lines: list[str] = []
    heard = (line for line in process.stdout if _WINES_COMPLAINT not in line)
    reader = threading.Thread(target=lines.extend, args=(heard,), daemon=True)
    reader.start()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_BATCH_SECONDS)
    was_late = process.poll() is None
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    reader.join(_LEFT_OVER_SECONDS)
    return "".join(lines) + (f"\nnot done in {_BATCH_SECONDS:.0f} s" if was_late else "")


def _read(report: Path) -> Outcome:
    outcome = Outcome()
    tree = ET.parse(report)  # noqa: S314  # pytest wrote it
    for case in tree.iter("testcase"):
        skipped = case.find("skipped")
        if skipped is not None:
            reason = skipped.get("message", "")
            outcome.skipped[reason] = outcome.skipped.get(reason, 0) + 1
        elif case.find("failure") is None and case.find("error") is None:
            outcome.passed += 1
        else:
            outcome.failed.append(f"{case.get('classname')}::{case.get('name')}\n{_words(case)}")
    return outcome


def _words(case: ET.Element) -> str:
    return "\n".join(part.text or "" for part in case if part.tag in ("failure", "error"))


def _print(batch: list[Path], outcome: Outcome) -> None:
    names = f"{batch[0].relative_to(ROOT).as_posix()}" + (
        f" and {len(batch) - 1} more" if batch[1:] else ""
    )
    skipped = sum(outcome.skipped.values())
    counts = f"{outcome.passed:4} passed {skipped:4} skipped {len(outcome.failed):3} failed"
    print(f"{outcome.seconds:6.1f} s  {counts}  {names}", flush=True)
    for failure in outcome.failed:
        print(f"\nFAILED {failure}\n", flush=True)
