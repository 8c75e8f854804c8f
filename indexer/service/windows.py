"""Write the XML of a Windows Task Scheduler task, and run the commands that control it.

Used by `telemetry service` on Windows, and by `--print` anywhere. The scheduler gives a task no
environment and expands %NAME% wherever it occurs, so the environment is part of the program,
spelled so that there is nothing to expand.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from indexer.service.definition import ServiceDefinition

KIND = "windows"

_PROGRAM = (
    "import os,sys;os.environ.update({{{environment}}});sys.argv[1:]=[{arguments}];"
    "from indexer.cli.shell.entry import main;main()"
)

_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>{description}</Description>
    <URI>\\{name}</URI>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger><Enabled>true</Enabled></LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>7</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>255</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def text(service: ServiceDefinition) -> str:
    """Return the task as XML."""
    return _TASK.format(
        description=escape(f"Local Telemetry indexer for {service.base}"),
        name=escape(service.name),
        command=escape(service.python),
        arguments=escape(subprocess.list2cmdline([*service.options, "-c", _program(service)])),
    )


def data(service: ServiceDefinition) -> bytes:
    """Return the bytes of the file, in the encoding that the scheduler's tools write."""
    return text(service).replace("\n", "\r\n").encode("utf-16")


def path(service: ServiceDefinition, _environ: Mapping[str, str]) -> Path:
    """Return the file that `schtasks` reads; the scheduler keeps a copy of its own."""
    return service.base / "config" / f"{service.name}.xml"


def start_commands(service: ServiceDefinition, file: Path) -> list[list[str]]:
    """Return the commands that run the task, now and after each login."""
    return [
        ["schtasks", "/Create", "/F", "/TN", service.name, "/XML", str(file)],
        ["schtasks", "/Run", "/TN", service.name],
    ]


def stop_commands(service: ServiceDefinition, _file: Path) -> list[list[str]]:
    """Return the commands that stop it, before its file is removed."""
    return [
        ["schtasks", "/End", "/TN", service.name],
        ["schtasks", "/Delete", "/F", "/TN", service.name],
    ]


def status_command(service: ServiceDefinition) -> list[str]:
    """Return the command that shows its state; exits 0 while the scheduler knows it."""
    return ["schtasks", "/Query", "/V", "/FO", "LIST", "/TN", service.name]


def advice(_service: ServiceDefinition) -> list[str]:
    """Return what else the user should know."""
    return ["the scheduler reads no file of secrets: set them for your account with `setx`"]


def _program(service: ServiceDefinition) -> str:
    environment = ",".join(
        f"{_literal(name)}:{_literal(value)}" for name, value in service.environment.items()
    )
    arguments = ",".join(map(_literal, service.arguments))
    return _PROGRAM.format(environment=environment, arguments=arguments)


def _literal(text: str) -> str:
    """Return a Python literal without characters that a shell or the scheduler acts on."""
    spelled = text.encode("unicode_escape").decode("ascii")
    for character in "%$\"'":
        spelled = spelled.replace(character, f"\\x{ord(character):02x}")
    return f"'{spelled}'"
