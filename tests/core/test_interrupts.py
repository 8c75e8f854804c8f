"""An append that is interrupted at every single bytecode, as a signal handler may do it."""

from __future__ import annotations

import os
import sys
import threading

import pytest

import telemetry_core
from telemetry_core.lock import LOCK_NAME, SidecarLock

PACKAGE = os.path.dirname(telemetry_core.__file__)


class Trap:
    """Springs once, at a given step inside the package."""

    def __init__(self, step, spring):
        self.left, self._spring = step, spring

    def at_opcode(self, frame, event, _argument):
        """As a trace function: at every bytecode, more often than Python runs handlers."""
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self._step(sys.settrace)
        return self.at_opcode

    def at_call(self, frame, event, _argument):
        """As a profile function: where Python does run them, at calls' beginnings and ends."""
        inside = frame.f_code.co_filename.startswith(PACKAGE)
        if inside and event in ("call", "c_return"):
            self._step(sys.setprofile)

    def _step(self, disarm):
        self.left -= 1
        if self.left == 0:
            disarm(None)
            self._spring()


def every_step(spring, action, arm, method):
    """Yield the result of `action`, sprung at its first step, its second, and so on to its end."""
    step, others = 0, sys.gettrace()
    while True:
        step += 1
        trap = Trap(step, spring)
        arm(getattr(trap, method))
        try:
            result = action()
        finally:
            arm(None)
            # Without this no test after this one would be measured.
            sys.settrace(others)
        yield result
        if trap.left > 0:
            return


def assert_free(client, base):
    """Nobody is left out: not another process, not another thread."""
    stranger = SidecarLock(base / "raw" / LOCK_NAME)
    stranger.acquire(0.0)
    stranger.forget()
    done = []
    thread = threading.Thread(
        target=lambda: done.append(client._recorder.writer._mutex.acquire(timeout=0))
    )
    thread.start()
    thread.join()
    assert done == [True]
    # The thread is over and its lock with it: a new one stands for the one it took.
    client._recorder.writer._mutex = threading.RLock()


@pytest.mark.skipif(
    sys.version_info[:2] == (3, 12), reason="3.12 traces no opcodes of a frame asked for them late"
)
def test_a_handler_that_logs_in_the_middle_of_logging_loses_and_doubles_nothing(client, log):
    """At every bytecode of log_event: both events are acknowledged, and once in the log."""
    inner = []

    def handler():
        inner.append(client.log_event("run", "inner"))

    def action():
        return client.log_event("run", "outer")

    outer = list(every_step(handler, action, sys.settrace, "at_opcode"))
    assert len(inner) > 50
    assert None not in inner
    assert None not in outer
    ids = log.ids()
    assert sorted(ids) == sorted(inner + outer)
    assert log.torn() == []
    assert client.get_stats()["write_errors"] == 0


def test_an_interrupt_at_any_call_leaves_nothing_locked_and_nothing_torn(client, base, log):
    """Ctrl-C anywhere inside: the next event goes the straight way, and none is lost.

    Where nobody can know whether an event was written, it is written again, under the same id.
    """

    def interrupt():
        raise KeyboardInterrupt

    def action():
        try:
            return client.log_event("run", "e", "interrupted")
        except KeyboardInterrupt:
            return None

    count, acknowledged = 0, []
    client.log_event("run", "e", "first")
    for returned in every_step(interrupt, action, sys.setprofile, "at_call"):
        count += 1
        assert client._recorder.writer._appending is False
        assert_free(client, base)
        acknowledged += [returned] if returned else []
        spilled = client.get_stats()["events_spilled"]
        acknowledged.append(client.log_event("run", "e", "next"))
        assert client.get_stats()["events_spilled"] == spilled
    assert count > 30
    ids = log.ids()
    assert set(acknowledged) <= set(ids)
    assert sorted(acknowledged) == sorted(one for one in ids if one in set(acknowledged))
    assert log.torn() == []
