"""The one oracle: after recovery the view is what the log says, to the event and to the byte."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from indexer.database import remove_database
from indexer.fresh import index_once
from indexer.log_files import list_log_files
from indexer.rebuild import rebuild
from indexer.streams import StreamBroken, StreamUnfinished, open_stream, read_chunk
from indexer.verify import verify
from telemetry_core import TelemetryConfig
from telemetry_core.line import BadLine, decode
from tests.support.view import indexed_from_scratch, tables


def assert_nothing_is_lost(config: TelemetryConfig) -> None:
    """Every event of the log is in the view once, every byte is accounted for, a rebuild agrees.

    For a base that no daemon runs on, and whose log has lost nothing that the view once had.
    """
    index_once(config)
    report = verify(config)
    assert report.is_ok, report.differences
    found = tables(config.database_path)
    stored = Counter((row[0], row[1]) for row in found["run_events"])
    assert {event: stored[event] for event in _events(config)} == dict.fromkeys(_events(config), 1)
    assert_bytes_are_accounted_for(config)
    scratch = config.metrics_dir / "scratch.sqlite"
    expected = indexed_from_scratch(config, scratch)
    remove_database(scratch)
    assert found == expected
    rebuild(config)
    assert tables(config.database_path) == expected


def assert_bytes_are_accounted_for(config: TelemetryConfig) -> None:
    """Indexed, duplicate and quarantined bytes are all bytes that stand before a last newline."""
    with closing(sqlite3.connect(f"file:{config.database_path}?mode=ro", uri=True)) as reader:
        accounted = dict(
            reader.execute(
                "SELECT name, indexed_bytes + duplicate_bytes + quarantined_bytes FROM log_files"
            )
        )
    plain = {file.name: plain_bytes(file.path) for file in list_log_files(config.ndjson_dir)}
    assert accounted == {name: data.rfind(b"\n") + 1 for name, data in plain.items()}


def ids_in_log(config: TelemetryConfig) -> list[str]:
    """The id of every line that is an event; one that stands there twice comes twice."""
    return [event_id for _, event_id in _events(config)]


def _events(config: TelemetryConfig) -> Iterator[tuple[str, str]]:
    for file in list_log_files(config.ndjson_dir):
        for line in plain_bytes(file.path).split(b"\n")[:-1]:
            with suppress(BadLine):
                event = decode(line.removeprefix(b"\xef\xbb\xbf"))
                yield event.run_id, event.id


def plain_bytes(path: Path) -> bytes:
    """What a file of the log holds, as far as it can be decoded."""
    data = b""
    with closing(open_stream(path)) as stream, suppress(StreamBroken, StreamUnfinished):
        while chunk := read_chunk(stream, 1 << 20):
            data += chunk
    return data
