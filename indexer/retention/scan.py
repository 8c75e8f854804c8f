"""Find where in the log secrets are, without showing them.

Called by `telemetry scan`, and by redacting for what there is to do. It only reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple, Optional

import orjson

from indexer.log.segments import Segment, list_segments
from indexer.log.streams import StreamUnsupported, open_stream, read_chunk
from indexer.system.base import Base
from indexer.system.callbacks import Progress, no_progress
from telemetry_core.errors import TelemetryError
from telemetry_core.redaction import Redactor, extra_names, extra_patterns, wrong_patterns

_CHUNK = 1024 * 1024
_LONGEST_LINE = 64 * 1024 * 1024
"""A longer line is looked at piece by piece."""


class Place(NamedTuple):
    """One line that has secrets."""

    segment: str
    offset: int
    """Where the line begins, in plain bytes."""
    length: int
    kinds: dict[str, int]
    """How many of each kind."""
    event_id: Optional[str]
    """None for a line that is no event."""
    run_id: Optional[str]


class Scan(NamedTuple):
    """What a scan found."""

    places: list[Place]
    lines: int
    problems: list[str]
    """Segments that could not be read."""


def redactor_for_scan(environ: Mapping[str, str]) -> Redactor:
    """Return what finds secrets, whether or not they are replaced as they are written."""
    wrong = wrong_patterns(environ)
    patterns = [one for one in extra_patterns(environ) if one not in wrong]
    return Redactor(extra_names(environ), patterns)


def scan(base: Base, redactor: Redactor, on_progress: Progress = no_progress) -> Scan:
    """Look for secrets in the whole log. Raises OSError if its directory can't be read."""
    places: list[Place] = []
    problems: list[str] = []
    lines = 0
    for segment in list_segments(base.log_directory):
        try:
            for offset, line in lines_of(segment):
                lines += 1
                on_progress(len(line))
                found = redactor.find(line)
                if found:
                    kinds: dict[str, int] = {}
                    for one in found:
                        kinds[one.kind] = kinds.get(one.kind, 0) + 1
                    places.append(_place(segment, offset, line, kinds))
        except FileNotFoundError:
            continue
        except (TelemetryError, StreamUnsupported, OSError) as error:
            problems.append(f"{segment.name}: {error}")
    return Scan(places, lines, problems)


def lines_of(segment: Segment) -> Iterator[tuple[int, bytes]]:
    """Yield every line with its offset, newline included; the last may be without one.

    Raises TelemetryError or OSError after all that could be read.
    """
    stream = open_stream(segment.path)
    try:
        yield from lines_in(stream)
    finally:
        stream.close()


def lines_in(stream: BinaryIO, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a stream that stands at `offset` of its segment."""
    rest = b""
    while chunk := read_chunk(stream, _CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield offset, line + b"\n"
            offset += len(line) + 1
        if len(rest) > _LONGEST_LINE:
            yield offset, rest
            offset, rest = offset + len(rest), b""
    if rest:
        yield offset, rest


def _place(segment: Segment, offset: int, line: bytes, kinds: dict[str, int]) -> Place:
    event_id = run_id = None
    try:
        event = orjson.loads(line)
        event_id, run_id = event.get("id"), event.get("subject")
    except (orjson.JSONDecodeError, AttributeError):
        # Quarantined, or torn: it may have secrets all the same.
        pass
    return Place(
        segment.name,
        offset,
        len(line),
        kinds,
        event_id if isinstance(event_id, str) else None,
        run_id if isinstance(run_id, str) else None,
    )
