"""`telemetry mcp`: answer agents that ask about their own past, over standard input and output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from indexer.cli.context import Settings, base_option
from indexer.cli.exit_codes import OK
from indexer.mcp.install import TOOLS, command_of, installation, write
from indexer.terminal.confirmation import confirm
from indexer.terminal.format import plain

EXAMPLES = """\b
Examples:
  telemetry mcp install claude-code          print the configuration
  telemetry mcp install codex --write        merge it into the tool's own file
  telemetry mcp                              what the tool then starts

It needs Python 3.10 or newer and the extra: pip install 'local-telemetry[mcp]'.
"""


@click.group("mcp", epilog=EXAMPLES, invoke_without_command=True)
@base_option
@click.pass_context
def command(ctx: click.Context) -> Any:
    """Serve read-only tools to an agent by the Model Context Protocol.

    They list and show runs, group failures, search events, sum up usage, and query with SQL.
    Answers are bounded, and marked as untrusted data. The protocol is on standard input and output.
    """
    if ctx.invoked_subcommand is not None:
        return None
    try:
        # Imported here: the SDK is an extra, and large.
        from indexer.mcp.server import make_server
    except ImportError as error:
        raise click.ClickException(
            f"{error}: pip install 'local-telemetry[mcp]' (Python 3.10 or newer)"
        ) from None
    settings: Settings = ctx.obj
    make_server(settings.base()).run()
    return OK


@command.command("install", epilog=EXAMPLES)
@click.argument("tool", type=click.Choice(TOOLS))
@click.option("--write", "writes", is_flag=True, help="Merge it into the tool's file; asks first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@base_option
@click.pass_obj
def _install(settings: Settings, *, tool: str, writes: bool, yes: bool) -> int:
    """Print the configuration by which a tool starts the server, or write it.

    Claude Code gets it for the project in the current directory (.mcp.json), Codex and Gemini CLI
    for the user.
    """
    wanted = installation(tool, command_of(settings.directory), Path.home(), Path.cwd())
    if wanted.is_there:
        click.echo(f"{plain(wanted.path)} has it already", err=True)
        return OK
    click.echo(wanted.added)
    if not writes:
        click.echo(f"Add this to {plain(wanted.path)}, or use --write.", err=True)
        return OK
    confirm(f"Add this to {plain(wanted.path)}?", given=yes)
    write(wanted)
    click.echo(f"written to {plain(wanted.path)}", err=True)
    return OK
