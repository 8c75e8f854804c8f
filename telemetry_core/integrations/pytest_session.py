"""pytest: a session is a run, and each test is a span of it.

`pytest --telemetry`. Called by the pytest plugin. Code under test is not inside of that run: its
own runs keep the parents that they have without it.
"""

from __future__ import annotations

from typing import Any, Optional

from telemetry_core import genai
from telemetry_core.client import TelemetryClient
from telemetry_core.guard import guarded
from telemetry_core.integrations.recorded_spans import RecordedSpans
from telemetry_core.span_id import SPAN_IDS
from telemetry_core.status import CANCELLED, FAILED, SUCCESS

_INTERRUPTED = 2
_NO_TESTS = 5
_OUTCOMES = {"passed": "items_succeeded", "failed": "items_failed", "skipped": "items_skipped"}


class SessionRecorder:
    """Records one session; with xdist, the controlling process records for its workers."""

    def __init__(self, arguments: list[str], client: Optional[TelemetryClient] = None) -> None:
        self._client = client or TelemetryClient()
        self._recorder = self._client._recorder  # noqa: SLF001  # part of the package
        self._spans = RecordedSpans(self._client)
        self._arguments = arguments
        self._run_id = ""
        self._tests: dict[str, str] = {}
        self._worst: dict[str, tuple[str, Optional[str]]] = {}
        self._counts = dict.fromkeys(_OUTCOMES.values(), 0)

    @guarded
    def pytest_sessionstart(self) -> None:
        """Begin the run."""
        summary = " ".join(map(str, self._arguments))
        self._run_id = self._client.start_run("pytest", "tests", "pytest", input_summary=summary)

    @guarded
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Begin a test."""
        self._tests[nodeid] = span_id = SPAN_IDS.next()
        self._spans.start(self._run_id, span_id, nodeid, kind=genai.STEP)

    @guarded
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note how setup, call and teardown went: the first that did not pass decides."""
        if report.outcome == "passed" and report.when != "call":
            return
        if self._worst.get(report.nodeid, ("passed", None))[0] == "passed":
            text = report.longreprtext if report.outcome == "failed" else ""
            error = text.strip().rpartition("\n")[2] or None
            self._worst[report.nodeid] = report.outcome, error

    @guarded
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """End a test."""
        outcome, error = self._worst.pop(nodeid, ("passed", None))
        if outcome in _OUTCOMES:
            self._counts[_OUTCOMES[outcome]] += 1
        error = error or ("failed" if outcome == "failed" else None)
        attributes = {"outcome": outcome}
        self._spans.end(self._tests.pop(nodeid, ""), error, attributes=attributes)

    @guarded
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """End the run by the session's exit status."""
        status = SUCCESS if exitstatus in (0, _NO_TESTS) else FAILED
        if exitstatus == _INTERRUPTED:
            status = CANCELLED
        self._client.end_run(self._run_id, status, exit_status=int(exitstatus), **self._counts)
