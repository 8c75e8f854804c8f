from __future__ import annotations

import contextvars
import os
import re
import threading
from types import SimpleNamespace

from telemetry_core import lineage
from telemetry_core.lineage import PARENT_VARIABLE, TRACE_VARIABLE

TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")
outer, inner, one, two, here = (
    SimpleNamespace(run_id=name) for name in ("outer", "inner", "one", "two", "here")
)
INHERITED = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-00"


def test_the_parent_is_the_innermost_open_run_then_the_environments():
    """A run inside another names that one; outside of all it names the one the process came of."""
    assert lineage.parent_of_new_run() is None
    os.environ[PARENT_VARIABLE] = "ancestor"
    assert lineage.parent_of_new_run() == "ancestor"
    lineage.enter(outer)
    lineage.enter(inner)
    assert lineage.parent_of_new_run() == "inner"
    lineage.leave(inner)
    assert lineage.parent_of_new_run() == "outer"
    lineage.leave(outer)
    assert lineage.parent_of_new_run() == "ancestor"


def test_runs_may_be_left_in_any_order():
    """Two generators that interleave end in the wrong order; no ended run stays as a parent."""
    lineage.enter(one)
    lineage.enter(two)
    lineage.leave(one)
    assert lineage.parent_of_new_run() == "two"
    lineage.leave(two)
    assert lineage.parent_of_new_run() is None


def test_leaving_in_another_context_disturbs_nothing_there():
    """A generator finished elsewhere undoes nothing where it was not entered."""
    lineage.enter(here)
    contextvars.Context().run(lineage.leave, here)
    assert lineage.parent_of_new_run() == "here"


def test_the_environment_is_as_before_once_all_runs_are_withdrawn():
    """Exports nest, end in any order, and give back what stood there, present or absent."""
    os.environ[TRACE_VARIABLE] = INHERITED
    before = dict(os.environ)
    assert lineage.export("one")
    assert lineage.export("two")
    assert os.environ[PARENT_VARIABLE] == "two"
    lineage.withdraw("one")
    assert os.environ[PARENT_VARIABLE] == "two"
    lineage.withdraw("unknown")
    lineage.withdraw("two")
    assert dict(os.environ) == before


def test_only_the_main_thread_exports():
    """A worker's run is not what the process's children descend from."""
    said = []
    thread = threading.Thread(target=lambda: said.append(lineage.export("worker")))
    thread.start()
    thread.join()
    assert said == [False]
    assert PARENT_VARIABLE not in os.environ


def test_our_own_export_is_no_parent_for_our_own_threads():
    """It is meant for child processes: a thread outside of the run has the inherited parent."""
    os.environ[PARENT_VARIABLE] = "ancestor"
    lineage.export("main")
    assert lineage.parent_of_new_run() == "ancestor"


def test_a_child_environment_carries_parent_and_trace():
    """The trace that was inherited goes on; without one the run makes its own, always the same."""
    child = lineage.child_environment("run", {"A": "b", TRACE_VARIABLE: INHERITED})
    assert (child["A"], child[PARENT_VARIABLE]) == ("b", "run")
    assert child[TRACE_VARIABLE].split("-")[1] == "ab" * 16
    assert child[TRACE_VARIABLE] != INHERITED
    fresh = lineage.child_environment("run", {TRACE_VARIABLE: "nonsense"})[TRACE_VARIABLE]
    assert TRACEPARENT.fullmatch(fresh)
    assert fresh == lineage.child_environment("run", {})[TRACE_VARIABLE]
    assert fresh != lineage.child_environment("other", {})[TRACE_VARIABLE]
