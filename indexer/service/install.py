"""The installation: a service's file written or removed, and its manager told.

Called by `telemetry service`. What it can't do itself it returns, to be said. A manager that
can't be reached, as in a container or over a bare login, is no error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from indexer.errors import ServiceFailed
from indexer.service import launchd, systemd, windows
from indexer.service.definition import ServiceDefinition
from indexer.system.atomic_file import write_atomically
from indexer.system.file_changes import delete
from telemetry_core.storage import make_directory


class Manager(Protocol):
    """What each manager's file knows."""

    KIND: str

    def text(self, service: ServiceDefinition) -> str:
        """Return the service's file, to be read."""

    def data(self, service: ServiceDefinition) -> bytes:
        """Return the service's file, to be written."""

    def path(self, service: ServiceDefinition, environ: Mapping[str, str]) -> Path:
        """Return where the file belongs."""

    def start_commands(self, service: ServiceDefinition, file: Path) -> list[list[str]]:
        """Return the commands that start it."""

    def stop_commands(self, service: ServiceDefinition, file: Path) -> list[list[str]]:
        """Return the commands that end it."""

    def status_command(self, service: ServiceDefinition) -> list[str]:
        """Return the command that shows how it is."""

    def advice(self, service: ServiceDefinition) -> list[str]:
        """Return what the user should know besides."""


MANAGERS: dict[str, Manager] = {
    "systemd": systemd,
    "launchd": launchd,
    "windows": windows,
}


def native_kind() -> str:
    """Return the kind of service manager that this platform has."""
    return {"darwin": "launchd", "win32": "windows"}.get(sys.platform, "systemd")


def install(manager: Manager, service: ServiceDefinition, start: bool) -> list[list[str]]:
    """Write the service's file; return the commands that are still to be run.

    With `start` they are run here, where the manager can be reached. Raises ServiceFailed or
    OSError.
    """
    file = manager.path(service, os.environ)
    make_directory(service.log_file.parent)
    make_directory(file.parent)
    write_atomically(file, manager.data(service))
    return _told(manager, manager.start_commands(service, file), start)


def uninstall(manager: Manager, service: ServiceDefinition) -> list[list[str]]:
    """End the service and remove its file; return the commands that are still to be run."""
    file = manager.path(service, os.environ)
    left = _told(manager, manager.stop_commands(service, file), wanted=file.exists())
    delete(file)
    return left


def is_running(manager: Manager, service: ServiceDefinition) -> bool:
    """Whether the manager says that the service runs."""
    return is_reachable(manager) and _run(manager.status_command(service)).returncode == 0


def is_reachable(manager: Manager) -> bool:
    """Whether this process can talk to the manager."""
    if native_kind() != manager.KIND:
        return False
    program = manager.status_command(ServiceDefinition("", Path(), (), {}))[0]
    if shutil.which(program) is None:
        return False
    # Without a login session there is a systemctl, and nobody to answer it.
    return (
        manager.KIND != "systemd" or _run([program, "--user", "show-environment"]).returncode == 0
    )


def _told(manager: Manager, commands: list[list[str]], wanted: bool) -> list[list[str]]:
    if not wanted or not is_reachable(manager):
        return commands
    for command in commands:
        done = _run(command)
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise ServiceFailed(f"`{' '.join(command)}` failed: {said}")
    return []


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
