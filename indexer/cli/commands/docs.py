"""`telemetry docs`: read the documentation in the terminal."""

from __future__ import annotations

from typing import Optional

import click
from click.shell_completion import CompletionItem

from indexer.cli.documentation import Topic, topics
from indexer.cli.exit_codes import OK
from indexer.cli.run_options import nearest
from indexer.terminal.console import at_terminal, console
from indexer.terminal.table import Column, print_table

EXAMPLES = """\b
Examples:
  telemetry docs                  the topics
  telemetry docs quick-start
  telemetry docs runbook | less
"""

_WIDEST = 100


def _complete(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [
        CompletionItem(topic.name, help=topic.title)
        for topic in topics().values()
        if topic.name.startswith(incomplete)
    ]


@click.command("docs", epilog=EXAMPLES)
@click.argument("topic", required=False, shell_complete=_complete)
def command(topic: Optional[str]) -> int:
    """Read a page of the documentation, or list the topics.

    At a terminal the page is rendered; a pipe gets its Markdown.
    """
    known = topics()
    if topic is None:
        rows = [[one.name, one.title] for one in known.values()]
        print_table([Column("TOPIC"), Column("TITLE", cut=True)], rows)
        return OK
    found = known.get(topic.lower().replace("_", "-"))
    if found is None:
        close = nearest(topic, list(known))
        hint = f" Did you mean {close}?" if close else " `telemetry docs` lists the topics."
        raise click.UsageError(f"No topic {topic!r}.{hint}")
    _print(found)
    return OK


def _print(topic: Topic) -> None:
    text = topic.read()
    if not at_terminal():
        click.echo(text, nl=False)
        return
    # Imported here: only a person who reads a page needs it.
    from rich.markdown import Markdown

    console().print(Markdown(text), width=min(console().width, _WIDEST))
