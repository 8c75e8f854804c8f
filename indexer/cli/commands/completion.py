"""`telemetry completion`: print the completion script for a shell.

The scripts are click's own. Each asks `telemetry` itself for completions, so it stays correct.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from indexer.cli.exit_codes import OK

EXAMPLES = """\b
Examples:
  bash   telemetry completion bash >> ~/.bashrc
  zsh    telemetry completion zsh >> ~/.zshrc
  fish   telemetry completion fish > ~/.config/fish/completions/telemetry.fish

\b
In the current bash only: eval "$(telemetry completion bash)"
"""


@click.command("completion", epilog=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the script with which SHELL completes commands, options, agents and run ids.

    Needs bash 4.4 or newer; zsh needs `compinit` before it. Open a new shell afterwards.
    """
    kind = get_completion_class(shell)
    root = ctx.find_root()
    if kind is None or root.info_name is None:
        raise click.ClickException(f"this version of click has no completion for {shell}")
    variable = f"_{root.info_name.upper()}_COMPLETE"
    completion = kind(root.command, {}, root.info_name, variable)
    # Not `source()`, which starts bash only to check its version.
    click.echo(completion.source_template % completion.source_vars(), nl=False)
    return OK
