"""The errors of the writer's side, each with what to do next.

Raised inside telemetry_core and caught at the client, which counts them: an agent never sees
one. Nothing here prints or logs.
"""

from __future__ import annotations


class TelemetryError(Exception):
    """A failure in this package; `hint` says what to do about it."""

    hint = ""

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}. {self.hint}" if self.hint else text


class AppendFailed(TelemetryError):
    """A line did not reach a segment whole."""

    hint = "Check free space and permissions of the log directory"


class BacklogFull(TelemetryError):
    """Events could be written nowhere, and there was no more room or time to wait."""

    hint = "They are lost: the log directory has to be writable, and its disk must have space"


class LockTimeout(TelemetryError):
    """The log's lock was not had within the budget."""

    hint = "Another process holds the log's lock; find it with `fuser`"

    is_stuck = False
    """Whether nobody wrote meanwhile: the holder does not get on, rather than many taking turns."""
