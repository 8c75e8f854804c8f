"""Pass a command's output on byte for byte, and keep the end of it.

Called by the wrapped command's process. A stream that is a terminal is handed to the command as
it is, so that it stays one, and nothing of it is kept.
"""

from __future__ import annotations

import contextlib
import os
import select
from typing import Optional

_CHUNK = 65_536


class Tail:
    """The last bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()

    def add(self, chunk: bytes) -> None:
        """Keep the end of all that was added."""
        self._bytes += chunk
        if len(self._bytes) > self._limit:
            del self._bytes[: -self._limit]

    def text(self) -> str:
        """Return it as text; a character that was cut is marked."""
        return self._bytes.decode("utf-8", "replace").strip()


class Stream:
    """One pipe from the command to stdout or stderr."""

    def __init__(self, target: int, limit: int) -> None:
        self.target = target
        self.tail = Tail(limit)
        self.source, self.inner = os.pipe()
        """Our end to read from, and the end that the command writes to."""

    def pass_on(self) -> bool:
        """Pass on what is there; say whether the stream goes on."""
        chunk = os.read(self.source, _CHUNK)
        if not chunk:
            self.close()
            return False
        self.tail.add(chunk)
        try:
            _write_all(self.target, chunk)
        except OSError:
            # The reader has left: the command finds out as it would have without us.
            self.close()
            return False
        return True

    def close(self) -> None:
        """Close our end; the command's next write fails."""
        if self.source >= 0:
            os.close(self.source)
            self.source = -1


class Relay:
    """The pipes of one command; none for a stream that is inherited."""

    def __init__(self, limit: int) -> None:
        self.stdout: Optional[Stream] = None
        self.stderr: Optional[Stream] = None
        if limit <= 0:
            return
        if _is_piped(1):
            self.stdout = Stream(1, limit)
        if _is_piped(2):
            # Both to one file, as with `2>&1`: one pipe, or their order would be lost.
            shared = self.stdout is not None and _is_same(1, 2)
            self.stderr = self.stdout if shared else Stream(2, limit)

    @property
    def open_streams(self) -> list[Stream]:
        """The pipes that may still bring something."""
        both = [stream for stream in (self.stdout, self.stderr) if stream is not None]
        return [stream for stream in dict.fromkeys(both) if stream.source >= 0]

    def connect(self) -> None:
        """In the command's process: have it write to the pipes."""
        for fd, stream in ((1, self.stdout), (2, self.stderr)):
            if stream is not None:
                os.dup2(stream.inner, fd)

    def close_inner(self) -> None:
        """In our process: leave the writing ends to the command."""
        for stream in self.open_streams:
            os.close(stream.inner)

    def step(self, wakeup: int, seconds: Optional[float]) -> None:
        """Pass on what comes within `seconds`, None for no limit; `wakeup` ends the wait."""
        poll = select.poll()
        streams = {stream.source: stream for stream in self.open_streams}
        for fd in (wakeup, *streams):
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(None if seconds is None else max(0, int(seconds * 1000) + 1)):
            if fd in streams:
                streams[fd].pass_on()
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(fd, _CHUNK)

    def drain(self) -> None:
        """Pass on what is there now, for the command has ended.

        What it left behind may write on, for ever: that is passed on by a process of its own.
        """
        while self.open_streams:
            poll = select.poll()
            streams = {stream.source: stream for stream in self.open_streams}
            for fd in streams:
                poll.register(fd, select.POLLIN)
            ready = poll.poll(0)
            if not ready:
                break
            for fd, _ in ready:
                streams[fd].pass_on()
        if self.open_streams and os.fork() == 0:
            self._pass_on_to_the_end()
            os._exit(0)

    def _pass_on_to_the_end(self) -> None:
        with contextlib.suppress(OSError):
            while self.open_streams:
                poll = select.poll()
                streams = {stream.source: stream for stream in self.open_streams}
                for fd in streams:
                    poll.register(fd, select.POLLIN)
                for fd, _ in poll.poll():
                    streams[fd].pass_on()


def _is_piped(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return not os.isatty(fd)


def _is_same(one: int, other: int) -> bool:
    return os.path.sameopenfile(one, other)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])
