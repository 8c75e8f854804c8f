"""The systemd user unit: its text, and the commands that make it run.

Called by `telemetry service`. It is a user's unit, so it has only such hardening as needs no
privilege: what needs a mount namespace would keep it from starting.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from indexer.service.definition import ServiceDefinition

KIND = "systemd"

_WATCHDOG_SECONDS = 300
_ESCAPES = str.maketrans(
    {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "%%"}
)

_UNIT = """\
# Written by `telemetry service install`; `telemetry service uninstall` removes it.
[Unit]
Description={description}
Documentation=man:systemd.service(5)

[Service]
Type=notify
ExecStart={program}
{environment}
EnvironmentFile=-{secrets}
WorkingDirectory=/
Restart=on-failure
RestartSec=5
WatchdogSec={watchdog}
UMask=0077
Nice=5
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


def text(service: ServiceDefinition) -> str:
    """Return the unit."""
    python, *words = service.program
    return _UNIT.format(
        description=_plain(f"Local Telemetry's indexer of {service.base}"),
        # The program's own path is the one word in which `$` names no variable.
        program=" ".join([_quoted(python), *(_quoted(word).replace("$", "$$") for word in words)]),
        environment="\n".join(
            f"Environment={_quoted(f'{name}={value}')}"
            for name, value in service.environment.items()
        ),
        # A path of its own line is taken as it stands, blanks included.
        secrets=_plain(str(service.secrets_file)),
        watchdog=_WATCHDOG_SECONDS,
    )


def data(service: ServiceDefinition) -> bytes:
    """Return the file's bytes."""
    return text(service).encode("utf-8", "surrogateescape")


def path(service: ServiceDefinition, environ: Mapping[str, str]) -> Path:
    """Return where the user's units are."""
    home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home) / "systemd" / "user" / f"{service.name}.service"


def start_commands(service: ServiceDefinition, _file: Path) -> list[list[str]]:
    """Return what makes a unit that was written run, now and after each login."""
    unit = f"{service.name}.service"
    return [
        ["systemctl", "--user", "daemon-reload"],
        ["systemctl", "--user", "enable", "--now", unit],
    ]


def stop_commands(service: ServiceDefinition, _file: Path) -> list[list[str]]:
    """Return what ends it, before the unit is removed."""
    return [["systemctl", "--user", "disable", "--now", f"{service.name}.service"]]


def status_command(service: ServiceDefinition) -> list[str]:
    """Return what shows how it is; exits 0 while it runs."""
    return ["systemctl", "--user", "--no-pager", "status", f"{service.name}.service"]


def advice(_service: ServiceDefinition) -> list[str]:
    """Return what the user should know besides."""
    return ["to have it run while you are not logged in: loginctl enable-linger"]


def _quoted(text: str) -> str:
    return '"' + text.translate(_ESCAPES) + '"'


def _plain(text: str) -> str:
    return " ".join(text.split("\n")).replace("%", "%%")
