"""The service: what a service has to run, for which base, with which environment.

Made by `telemetry service`, written down by each manager in its own format. It holds no secret:
what a manager's file says can be read by too many.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from indexer.system.base import Base

# What the indexer reads beside the places, and what has to be there for Python to find it.
_CARRIED = (
    "METRICS_API_ENABLED",
    "METRICS_API_URL",
    "TELEMETRY_TEST_MODE",
    "TELEMETRY_DB_JOURNAL_MODE",
    "TELEMETRY_POLL_INTERVAL",
    "TELEMETRY_STALE_AFTER",
    "PYTHONPATH",
)
SECRETS = ("METRICS_API_TOKEN",)
"""What is never written into a service's file."""


class ServiceDefinition(NamedTuple):
    """One daemon that is to run for ever."""

    name: str
    """By which the manager knows it."""
    base: Path
    program: tuple[str, ...]
    environment: dict[str, str]

    @property
    def secrets_file(self) -> Path:
        """Where variables that nobody else may read can be put, `NAME=value` a line."""
        return self.base / "config" / "service.env"

    @property
    def log_file(self) -> Path:
        """Where what the daemon says goes, for a manager that keeps no journal."""
        return self.base / "logs" / f"{self.name}.log"


def define(name: str, base: Base, environ: Mapping[str, str]) -> ServiceDefinition:
    """Return the service of indexing one base, with every place named in full."""
    environment = {
        "TELEMETRY_BASE_DIR": str(base.directory),
        "TELEMETRY_NDJSON_DIR": str(base.log_directory),
        "TELEMETRY_DB_PATH": str(base.database_path),
        **{variable: environ[variable] for variable in _CARRIED if environ.get(variable)},
    }
    # Relative entries would count from wherever the manager starts it.
    if "PYTHONPATH" in environment:
        entries = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, entries))
    program = (sys.executable, "-m", "indexer", "index", "--watch")
    return ServiceDefinition(name, base.directory, program, environment)
