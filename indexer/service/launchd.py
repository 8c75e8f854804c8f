"""launchd: the property list of an agent, and the commands that control it.

Used by `telemetry service` on macOS, and by `--print` anywhere.
"""

from __future__ import annotations

import os
import plistlib
from collections.abc import Mapping
from pathlib import Path

from indexer.service.definition import ServiceDefinition

KIND = "launchd"

_RESTART_SECONDS = 10


def data(service: ServiceDefinition) -> bytes:
    """Return the property list; the library escapes what XML requires."""
    return plistlib.dumps(
        {
            "Label": service.name,
            "ProgramArguments": list(service.program),
            "EnvironmentVariables": service.environment,
            "WorkingDirectory": "/",
            "RunAtLoad": True,
            # Restarted after a failure; after a clean exit it stays stopped.
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": _RESTART_SECONDS,
            "ProcessType": "Background",
            "Umask": 0o077,
            "StandardOutPath": str(service.log_file),
            "StandardErrorPath": str(service.log_file),
        },
        sort_keys=False,
    )


def text(service: ServiceDefinition) -> str:
    """Return the property list as text."""
    return data(service).decode()


def path(service: ServiceDefinition, _environ: Mapping[str, str]) -> Path:
    """Return the path of the property list."""
    return Path(os.path.expanduser("~/Library/LaunchAgents")) / f"{service.name}.plist"


def start_commands(_service: ServiceDefinition, file: Path) -> list[list[str]]:
    """Return the commands that run the agent, now and after each login."""
    return [["launchctl", "bootstrap", _domain(), str(file)]]


def stop_commands(service: ServiceDefinition, _file: Path) -> list[list[str]]:
    """Return the commands that stop it, before its file is removed."""
    return [["launchctl", "bootout", f"{_domain()}/{service.name}"]]


def status_command(service: ServiceDefinition) -> list[str]:
    """Return the command that shows its state; exits 0 while launchd knows it."""
    return ["launchctl", "print", f"{_domain()}/{service.name}"]


def advice(service: ServiceDefinition) -> list[str]:
    """Return what else the user should know."""
    return [
        f"its messages go to {service.log_file}, which nothing rotates",
        "launchd reads no file of secrets: set them with `launchctl setenv`",
    ]


def _domain() -> str:
    return f"gui/{os.getuid()}" if hasattr(os, "getuid") else "gui/501"
