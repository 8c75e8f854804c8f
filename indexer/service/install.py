"""Write or remove a service's file, and run the manager's commands.

Used by `telemetry service`. Commands that can't be run here are returned, for the user to run: a
manager that can't be reached, as in a container or without a login session, is no error.
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
    """One service manager: systemd, launchd or the Task Scheduler."""

    @property
    def KIND(self) -> str:  # noqa: N802  # a constant of the module
        """The name by which it is chosen."""
        ...

    def text(self, service: ServiceDefinition, /) -> str:
        """Return the service's file as text."""
        ...

    def data(self, service: ServiceDefinition, /) -> bytes:
        """Return the service's file as bytes."""
        ...

    def path(self, service: ServiceDefinition, environ: Mapping[str, str], /) -> Path:
        """Return the path of the file."""
        ...

    def start_commands(self, service: ServiceDefinition, file: Path, /) -> list[list[str]]:
        """Return the commands that start it."""
        ...

    def stop_commands(self, service: ServiceDefinition, file: Path, /) -> list[list[str]]:
        """Return the commands that stop it."""
        ...

    def status_command(self, service: ServiceDefinition, /) -> list[str]:
        """Return the command that shows its state."""
        ...

    def advice(self, service: ServiceDefinition, /) -> list[str]:
        """Return what else the user should know."""
        ...


MANAGERS: dict[str, Manager] = {
    "systemd": systemd,
    "launchd": launchd,
    "windows": windows,
}


def native_kind() -> str:
    """Return the kind of this platform's service manager."""
    return {"darwin": "launchd", "win32": "windows"}.get(sys.platform, "systemd")


def install(manager: Manager, service: ServiceDefinition, start: bool) -> list[list[str]]:
    """Write the service's file; return the commands that are left to run.

    With `start` they are run here, if the manager can be reached. Raises ServiceFailed or
    OSError.
    """
    file = manager.path(service, os.environ)
    make_directory(service.log_file.parent)
    make_directory(file.parent)
    write_atomically(file, manager.data(service))
    return _told(manager, manager.start_commands(service, file), start)


def uninstall(manager: Manager, service: ServiceDefinition) -> list[list[str]]:
    """Stop the service and remove its file; return the commands that are left to run."""
    file = manager.path(service, os.environ)
    left = _told(manager, manager.stop_commands(service, file), wanted=file.exists())
    delete(file)
    return left


def is_running(manager: Manager, service: ServiceDefinition) -> bool:
    """Return whether the manager says that the service runs."""
    return is_reachable(manager) and _run(manager.status_command(service)).returncode == 0


def is_reachable(manager: Manager) -> bool:
    """Return whether this process can talk to the manager."""
    if native_kind() != manager.KIND:
        return False
    program = manager.status_command(ServiceDefinition("", Path(), "", (), (), {}))[0]
    if shutil.which(program) is None:
        return False
    # Without a login session systemctl is there, but no manager that would answer it.
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
