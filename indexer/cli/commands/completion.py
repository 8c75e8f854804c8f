"""`telemetry completion`: what a shell needs to complete telemetry's commands and options.

Called by the command line. The scripts are click's own; each asks `telemetry` itself what could
come next, so they never go stale.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

EXAMPLES = """\b
Examples:
  bash   telemetry completion bash >> ~/.bashrc
  zsh    telemetry completion zsh >> ~/.zshrc
  fish   telemetry completion fish > ~/.config/fish/completions/telemetry.fish

\b
In this bash only: eval "$(telemetry completion bash)"
"""


@click.command("completion", epilog=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the script that has SHELL complete telemetry's commands and options.

    Needs bash 4.4 or newer; zsh needs `compinit` before it. Open a new shell afterwards.
    """
    kind = get_completion_class(shell)
    root = ctx.find_root()
    if kind is None or root.info_name is None:
        raise click.ClickException(f"this version of click can't complete for {shell}")
    variable = f"_{root.info_name.upper()}_COMPLETE"
    completion = kind(root.command, {}, root.info_name, variable)
    # Not `source()`: for bash it starts one, only to look at its version.
    click.echo(completion.source_template % completion.source_vars(), nl=False)
    return 0
