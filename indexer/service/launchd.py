"""The launchd agent: its property list, and the commands that make it run.

Called by `telemetry service` on macOS, and by `--print` anywhere.
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
    """Return the property list. What XML must escape, the library does."""
    return plistlib.dumps(
        {
            "Label": service.name,
            "ProgramArguments": list(service.program),
            "EnvironmentVariables": service.environment,
            "WorkingDirectory": "/",
            "RunAtLoad": True,
            # Started again after a failure; stopped with a clean exit, it stays so.
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
    """Return where the user's agents are."""
    return Path(os.path.expanduser("~/Library/LaunchAgents")) / f"{service.name}.plist"


def start_commands(_service: ServiceDefinition, file: Path) -> list[list[str]]:
    """Return what makes an agent that was written run, now and after each login."""
    return [["launchctl", "bootstrap", _domain(), str(file)]]


def stop_commands(service: ServiceDefinition, _file: Path) -> list[list[str]]:
    """Return what ends it, before its file is removed."""
    return [["launchctl", "bootout", f"{_domain()}/{service.name}"]]


def status_command(service: ServiceDefinition) -> list[str]:
    """Return what shows how it is; exits 0 while launchd knows it."""
    return ["launchctl", "print", f"{_domain()}/{service.name}"]


def advice(service: ServiceDefinition) -> list[str]:
    """Return what the user should know besides."""
    return [
        f"what it says goes to {service.log_file}, which nobody rotates",
        "launchd reads no file of secrets: set them with `launchctl setenv`",
    ]


def _domain() -> str:
    return f"gui/{os.getuid()}" if hasattr(os, "getuid") else "gui/501"
