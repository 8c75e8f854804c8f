"""Replace secrets that were written to the log where they are.

Called by `telemetry redact`: the one exception to the rule that a log is never rewritten. Each
segment is replaced at one stroke while no writer can append to it; killed in between, it is whole,
old or new, and the next pass reads what it finds. Then the database is rebuilt from the log, so
that nothing of the secrets is left in it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from indexer.database.rebuild import rebuild
from indexer.log.segments import Segment, list_segments
from indexer.log.streams import StreamUnsupported
from indexer.retention.compression import compress, new_file
from indexer.retention.removal import (
    UNDER_LOCK_SECONDS,
    SegmentInUse,
    check_unchanged,
    retire_spill_file,
    writers_excluded,
)
from indexer.retention.scan import lines_in, lines_of
from indexer.system.base import Base
from indexer.system.callbacks import Progress, no_progress
from indexer.system.file_changes import check_not_held, delete, replace
from telemetry_core.append_file import sync_path
from telemetry_core.clock import CLOCK
from telemetry_core.errors import TelemetryError
from telemetry_core.line import line_of
from telemetry_core.process import host_name, own_source
from telemetry_core.redaction import Redactor
from telemetry_core.writers import writer_for

LOG_REDACTED = "log.redacted"
"""The type of the receipt."""
REDACTION_SUBJECT = "telemetry.redaction"

_TEMPORARY = ".tmp-redact-"
_MOST_UNDER_LOCK = 8 * 1024 * 1024
_RECEIPT_SECONDS = 5.0


class Redacted(NamedTuple):
    """What was replaced."""

    segments: list[str]
    lines: int
    kinds: dict[str, int]
    skipped: dict[str, str]
    """Segments that stay as they are, and why."""


def redact(base: Base, redactor: Redactor, on_progress: Progress = no_progress) -> Redacted:
    """Replace all secrets in the log, and build the database from what it is then.

    Raises AlreadyRunning if segments are being archived, pruned or backed up, or OSError.
    """
    done: list[str] = []
    kinds: Counter[str] = Counter()
    skipped: dict[str, str] = {}
    lines = 0
    with base.segments_lease("redact"):
        _sweep(base.log_directory)
        for segment in list_segments(base.log_directory):
            try:
                found = _redact_segment(base, segment, redactor, on_progress)
            except FileNotFoundError:
                continue
            except (TelemetryError, StreamUnsupported, OSError) as error:
                skipped[segment.name] = str(error)
                continue
            if found.lines:
                done.append(segment.name)
                lines += found.lines
                kinds.update(found.kinds)
    result = Redacted(done, lines, dict(sorted(kinds.items())), skipped)
    if done:
        _write_receipt(base, result)
        # Ids that are made of content change with it: no event is lost.
        rebuild(base, force=True)
    return result


def _redact_segment(
    base: Base, segment: Segment, redactor: Redactor, on_progress: Progress
) -> _Copy:
    copy = _Copy(redactor)
    if not _has_secrets(segment, redactor, on_progress):
        return copy
    check_unchanged(segment, os.stat(segment.path).st_size)
    segment = retire_spill_file(segment, set(os.listdir(segment.path.parent)))
    new = segment.path.with_name(_TEMPORARY + segment.path.name)
    plain = segment.path.with_name(f"{_TEMPORARY}plain-{segment.path.name}")
    try:
        if segment.is_compressed:
            _redact_archive(base, segment, copy, plain, new)
        else:
            _redact_plain(base, segment, copy, new)
    finally:
        delete(plain)
        delete(new)
    return copy


def _has_secrets(segment: Segment, redactor: Redactor, on_progress: Progress) -> bool:
    for _, line in lines_of(segment):
        on_progress(len(line))
        if redactor.find(line):
            return True
    return False


class _Copy:
    """Lines copied without their secrets, and what was replaced in them."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self.lines = 0
        self.kinds: Counter[str] = Counter()

    def add(self, lines: Iterator[tuple[int, bytes]], out: BinaryIO, *, whole: bool) -> int:
        """Copy lines and return their size; a last one without newline only if `whole`."""
        size = 0
        for _, line in lines:
            if not (whole or line.endswith(b"\n")):
                break
            found = self._redactor.find(line)
            self.lines += bool(found)
            self.kinds.update(one.kind for one in found)
            out.write(self._redactor(line) if found else line)
            size += len(line)
        return size


def _redact_archive(base: Base, segment: Segment, copy: _Copy, plain: Path, new: Path) -> None:
    like = os.stat(segment.path)
    with new_file(plain, like=like) as out:
        copy.add(lines_of(segment), out, whole=True)
    with new_file(new, like=like) as archive:
        compress(plain, 0, archive, segment.path.suffix)
    with base.write_lease():
        check_unchanged(segment, segment.size)
        _put_in_place(new, segment.path)


def _redact_plain(base: Base, segment: Segment, copy: _Copy, new: Path) -> None:
    check_not_held(segment.path)
    with open(segment.path, "rb") as source, new_file(new, like=os.stat(segment.path)) as out:
        end = copy.add(lines_in(source), out, whole=False)
        with base.write_lease(), writers_excluded(segment.path.parent):
            status = os.stat(segment.path)
            if status.st_size - end > _MOST_UNDER_LOCK:
                raise SegmentInUse(f"{segment.name} grows faster than it is read")
            check_unchanged(segment, status.st_size)
            source.seek(end)
            copy.add(lines_in(source), out, whole=True)
            out.flush()
            os.fsync(out.fileno())
            # What is open can't be renamed on Windows.
            out.close()
            source.close()
            _put_in_place(new, segment.path)


def _put_in_place(new: Path, path: Path) -> None:
    replace(new, path, UNDER_LOCK_SECONDS)
    sync_path(path.parent)


def _sweep(directory: Path) -> None:
    """Delete what a redaction that was killed has left half done."""
    for name in os.listdir(directory):
        if name.startswith(_TEMPORARY):
            delete(directory / name)


def _write_receipt(base: Base, result: Redacted) -> None:
    """Have the log itself say that it was rewritten, and what for."""
    tick = CLOCK.tick()
    # Not by the kinds as names: a number under the name of a password would be one itself.
    kinds = [{"kind": kind, "found": number} for kind, number in result.kinds.items()]
    data = {"segments": result.segments, "lines": result.lines, "kinds": kinds}
    line = line_of(tick.id, own_source(), LOG_REDACTED, REDACTION_SUBJECT, tick.time, data)
    writer = writer_for(base.log_directory, host_name())
    writer.write(line, tick.day, 1, base.config.durability == "fsync", _RECEIPT_SECONDS)
