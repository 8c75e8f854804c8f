"""`telemetry skill`: print instructions for agents."""

from __future__ import annotations

from importlib.resources import files

import click

from indexer.cli.exit_codes import OK

EXAMPLES = """\b
Examples:
  telemetry skill > .claude/skills/telemetry.md
"""


@click.command("skill", epilog=EXAMPLES)
def command() -> int:
    """Print instructions for agents: how to record runs, and how to look them up."""
    click.echo((files("indexer.mcp") / "skill.md").read_text(encoding="utf-8"), nl=False)
    return OK
