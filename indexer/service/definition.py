"""Define what a service runs: the program, the base directory and the environment.

Made by `telemetry service`, written by each manager in its own format. It contains no secret:
too many processes can read a manager's files.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import indexer
from indexer.system.base import Base
from telemetry_core.settings import PATH, SECRET, SETTINGS

SECRETS = tuple(one.variable for one in SETTINGS if one.kind == SECRET)
"""Settings that are never written into a service's file."""

_CARRIED = [one.variable for one in SETTINGS if one.kind not in (PATH, SECRET)]
# Isolated: no module in the user's PYTHONPATH or directory can shadow this package. `-I` leaves
# out the user's site-packages too, so where the package was installed there `-E` has to do.
_ISOLATION = ("-I", "-E")
_WHERE = "import indexer; print(indexer.__file__)"


class ServiceDefinition(NamedTuple):
    """One daemon that is to run permanently."""

    name: str
    """The name by which the manager knows it."""
    base: Path
    python: str
    """The interpreter."""
    options: tuple[str, ...]
    """The interpreter's options; empty if the package is found by PYTHONPATH only."""
    target: tuple[str, ...]
    """What the interpreter runs: the installed script, or a module."""
    environment: dict[str, str]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of `telemetry`."""
        return ("index", "--watch")

    @property
    def program(self) -> tuple[str, ...]:
        """The whole command line."""
        return (self.python, *self.options, *self.target, *self.arguments)

    @property
    def secrets_file(self) -> Path:
        """A file for variables that nobody else may read, one `NAME=value` per line."""
        return self.base / "config" / "service.env"

    @property
    def log_file(self) -> Path:
        """Where the daemon's messages go under a manager that keeps no journal."""
        return self.base / "logs" / f"{self.name}.log"


def define(name: str, base: Base, environ: Mapping[str, str]) -> ServiceDefinition:
    """Return the service that indexes one base directory, with all paths absolute."""
    options = _isolation()
    environment = {
        "TELEMETRY_BASE_DIR": str(base.directory),
        "TELEMETRY_NDJSON_DIR": str(base.log_directory),
        "TELEMETRY_DB_PATH": str(base.database_path),
        **{variable: environ[variable] for variable in _CARRIED if environ.get(variable)},
    }
    if not options and environ.get("PYTHONPATH"):
        # Relative entries would be resolved from wherever the manager starts it.
        entries = environ["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, entries))
    target = _installed_script() if options else ()
    return ServiceDefinition(
        name, base.directory, sys.executable, options, target or ("-m", "indexer"), environment
    )


def _isolation() -> tuple[str, ...]:
    """Return the option with which an isolated interpreter finds this package, or nothing."""
    for option in _ISOLATION:
        done = subprocess.run(
            [sys.executable, option, "-c", _WHERE],
            capture_output=True,
            text=True,
            cwd=os.path.dirname(sys.executable),
            check=False,
        )
        if done.returncode == 0 and os.path.samefile(done.stdout.strip(), indexer.__file__):
            return (option,)
    return ()


def _installed_script() -> tuple[str, ...]:
    script = Path(sysconfig.get_path("scripts")) / "telemetry"
    # On Windows it is a program, which the interpreter can't run.
    return (str(script),) if os.name == "posix" and script.is_file() else ()
