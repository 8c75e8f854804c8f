"""Whatever happens to log and database, in any order: the view comes out as the log says.

Hypothesis plays the disasters, and finds the shortest story that goes wrong.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from unittest import mock

import zstandard
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from indexer.database import rebuild as rebuild_module
from indexer.database.freshness import index_once
from indexer.database.opening import open_or_rebuild
from indexer.database.rebuild import rebuild
from indexer.database.session import Session
from indexer.database.verify import verify
from indexer.log.names import parse_segment_name
from indexer.log.streams import StreamBroken, StreamUnfinished, open_stream, read_chunk
from indexer.store import connection as database
from indexer.store.connection import open_reader
from indexer.store.schema.check import is_empty
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.errors import TelemetryError
from telemetry_core.line import encode
from tests.laboratory.experiment import Bench, scratch_root
from tests.laboratory.lines import EVENTS, LINES
from tests.support.batches import small_batches
from tests.support.database import Table, indexed_from_scratch, tables

_NAMES = st.sampled_from(["events_1", "events_2", "a", "z"])
_ANY = st.integers(0, 10**6)
_SQUEEZE = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


class Disasters(RuleBasedStateMachine):
    """One base. `removed` says that the log has lost something that the view may still have."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="disasters-", dir=scratch_root()))
        self.config = TelemetryConfig.for_base(self.directory / "base")
        self.raw, self.database = self.config.ndjson_dir, self.config.database_path
        self.view: Session | None = None
        self.removed = False
        self.torn: dict[str, bytes] = {}
        self.copies: list[tuple[str, bytes]] = []
        self.patch = small_batches(3, chunk_bytes=256)
        self.patch.__enter__()

    @initialize(lines=LINES, more=LINES)
    def begin(self, lines: list[bytes], more: list[bytes]) -> None:
        """Not from nothing: files that repeat each other are where it gets difficult."""
        self.raw.mkdir(parents=True)
        self.add("events_1", b"\n".join(lines) + b"\n")
        self.add("events_2", b"\n".join(lines + more) + b"\n")
        packed = gzip.compress(b"\n".join(more) + b"\n")
        (self.raw / "z.ndjson.gz").write_bytes(packed)
        index_once(Base(self.config))

    def teardown(self) -> None:
        self.drop_view()
        self.patch.__exit__(None, None, None)
        shutil.rmtree(self.directory)

    # What happens to the log.

    @rule(name=_NAMES, lines=LINES, ending=st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
    def append(self, name: str, lines: list[bytes], ending: bytes) -> None:
        self.add(name, ending.join(lines) + ending)

    @rule(name=_NAMES, lines=LINES, cut=_ANY)
    def append_torn(self, name: str, lines: list[bytes], cut: int) -> None:
        data = b"\n".join(lines) + b"\n"
        cut %= len(data)
        self.add(name, data[:cut])
        self.torn[name] = data[cut:]

    @precondition(lambda self: self.torn)
    @rule(which=_ANY)
    def complete_what_was_torn(self, which: int) -> None:
        name = sorted(self.torn)[which % len(self.torn)]
        self.add(name, self.torn.pop(name))

    @rule(name=_NAMES, line=EVENTS)
    def begin_with_a_byte_order_mark(self, name: str, line: object) -> None:
        if not (self.raw / f"{name}.ndjson").exists():
            self.add(name, b"\xef\xbb\xbf" + encode(line))

    @rule(which=_ANY, name=_NAMES)
    def copy_under_another_name(self, which: int, name: str) -> None:
        for path in self.chosen(which):
            target = self.raw / (name + "".join(path.suffixes))
            if not target.exists():
                shutil.copyfile(path, target)

    @rule(which=_ANY, name=_NAMES)
    def rename(self, which: int, name: str) -> None:
        for path in self.chosen(which):
            target = self.raw / (name + "".join(path.suffixes))
            if not target.exists():
                path.rename(target)

    @rule(which=_ANY, suffix=st.sampled_from(sorted(_SQUEEZE)), keep=st.booleans())
    def compress(self, which: int, suffix: str, keep: bool) -> None:
        for path in self.chosen(which):
            target = path.with_name(path.name + suffix)
            if path.suffix == ".ndjson" and not target.exists():
                target.write_bytes(_SQUEEZE[suffix](path.read_bytes()))
                if not keep:
                    path.unlink()

    @rule(which=_ANY, piece=st.integers(1, 2), index=st.booleans())
    def make_a_piece_of(self, which: int, piece: int, index: bool) -> None:
        """As archiving does: the same bytes under a name of the same stem."""
        for path in self.chosen(which):
            name = parse_segment_name(path.name)
            target = self.raw / f"{name.stem}.{piece}{name.suffix}"
            if not target.exists():
                path.rename(target)
        if index:
            index_once(Base(self.config))

    @rule(which=_ANY)
    def unpack(self, which: int) -> None:
        for path in self.chosen(which):
            target = path.with_suffix("")
            if path.suffix in _SQUEEZE and not target.exists():
                with suppress(StreamUnfinished, StreamBroken), closing(open_stream(path)) as stream:
                    data = b""
                    while chunk := read_chunk(stream, 1 << 20):
                        data += chunk
                    target.write_bytes(data)
                    path.unlink()

    @rule(which=_ANY)
    def make_a_backup(self, which: int) -> None:
        self.copies += [(path.name, path.read_bytes()) for path in self.chosen(which)]

    @precondition(lambda self: self.copies)
    @rule(which=_ANY, in_place=st.booleans())
    def restore_a_backup(self, which: int, in_place: bool) -> None:
        name, data = self.copies[which % len(self.copies)]
        self.removed = True
        if in_place:
            (self.raw / name).write_bytes(data)
        else:
            (self.directory / "new").write_bytes(data)
            os.replace(self.directory / "new", self.raw / name)

    @rule(which=_ANY, size=_ANY)
    def truncate(self, which: int, size: int) -> None:
        for path in self.chosen(which):
            self.removed = True
            os.truncate(path, size % (path.stat().st_size + 1))

    @rule(which=_ANY)
    def delete(self, which: int) -> None:
        for path in self.chosen(which):
            self.removed = True
            path.unlink()

    @rule(which=_ANY)
    def overwrite_with_as_many_bytes(self, which: int) -> None:
        for path in self.chosen(which):
            data = path.read_bytes()
            other = data.replace(b"id-0", b"id-1").replace(b"old", b"new")
            if path.suffix == ".ndjson" and other[:1024] != data[:1024]:
                self.removed = True
                with path.open("r+b") as file:
                    file.write(other)

    # What happens to the view.

    @rule()
    def index(self) -> None:
        index_once(Base(self.config))
        self.check()

    @rule()
    def index_as_a_daemon_does(self) -> None:
        """The same view stays open, and with it what it remembers, unless it was replaced."""
        if self.view is not None and not self.view.is_in_place():
            self.drop_view()
        self.view = self.view or open_or_rebuild(Base(self.config))
        self.view.run_pass()
        self.check()

    @rule(batches=st.integers(0, 3))
    def index_and_stop_early(self, batches: int) -> None:
        left = iter(range(batches))
        base = Base(self.config)
        with closing(open_or_rebuild(base, should_stop=lambda: next(left, None) is None)) as view:
            view.run_pass()

    @rule(after=st.integers(0, 300))
    def index_and_break(self, after: int) -> None:
        with breaking(database, "open_writer", after), suppress(TelemetryError):
            index_once(Base(self.config))

    @rule()
    def rebuild(self) -> None:
        rebuild(Base(self.config), force=True)
        self.removed = False
        self.check()

    @rule(after=st.integers(0, 600))
    def rebuild_and_break(self, after: int) -> None:
        before = self._tables()
        try:
            with breaking(rebuild_module, "_open_shadow", after):
                rebuild(Base(self.config), force=True)
            self.removed = False
        except TelemetryError:
            assert before == self._tables()
        assert not Base(self.config).shadow_path.exists()

    def _tables(self) -> dict[str, Table] | None:
        """What the view holds; None where it is missing, or was left before it had a table."""
        if not self.database.exists():
            return None
        with closing(open_reader(self.database)) as connection:
            return None if is_empty(connection) else tables(self.database)

    @rule(everything=st.booleans())
    def delete_the_database(self, everything: bool) -> None:
        if everything:
            shutil.rmtree(self.database.parent, ignore_errors=True)
        else:
            self.database.unlink(missing_ok=True)
        self.removed = False

    @precondition(lambda self: self.database.exists())
    @rule(where=st.sampled_from([0, 4096, 8192]))
    def put_rubbish_in_the_databases_place(self, where: int) -> None:
        self.drop_view()
        data = self.database.read_bytes()
        self.database.write_bytes(data[:where] + b"\xa5" * max(5000, len(data) - where))
        index_once(Base(self.config))
        self.removed = False
        self.check()

    @precondition(lambda self: self.database.exists())
    @rule()
    def lose_the_write_ahead_log(self) -> None:
        self.drop_view()
        Path(f"{self.database}-wal").unlink(missing_ok=True)

    # What has to be so.

    def check(self) -> None:
        report = verify(Base(self.config))
        lost = [one for one in report.differences if "of them in the log" not in one]
        assert (report.differences if not self.removed else lost) == []
        with closing(sqlite3.connect(self.database)) as connection:
            files = connection.execute(
                "SELECT name, offset, indexed_bytes + duplicate_bytes + quarantined_bytes"
                " FROM log_files"
            ).fetchall()
        assert {path.name for path in self.files()} == {name for name, _, _ in files}
        for name, offset, accounted in files:
            assert offset == accounted
            if name.endswith(".ndjson"):
                assert offset == (self.raw / name).read_bytes().rfind(b"\n") + 1
        new = self.directory / "new.sqlite"
        expected, found = indexed_from_scratch(self.config, new), tables(self.database)
        database.remove_database(new)
        # What the log has no longer may still be in the view, but takes no place in it.
        names = ("log_files", "quarantine") if self.removed else tuple(expected)
        assert {name: found[name] for name in names} == {name: expected[name] for name in names}

    def files(self) -> list[Path]:
        return sorted(self.raw.iterdir())

    def chosen(self, which: int) -> list[Path]:
        """One of the files, or none if there is none."""
        files = self.files()
        return files[which % len(files) :][:1] if files else []

    def add(self, name: str, data: bytes) -> None:
        with (self.raw / f"{name}.ndjson").open("ab") as file:
            file.write(data)

    def drop_view(self) -> None:
        if self.view is not None:
            self.view.close()
            self.view = None


def breaking(module: object, name: str, after: int) -> mock._patch:
    """Have the connections that a function opens break off, once, after so many looks."""
    opened = getattr(module, name)
    left = iter([0] * after + [1])

    def open_breaking(*arguments: object) -> sqlite3.Connection:
        connection = opened(*arguments)
        connection.set_progress_handler(lambda: next(left, 0), 100)
        return connection

    return mock.patch.object(module, name, open_breaking)


def run(bench: Bench, runs: int, steps: int) -> dict[str, int]:
    """Play so many runs of so many disasters; return what was done."""
    played = {"runs": 0, "steps": 0}

    class Played(Disasters):
        def teardown(self) -> None:
            super().teardown()
            played["runs"] += 1
            bench.on_progress(1)

        @invariant()
        def a_step_is_over(self) -> None:
            played["steps"] += 1

    wanted = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(bench.seed)(Played), settings=wanted)
    return played
