"""The consent: asks the person at the terminal before something is deleted or replaced.

Called by the commands that do. Where nobody can be asked it takes no answer for a no.
"""

from __future__ import annotations

import sys

import click


def demand(question: str, given: bool) -> None:
    """Return if it may be done: `--yes` was given, or a person says so.

    Raises click.UsageError where nobody can be asked, and click.Abort where the answer is no.
    """
    if given:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask at: give --yes to have it done.")
    click.confirm(question, abort=True, err=True)
