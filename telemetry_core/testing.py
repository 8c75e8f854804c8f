"""Help an agent's own tests see what it recorded.

`recording` gives a client on a directory of its own and reads back what reached the log. The
pytest fixture `telemetry_recording` is the same. It reads the log itself, without an indexer.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

from telemetry_core.client import TelemetryClient
from telemetry_core.config import TelemetryConfig
from telemetry_core.event import (
    RUN_ENDED,
    RUN_EVENT,
    RUN_INCREMENTED,
    RUN_STARTED,
    RUN_UPDATED,
    SPAN_ENDED,
    SPAN_STARTED,
    Event,
)
from telemetry_core.line import BadLine, decode
from telemetry_core.process import host_name
from telemetry_core.writer import Writer
from telemetry_core.writers import all_writers, writer_for

# One recording inside another keeps what is its own.
_recording_writers: weakref.WeakSet[Writer] = weakref.WeakSet()

_SETTING = (RUN_STARTED, RUN_UPDATED, RUN_ENDED)


class Recording:
    """A log of its own, with a client that writes to it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.client = TelemetryClient(TelemetryConfig.for_base(base))
        _recording_writers.add(writer_for(self.client.config.ndjson_dir, host_name()))

    def events(self, type: Optional[str] = None, run_id: Optional[str] = None) -> list[Event]:  # noqa: A002  # CloudEvents calls it so
        """Return what is in the log, in order of time, of one type or one run if asked."""
        found = [
            event
            for event in self._read()
            if type in (None, event.type) and run_id in (None, event.run_id)
        ]
        return sorted(found, key=lambda event: (event.time, event.id))

    def payloads(self, event_type: str, run_id: Optional[str] = None) -> list[Any]:
        """Return the payloads of the events logged under `event_type`."""
        logged = self.events(RUN_EVENT, run_id)
        return [e.data.get("payload") for e in logged if e.data.get("event_type") == event_type]

    def run_ids(self) -> list[str]:
        """Return the runs that were started, in order."""
        return [event.run_id for event in self.events(RUN_STARTED)]

    def run(self, run_id: Optional[str] = None) -> dict[str, Any]:
        """Return the fields of a run as its events set them; of the only run if none is named.

        Raises LookupError when there is no such run, or more than one to choose from.
        """
        if run_id is None:
            ids = self.run_ids()
            if len(ids) != 1:
                raise LookupError(f"{len(ids)} runs were started: name one of {ids}")
            run_id = ids[0]
        fields: dict[str, Any] = {}
        for event in self.events(run_id=run_id):
            if event.type in _SETTING:
                fields.update(event.data)
            elif event.type == RUN_INCREMENTED:
                for name, number in event.data.items():
                    fields[name] = fields.get(name, 0) + number
        if not fields:
            raise LookupError(f"no run {run_id!r} was recorded")
        return {"status": "running", **fields, "run_id": run_id}

    def spans(self, run_id: Optional[str] = None) -> list[dict[str, Any]]:
        """Return the spans that were started, in order, each with what its end says of it.

        `attributes` are those of start and end together; an open span has no `status`.
        """
        spans: dict[str, dict[str, Any]] = {}
        for event in self.events(run_id=run_id):
            if event.type in (SPAN_STARTED, SPAN_ENDED):
                span = spans.setdefault(event.data["span_id"], {"attributes": {}})
                attributes = {**span["attributes"], **event.data.get("attributes", {})}
                span.update(event.data, attributes=attributes)
        return list(spans.values())

    def _read(self) -> Iterator[Event]:
        for path in sorted(self.client.config.ndjson_dir.glob("events_*.ndjson")):
            for line in path.read_bytes().split(b"\n"):
                try:
                    yield decode(line)
                except BadLine:
                    continue


@contextmanager
def recording(base: Optional[Path] = None) -> Iterator[Recording]:
    """Record into a directory of its own, whichever client of this process is used inside.

    Clients made inside use it unless they name another; clients that were made before, as at the
    top of a module, write to it until the block ends. The directory is a temporary one, removed
    at the end, unless `base` names another.
    """
    with tempfile.TemporaryDirectory(prefix="telemetry-") as temporary:
        made_before = [writer for writer in all_writers() if writer not in _recording_writers]
        made = Recording(Path(temporary) if base is None else base)
        variables = {
            "TELEMETRY_BASE_DIR": str(made.base),
            "AGENT_METRICS_DIR": None,
            "TELEMETRY_DB_PATH": None,
            "TELEMETRY_NDJSON_DIR": None,
            "TELEMETRY_PARENT_RUN_ID": None,
        }
        before = {name: os.environ.get(name) for name in variables}
        _set_environment(variables)
        try:
            with _redirected(made_before, made.client.config.ndjson_dir):
                yield made
        finally:
            _set_environment(before)
            # A long session of tests must not run out of descriptors.
            made.client.close()


@contextmanager
def _redirected(writers: list[Writer], directory: Path) -> Iterator[None]:
    directories = [writer.directory for writer in writers]
    for writer in writers:
        writer.redirect(directory)
    try:
        yield
    finally:
        for writer, own in zip(writers, directories):
            writer.redirect(own)


def _set_environment(variables: dict[str, Optional[str]]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
