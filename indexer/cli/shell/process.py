"""Start the wrapped command, pass signals on to it, wait for it, and end it in time.

Called by `telemetry exec`. The command stays in our process group, so that a terminal's keys and
a shell's job control reach it as they would without us; with a time limit it leads a group of its
own, so that all of it can be ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from indexer.cli.shell.relay import Relay

GRACE_SECONDS = 5.0
"""Between asking a command that is out of time to end, and ending it."""
_FORWARDED = tuple(
    getattr(signal, name)
    for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
_KEYS = (signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT))
_RESET = tuple(getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name))


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    """Its exit code as a shell has it: 128 + n where signal n killed it."""
    signal: int
    """The signal that killed it, 0 for none."""
    timed_out: bool
    user_seconds: float
    system_seconds: float
    peak_bytes: int


class Process:
    """One command, from start to end."""

    def __init__(
        self, words: Sequence[str], environ: Mapping[str, str], tail: int, timeout: Optional[float]
    ) -> None:
        """Start the command. Raises OSError if it can't be: no such file, not executable."""
        self.relay = Relay(tail)
        self._timeout = timeout
        self._group = timeout is not None
        self._has_ended = False
        self._wakeup, writing = os.pipe()
        for fd in (self._wakeup, writing):
            os.set_blocking(fd, False)
        handled = [one for one in _FORWARDED if signal.getsignal(one) is not signal.SIG_IGN]
        everything = {*handled, signal.SIGCHLD}
        # Blocked meanwhile: what comes before the command is there would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, everything)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for one in handled:
            signal.signal(one, self._forward)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            self.pid = self._start(words, environ, everything)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, everything)

    def _start(
        self, words: Sequence[str], environ: Mapping[str, str], blocked: set[signal.Signals]
    ) -> int:
        failed, failing = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._become(words, environ, blocked, failing)
        os.close(failing)
        self.relay.close_inner()
        if self._group:
            with contextlib.suppress(OSError):
                os.setpgid(pid, pid)
            _give_terminal_to(pid)
        with open(failed, "rb") as file:
            problem = file.read()
        if problem:
            os.waitpid(pid, 0)
            raise OSError(int(problem), os.strerror(int(problem)), words[0])
        return pid

    def _become(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        blocked: set[signal.Signals],
        failing: int,
    ) -> None:
        """In the new process: be the command. Never returns."""
        try:
            signal.set_wakeup_fd(-1)
            if self._group:
                os.setpgid(0, 0)
            self.relay.connect()
            for one in (*blocked, *_RESET):
                signal.signal(one, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
            os.execvpe(words[0], list(words), dict(environ))  # noqa: S606  # no shell is the point
        except OSError as error:
            os.write(failing, str(error.errno or 1).encode())
        finally:
            os._exit(127)

    def _forward(self, number: int, _frame: object) -> None:
        """Pass a signal on, unless the terminal has sent it to the command already."""
        if self._has_ended or (number in _KEYS and not self._group and _is_at_keyboard()):
            return
        self._send(number)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._group:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def wait(self) -> Ended:
        """Pass output on until the command has ended."""
        deadline = None if self._timeout is None else time.monotonic() + self._timeout
        ending, timed_out = signal.SIGTERM, False
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._has_ended = True
                break
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                timed_out = True
                self._send(ending)
                ending, deadline = signal.SIGKILL, time.monotonic() + GRACE_SECONDS
                continue
            self.relay.step(self._wakeup, left)
        if timed_out:
            self._send(signal.SIGKILL)
        if self._group:
            _give_terminal_to(os.getpgrp())
        self.relay.drain()
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Ended(
            128 + number if number else os.WEXITSTATUS(status),
            number,
            timed_out,
            usage.ru_utime,
            usage.ru_stime,
            peak,
        )


def _is_at_keyboard() -> bool:
    """Whether our group is the one that a terminal's keys send signals to."""
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _give_terminal_to(group: int) -> None:
    """Make a group the terminal's own, if we have one and are it or were."""
    try:
        if not os.isatty(0):
            return
        # The terminal stops a background group that does this, unless it ignores that.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            os.tcsetpgrp(0, group)
        finally:
            signal.signal(signal.SIGTTOU, before)
    except OSError:
        # There is no terminal, or it is not this process group's.
        pass
