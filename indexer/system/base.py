"""Name the paths of one base directory, and the leases that say who may write what.

Made once per process, at the door (the command line, the daemon), and handed to everything that
reads or writes the base. It creates nothing by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from telemetry_core.config import TelemetryConfig

if TYPE_CHECKING:
    from indexer.system.lease import Lease

DAEMON = "daemon"
ONE_PASS = "one pass"  # noqa: S105  # "pass" as in a pass over the log

_PATIENCE = 3600.0
"""Seconds: a pass over a year of log, or the swap of its database, may take that long."""


class Base:
    """The paths and leases of one base directory, and the settings it is used with."""

    def __init__(self, config: TelemetryConfig) -> None:
        """Describe the base that `config` names."""
        self.config = config

    @classmethod
    def from_env(cls, environ: Optional[Mapping[str, str]] = None) -> Base:
        """Return the base that environment variables name."""
        return cls(TelemetryConfig.from_env(environ))

    @classmethod
    def at(cls, directory: Path, environ: Optional[Mapping[str, str]] = None) -> Base:
        """Return the base in `directory`, with other settings from `environ`."""
        return cls(TelemetryConfig.for_base(directory, environ))

    @property
    def directory(self) -> Path:
        """The base directory."""
        return self.config.metrics_dir

    @property
    def log_directory(self) -> Path:
        """The directory of the log's segments."""
        return self.config.ndjson_dir

    @property
    def database_path(self) -> Path:
        """The database file."""
        return self.config.database_path

    @property
    def shadow_path(self) -> Path:
        """The file in which a rebuild creates the new database."""
        return self._beside_database(self.database_path.name + ".rebuild")

    @property
    def settings_path(self) -> Path:
        """The settings file, which need not exist."""
        return self.directory / "config" / "telemetry.toml"

    @property
    def backups(self) -> Path:
        """The directory of backups."""
        return self.directory / "backups"

    def indexer_lease(self, purpose: str) -> Lease:
        """Return the lease of the one indexer. Nobody waits for a daemon, which keeps it."""
        path = self._beside_database("indexer.lock")
        return _lease(path, purpose, patience=_PATIENCE, never_wait_for=DAEMON)

    def daemon(self) -> dict[str, Any]:
        """Return the note of the daemon that indexes this base now; empty if none does."""
        # Imported here, as the leases are: most commands that read need none.
        from indexer.system.lease import is_gone

        holder = self.indexer_lease("").holder()
        return holder if holder.get("purpose") == DAEMON and not is_gone(holder) else {}

    def write_lease(self) -> Lease:
        """Return the lease on writing the database: for one pass, or while a rebuild swaps."""
        return _lease(self._beside_database("write.lock"), patience=_PATIENCE)

    def rebuild_lease(self) -> Lease:
        """Return the lease on the file that a rebuild builds in."""
        return _lease(self._beside_database("rebuild.lock"), "rebuild")

    def import_lease(self, purpose: str, patience: float = 0.0) -> Lease:
        """Return the lease on reading session files into the log: for one round over them."""
        return _lease(self._beside_database("import.lock"), purpose, patience)

    @property
    def import_cursors_path(self) -> Path:
        """The file that says how far each session file has been imported."""
        return self._beside_database("import-cursors.ndjson")

    def segments_lease(self, purpose: str, patience: float = 0.0) -> Lease:
        """Return the lease on the segments, held to move, compress or delete one.

        Its file is next to them, for several bases may share one log. Writers do not use it.
        """
        return _lease(self.log_directory / ".keeping.lock", purpose, patience)

    def _beside_database(self, name: str) -> Path:
        return self.database_path.parent / name

    def __repr__(self) -> str:
        return f"Base({str(self.directory)!r})"


def _lease(path: Path, purpose: str = "", patience: float = 0.0, never_wait_for: str = "") -> Lease:
    # Imported here: `telemetry doctor` starts without our dependencies, to say which is missing.
    from indexer.system.lease import Lease

    return Lease(path, purpose, patience, never_wait_for)
