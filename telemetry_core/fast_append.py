"""Hand the files of the log over to the extension in C, and take them back.

Used by the writer and its shared log. At any time one side has the files: the extension from an
append that Python made until the next that it can't make itself, and Python in between. They are
handed over only with the writer's mutex held, and only while nothing waits to be written first.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Protocol

import orjson

from telemetry_core import redaction
from telemetry_core.append_file import AppendFile
from telemetry_core.process import own_source
from telemetry_core.redaction import Redactor
from telemetry_core.run_id import run_id_of
from telemetry_core.speed import new_appender

if TYPE_CHECKING:
    from telemetry_core._speed import Appender


OpenFile = tuple[int, int, int]
"""A descriptor, and the device and inode of the file that was opened."""


_MOST_HEADS = 1_000


class Mutex(Protocol):
    """What the threads of the process take turns by; the one who has it may take it again."""

    def acquire(self, blocking: bool = ...) -> bool:
        """Take it, and say whether it was had."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...


class Done(NamedTuple):
    """What the extension did since it was handed the files."""

    end: int
    """Where its last line ended; -1 if that is not known."""
    appends: int


class Turn(NamedTuple):
    """How long the extension may go on before Python looks at the paths again."""

    seconds: float
    appends: int


class FastAppend:
    """The way into the log by the extension, for one writer."""

    def __init__(self, appender: Appender) -> None:
        self._appender = appender
        self.emit = appender.emit
        """Append an event, if the extension has the files and can do it alone."""
        self.heads: dict[tuple[str, str], Optional[bytes]] = {}
        """What was made by `head_of`, by kind and run id."""
        self._screen: tuple[Optional[Redactor], Optional[bytes]] = (None, None)
        self._acquire: Callable[[], bool] = bool
        self._release: Callable[[], None] = lambda: None

    def begin(self, mutex: Mutex) -> None:
        """Take turns by `mutex`, and have no files yet: in a new process, nothing else is ours."""
        self._appender.disarm()
        self.heads = {}
        self._acquire, self._release = partial(mutex.acquire, False), mutex.release

    def head_of(self, kind: str, run_id: str) -> Optional[bytes]:
        """Return what stands between id and time in the lines of a kind and run.

        None where a text has no encoding: then Python makes the line.
        """
        names = {"source": own_source(), "type": kind, "subject": run_id_of(run_id)}
        try:
            head = orjson.dumps(names)[1:-1] + b',"time":"'
        except TypeError:
            return None
        if len(self.heads) >= _MOST_HEADS:
            self.heads = {}
        self.heads[kind, run_id] = head
        return head

    def take_over(self) -> Done:
        """Have the files in Python from now on."""
        return Done(*self._appender.disarm())

    def hand_over(self, lock: OpenFile, file: AppendFile, day: str, end: int, turn: Turn) -> None:
        """Have the extension append to the day's file, behind `end`, under the lock file."""
        redactor = redaction.active
        if redactor is not self._screen[0]:
            self._screen = (redactor, None if redactor is None else redactor.screen())
        if redactor is None or self._screen[1] is not None:
            means = (orjson.dumps, self._acquire, self._release, *self._screen)
            can_sync = file.name_is_synced
            self._appender.arm(means, lock, file.identity, day, end, can_sync, *turn)


def new_fast_append() -> Optional[FastAppend]:
    """Return the extension's way for a writer, None where the extension is not used."""
    appender = new_appender()
    return None if appender is None else FastAppend(appender)
