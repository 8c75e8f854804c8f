"""Reads a log directory back, as plainly as can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from telemetry_core.event import Event
from telemetry_core.line import BadLine, decode

_SETTING = ("run.started", "run.updated", "run.ended")


class Log:
    """A log directory, read again at each call."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def files(self) -> list[Path]:
        return sorted(path for path in self.directory.glob("events_*.ndjson") if path.is_file())

    def shared(self) -> list[Path]:
        return [path for path in self.files() if path.name.count(".") == 1]

    def own(self) -> list[Path]:
        return [path for path in self.files() if path.name.count(".") > 1]

    def bytes(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.shared())

    def events(self) -> list[Event]:
        """Every event of every file, in the order of the files."""
        return self.read()[0]

    def torn(self) -> list[bytes]:
        """Every line that is no event; the blank ones of own files are none."""
        return self.read()[1]

    def read(self) -> tuple[list[Event], list[bytes]]:
        events, torn = [], []
        for path in self.files():
            for line in path.read_bytes().split(b"\n"):
                try:
                    if line:
                        events.append(decode(line))
                except BadLine:
                    torn.append(line)
        return events, torn

    def ids(self) -> list[str]:
        return [event.id for event in self.events()]

    def payloads(self) -> list[Any]:
        return [e.data["payload"] for e in self.events() if e.type == "run.event"]

    def run(self, run_id: str) -> dict[str, Any]:
        """The fields of a run, as its events set them in turn."""
        fields: dict[str, Any] = {}
        for event in sorted(self.events(), key=lambda event: (event.time, event.id)):
            if event.run_id == run_id and event.type in _SETTING:
                fields.update(event.data)
        return fields
