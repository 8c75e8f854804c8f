"""Tell whether a person is reading stdout, and print headings and fields for them.

Used by the commands. Output that is piped is never cut, coloured or boxed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Callable

import click

from indexer.terminal.format import width

STATUS_STYLES = {
    "success": "green",
    "running": "cyan",
    "stale": "magenta",
    "failed": "red",
    "timeout": "red",
    "partial": "yellow",
    "cancelled": "yellow",
    "killed": "bold red",
}
"""The rich style of each run status."""


def at_terminal() -> bool:
    """Return whether a person is looking at stdout."""
    return sys.stdout.isatty()


@lru_cache(maxsize=1)
def console() -> Any:
    """Return the rich console on stdout."""
    # Imported here: rich is large, and piped output needs none of it.
    from rich.console import Console

    return Console(highlight=False)


def heading(text: str) -> None:
    """Print a blank line and a heading."""
    click.echo()
    if at_terminal():
        console().print(text, style="bold", markup=False, highlight=False)
    else:
        click.echo(text)


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns; the lines of a longer value are indented."""
    pairs = list(fields)
    margin = max((width(name) for name, _ in pairs), default=0) + 2
    echo: Callable[[str, str], None] = _print_styled if at_terminal() else _print_plain
    for name, value in pairs:
        echo(f"{name:<{margin}}", value.replace("\n", "\n" + " " * margin))


def _print_plain(name: str, value: str) -> None:
    click.echo(f"{name}{value}".rstrip())


def _print_styled(name: str, value: str) -> None:
    from rich.text import Text

    text = Text(name, style="dim")
    text.append(value, style=f"not dim {STATUS_STYLES.get(value, '')}")
    console().print(text, soft_wrap=True)
