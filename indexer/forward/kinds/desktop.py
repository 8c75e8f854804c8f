"""Deliver alerts as notifications on this machine's desktop."""

from __future__ import annotations

import sys
from typing import Callable

from indexer.forward.kinds.alert_text import AlertText, alert_text
from indexer.forward.kinds.command import run_command
from indexer.forward.kinds.in_thread import ThreadTransport
from indexer.outbox.attempt import AttemptResult
from indexer.outbox.parcel import Parcel
from indexer.outbox.payload import cut
from indexer.outbox.target import Target

REQUIREMENT = "desktop notifications need Linux with notify-send, or macOS"
_CHARACTERS = 500
_URGENCIES = {"info": "low", "critical": "critical"}
# What is notified is passed as arguments, and never becomes part of the script.
_APPLE_SCRIPT = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)


def transport_to(target: Target) -> ThreadTransport:
    """Return the transport for a channel. Raises LookupError on other platforms."""
    arguments = _ARGUMENTS[sys.platform]

    def attempt(parcel: Parcel) -> AttemptResult:
        return run_command(arguments(alert_text(parcel)), b"", target.timeout * 0.9)

    return ThreadTransport(attempt)


def _linux(alert: AlertText) -> list[str]:
    urgency = _URGENCIES.get(alert.level, "normal")
    text = cut(alert.text, _CHARACTERS)
    for character, escaped in (("&", "&amp;"), ("<", "&lt;")):
        text = text.replace(character, escaped)
    return ["notify-send", "-a", "telemetry", "-u", urgency, "--", cut(alert.title, 200), text]


def _macos(alert: AlertText) -> list[str]:
    script = [part for line in _APPLE_SCRIPT for part in ("-e", line)]
    return ["osascript", *script, cut(alert.title, 200), cut(alert.text, _CHARACTERS)]


_ARGUMENTS: dict[str, Callable[[AlertText], list[str]]] = {"linux": _linux, "darwin": _macos}
