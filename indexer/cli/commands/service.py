"""`telemetry service`: run the daemon under the system's service manager."""

from __future__ import annotations

import os
import re
import shlex
from typing import Any, Callable, Optional

import click

from indexer.cli.context import Settings, base_option, json_option
from indexer.cli.exit_codes import DEGRADED, OK
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
  telemetry service install --print          print the file, change nothing
  telemetry service install                  run the daemon, now and after each login
  telemetry --base /data/t service install --name telemetry-data
  telemetry service status
  telemetry service uninstall
"""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all three subcommands have."""
    for option in (
        click.option(
            "--kind",
            type=click.Choice(list(MANAGERS)),
            help="Service manager; default: this system's.",
        ),
        click.option(
            "--name",
            default="local-telemetry",
            show_default=True,
            callback=_checked,
            help="Name of the service; one per base directory.",
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
    """Run the daemon under systemd, launchd or the Windows Task Scheduler.

    The service belongs to the user who installs it. The base directory and every setting that is
    in force are written into it; secrets never are.
    """


@command.command("install", epilog=EXAMPLES)
@click.option("--print", "only_print", is_flag=True, help="Print the file and change nothing.")
@click.option("--no-start", is_flag=True, help="Write the file and print the commands to run.")
@_options
def _install(
    settings: Settings, *, kind: Optional[str], name: str, only_print: bool, no_start: bool
) -> int:
    """Write the service's file and start it, if the manager can be reached."""
    manager, service = _named(settings, kind, name)
    if only_print:
        click.echo(manager.text(service), nl=False)
        return OK
    left = install(manager, service, start=not no_start)
    click.echo(f"wrote {plain(manager.path(service, os.environ))}")
    _say_commands(left, "started")
    for advice in manager.advice(service):
        click.echo(advice, err=True)
    for secret in SECRETS:
        if os.environ.get(secret):
            warn(f"{secret} is a secret and was not written to the service's file")
            if manager.KIND == "systemd":
                warn(f"add a line {secret}=... to {service.secrets_file}, with mode 0600")
    return OK


@command.command("uninstall", epilog=EXAMPLES)
@_options
def _uninstall(settings: Settings, *, kind: Optional[str], name: str) -> int:
    """Stop the service and remove its file; log and database stay."""
    manager, service = _named(settings, kind, name)
    file = manager.path(service, os.environ)
    if not file.exists():
        click.echo(f"not installed: there is no {plain(file)}", err=True)
        return OK
    left = uninstall(manager, service)
    click.echo(f"removed {plain(file)}")
    _say_commands(left, "stopped")
    return OK


@command.command("status", epilog=EXAMPLES)
@json_option
@_options
def _status(settings: Settings, *, kind: Optional[str], name: str, as_json: bool) -> int:
    """Show whether the service is installed and running; exit 3 if it is not running."""
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
    return DEGRADED if found["installed"] and not found["running"] else OK


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
