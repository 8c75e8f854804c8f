"""systemd: the text of a user unit, and the commands that control it.

Used by `telemetry service`. A user unit can only have hardening that needs no privilege: an
option that needs a mount namespace would keep it from starting.
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
        description=_plain(f"Local Telemetry indexer for {service.base}"),
        # The program's path is the one word in which systemd expands no `$`.
        program=" ".join([_quoted(python), *(_quoted(word).replace("$", "$$") for word in words)]),
        environment="\n".join(
            f"Environment={_quoted(f'{name}={value}')}"
            for name, value in service.environment.items()
        ),
        # A path on its own line is used as it is, blanks included.
        secrets=_plain(str(service.secrets_file)),
        watchdog=_WATCHDOG_SECONDS,
    )


def data(service: ServiceDefinition) -> bytes:
    """Return the bytes of the file."""
    return text(service).encode("utf-8", "surrogateescape")


def path(service: ServiceDefinition, environ: Mapping[str, str]) -> Path:
    """Return the path of the unit file."""
    home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home) / "systemd" / "user" / f"{service.name}.service"


def start_commands(service: ServiceDefinition, _file: Path) -> list[list[str]]:
    """Return the commands that run the unit, now and after each login."""
    unit = f"{service.name}.service"
    return [
        ["systemctl", "--user", "daemon-reload"],
        ["systemctl", "--user", "enable", "--now", unit],
    ]


def stop_commands(service: ServiceDefinition, _file: Path) -> list[list[str]]:
    """Return the commands that stop it, before the unit is removed."""
    return [["systemctl", "--user", "disable", "--now", f"{service.name}.service"]]


def status_command(service: ServiceDefinition) -> list[str]:
    """Return the command that shows its state; exits 0 while it runs."""
    return ["systemctl", "--user", "--no-pager", "status", f"{service.name}.service"]


def advice(_service: ServiceDefinition) -> list[str]:
    """Return what else the user should know."""
    return ["to keep it running while you are logged out: loginctl enable-linger"]


def _quoted(text: str) -> str:
    return '"' + text.translate(_ESCAPES) + '"'


def _plain(text: str) -> str:
    return " ".join(text.split("\n")).replace("%", "%%")
