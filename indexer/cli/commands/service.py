"""`telemetry service`: the daemon in the care of the system's service manager.

Called by the command line. What each manager wants to read is in indexer/service/.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import Any, Callable, Optional

import click

from indexer.cli.context import Settings, base_option, json_option
from indexer.service.definition import SECRETS, ServiceDefinition, define
from indexer.service.install import (
    MANAGERS,
    Manager,
    install,
    is_reachable,
    is_running,
    native_kind,
    uninstall,
)
from indexer.terminal.console import print_fields
from indexer.terminal.format import plain, warn
from indexer.terminal.json_output import print_json

EXAMPLES = """\b
Examples:
  telemetry service install --print          the file, and nothing is touched
  telemetry service install                  the daemon, now and after each login
  telemetry --base /data/t service install --name telemetry-data
  telemetry service status
  telemetry service uninstall
"""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_DEGRADED = 3


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what each of the three takes."""
    for option in (
        click.option("--kind", type=click.Choice(list(MANAGERS)), help="Default: this system's."),
        click.option(
            "--name",
            default="local-telemetry",
            show_default=True,
            callback=_checked,
            help="By which the manager knows it; one a base.",
        ),
        base_option,
    ):
        command = option(command)
    return click.pass_obj(command)


def _checked(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise click.BadParameter("letters, digits, `_`, `.` and `-` only")
    return value


@click.group("service", epilog=EXAMPLES)
@base_option
def command() -> None:
    """Have the system's service manager run the daemon: systemd, launchd or the Task Scheduler.

    The service belongs to the user who installs it. The base and the settings of the indexer
    are written into it as they are now; a token never is.
    """


@command.command("install", epilog=EXAMPLES)
@click.option("--print", "only_print", is_flag=True, help="Print the file, and touch nothing.")
@click.option("--no-start", is_flag=True, help="Write the file, and say what to run.")
@_options
def _install(
    settings: Settings, *, kind: Optional[str], name: str, only_print: bool, no_start: bool
) -> int:
    """Write the service's file, and start it where the manager can be reached."""
    manager, service = _named(settings, kind, name)
    if only_print:
        click.echo(manager.text(service), nl=False)
        return 0
    left = install(manager, service, start=not no_start)
    click.echo(f"wrote {plain(manager.path(service, os.environ))}")
    _say_commands(left, "started")
    for advice in manager.advice(service):
        click.echo(advice, err=True)
    for secret in SECRETS:
        if os.environ.get(secret):
            warn(f"{secret} is a secret and was not written into the service's file")
            if manager.KIND == "systemd":
                warn(f"put a line {secret}=... into {service.secrets_file}, with mode 0600")
    return 0


@command.command("uninstall", epilog=EXAMPLES)
@_options
def _uninstall(settings: Settings, *, kind: Optional[str], name: str) -> int:
    """End the service and remove its file; log and view stay."""
    manager, service = _named(settings, kind, name)
    file = manager.path(service, os.environ)
    if not file.exists():
        click.echo(f"not installed: there is no {plain(file)}", err=True)
        return 0
    left = uninstall(manager, service)
    click.echo(f"removed {plain(file)}")
    _say_commands(left, "stopped")
    return 0


@command.command("status", epilog=EXAMPLES)
@json_option
@_options
def _status(settings: Settings, *, kind: Optional[str], name: str, as_json: bool) -> int:
    """Show whether the service is installed and runs; exit 3 if it is installed and does not."""
    manager, service = _named(settings, kind, name)
    file = manager.path(service, os.environ)
    found = {
        "kind": manager.KIND,
        "name": name,
        "file": str(file),
        "installed": file.exists(),
        "reachable": is_reachable(manager),
        "running": is_running(manager, service),
    }
    if as_json:
        print_json(found)
    else:
        print_fields((key, plain(_in_words(value))) for key, value in found.items())
    return _DEGRADED if found["installed"] and not found["running"] else 0


def _named(settings: Settings, kind: Optional[str], name: str) -> tuple[Manager, ServiceDefinition]:
    return MANAGERS[kind or native_kind()], define(name, settings.base(), os.environ)


def _say_commands(left: list[list[str]], done: str) -> None:
    if not left:
        click.echo(done)
        return
    click.echo("now run:")
    for words in left:
        click.echo(f"  {plain(shlex.join(words))}")


def _in_words(value: object) -> object:
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
