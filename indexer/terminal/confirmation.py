"""Ask the person at the terminal before something is deleted or replaced.

Used by the commands that do so. If nobody can be asked, the answer is no.
"""

from __future__ import annotations

import sys

import click


def confirm(question: str, given: bool) -> None:
    """Return if `--yes` was given, or a person answers yes.

    Raises click.UsageError if nobody can be asked, and click.Abort if the answer is no.
    """
    if given:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask at: use --yes to confirm.")
    click.confirm(question, abort=True, err=True)
