"""The processes in which mutants live: a fork with a group of its own, and an end to it.

Called by the bench and by the trial.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from typing import Callable, NoReturn, Optional


def start(work: Callable[[], object]) -> int:
    """Fork; have the child lead a group of its own and do some work. Return its pid.

    The child ends with 0 after the work, and with 1 if an exception came out of it.
    """
    pid = os.fork()
    if pid == 0:
        _work(work)
    return pid


def _work(work: Callable[[], object]) -> NoReturn:
    try:
        os.setsid()
        work()
        os._exit(0)
    finally:
        # Whatever happened, what the parent would do next is the parent's to do.
        traceback.print_exc()
        os._exit(1)


def end(pid: int, limit: float) -> Optional[int]:
    """Wait for a child, some seconds at most, and end what is left of its group.

    Returns the exit code, negative for a signal; None if the child was not done in time.
    """
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
        return None
    return os.waitstatus_to_exitcode(status)
