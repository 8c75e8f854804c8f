"""Report the daemon's state to the service manager, by systemd's sd_notify protocol.

Where nothing listens it does nothing, and it never fails or waits: a lost message costs a restart
at worst.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from typing import Optional

_STARTUP_SECONDS = 90
_WITHOUT_WATCHDOG = float("inf")


class Notifier:
    """Speaks to the socket that the environment names, if it names one."""

    def __init__(self, environ: Optional[Mapping[str, str]] = None) -> None:
        env = os.environ if environ is None else environ
        self._address = _address(env.get("NOTIFY_SOCKET", ""))
        self.interval = _interval(env)
        """Seconds within which `alive` has to be called; infinite where nobody watches."""
        self._next_alive = 0.0
        self.is_ready = False
        """Whether the first pass is done."""
        self._status = ""

    def ready(self) -> None:
        """Say that the first pass is done; said once."""
        if not self.is_ready:
            self.is_ready = True
            self._send("READY=1")

    def alive(self) -> None:
        """Say that the work goes on. Cheap enough to be called with every batch."""
        now = time.monotonic()
        if now >= self._next_alive:
            self._next_alive = now + min(self.interval / 2, 1.0)
            # A first pass over years of log takes longer than any service may take to start.
            more = "" if self.is_ready else f"\nEXTEND_TIMEOUT_USEC={_STARTUP_SECONDS * 1_000_000}"
            self._send(f"WATCHDOG=1{more}")

    def status(self, text: str) -> None:
        """Say in one line what is going on; said when it changes."""
        if text != self._status:
            self._status = text
            self._send("STATUS=" + " ".join(text.split()))

    def stopping(self) -> None:
        """Say that the end was asked for."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if sys.platform == "win32" or self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError:
            # Nobody there, or one who does not read: no reason to index less.
            return


def _address(name: str) -> Optional[bytes]:
    if name[:1] not in ("/", "@"):
        return None
    encoded = os.fsencode(name)
    return b"\0" + encoded[1:] if name.startswith("@") else encoded


def _interval(env: Mapping[str, str]) -> float:
    microseconds, pid = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or (pid and pid != str(os.getpid())):
        return _WITHOUT_WATCHDOG
    # Half of it, as the protocol advises, so that one late call is no death.
    return int(microseconds) / 2_000_000 or _WITHOUT_WATCHDOG
