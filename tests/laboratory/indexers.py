"""What indexes in a child of the laboratory."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from indexer.daemon.loop import Daemon
from indexer.database.freshness import index_once
from indexer.database.rebuild import rebuild
from indexer.database.replacement import swap
from indexer.store import connection as database
from indexer.system.base import Base
from telemetry_core import TelemetryConfig
from telemetry_core.errors import TelemetryError
from tests.laboratory import shim
from tests.laboratory.children import Say
from tests.laboratory.shim import Fault
from tests.support.batches import small_batches

_WORK = {"index": index_once, "rebuild": rebuild}


def index(say: Say, base: Path, work: str, fault: Fault) -> None:
    """Make a pass or a rebuild, in small steps, while `fault` strikes."""
    config = TelemetryConfig.for_base(base)
    # Small batches, so that there are many; and nobody waits long for a lock that can't be had.
    with (
        small_batches(20, chunk_bytes=1024),
        mock.patch.multiple(swap, _SWAP_PAGES=20),
        mock.patch.multiple(database, BUSY_SECONDS=0.1),
        shim.armed(base, fault),
    ):
        try:
            _WORK[work](Base(config))
            outcome = "done"
        except (TelemetryError, OSError) as error:
            outcome = f"{type(error).__name__}: {error}"
        met = shim.met()
    say((outcome, met))


def watch_for_ever(say: Say, base: Path, poll_interval: float) -> None:
    """Be the daemon."""
    config = TelemetryConfig.for_base(base)
    config.poll_interval = poll_interval
    Daemon(Base(config)).run()
