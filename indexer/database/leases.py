"""The places: what the indexer keeps beside the database, and the leases on it.

Called by the daemon, rebuild and the command line, so that all of them mean the same files.
"""

from __future__ import annotations

from pathlib import Path

from indexer.system.lease import Lease
from telemetry_core.config import TelemetryConfig

DAEMON = "daemon"
ONE_PASS = "one pass"  # noqa: S105  # "pass" as in a pass over the log

# A pass over a year of logs, or the swap of their view, may take as long.
_PATIENCE = 3600.0


def indexer_lease(config: TelemetryConfig, purpose: str) -> Lease:
    """Return the lease of the one indexer. A daemon holds it for life, so nobody waits for one."""
    path = _beside(config, "indexer.lock")
    return Lease(path, purpose, patience=_PATIENCE, never_wait_for=DAEMON)


def daemon_is_running(config: TelemetryConfig) -> bool:
    """Return whether a daemon indexes this base."""
    return indexer_lease(config, "").holder().get("purpose") == DAEMON


def write_lease(config: TelemetryConfig) -> Lease:
    """Return the lease on writing, taken for one pass, or for the moment a rebuild takes over."""
    return Lease(_beside(config, "write.lock"), patience=_PATIENCE)


def rebuild_lease(config: TelemetryConfig) -> Lease:
    """Return the lease on the file that a rebuild builds in."""
    return Lease(_beside(config, "rebuild.lock"), "rebuild")


def keeping_lease(config: TelemetryConfig, purpose: str, patience: float = 0.0) -> Lease:
    """Return the lease on the files of the log: who moves, compresses or deletes any has it.

    It lies beside them, for several bases may have one log. Writers know nothing of it.
    """
    return Lease(config.ndjson_dir / ".keeping.lock", purpose, patience)


def backup_directory(config: TelemetryConfig) -> Path:
    """Return where backups are."""
    return config.metrics_dir / "backups"


def shadow_path(config: TelemetryConfig) -> Path:
    """Return where a rebuild makes the new database."""
    return _beside(config, config.database_path.name + ".rebuild")


def _beside(config: TelemetryConfig, name: str) -> Path:
    return config.database_path.parent / name
