"""`telemetry demo`: see it work, on real files, in a directory of its own.

Called by the command line. The work is in indexer/demo/.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Optional

import click

from indexer.cli.context import Settings, base_option
from indexer.demo.display import new_screen
from indexer.demo.scenario import perform
from indexer.demo.source_files import standard_library
from indexer.demo.summary import print_next_steps, print_summary, short_path
from indexer.terminal.console import at_terminal

EXAMPLES = """\b
Examples:
  telemetry demo                   on Python's own library, into ~/.telemetry-demo
  telemetry demo ~/src/project     on your own files
  telemetry demo --base /tmp/demo
"""


@click.command("demo", epilog=EXAMPLES)
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@base_option
@click.pass_obj
def command(settings: Settings, path: Optional[Path]) -> int:
    """Run real agents on real files, and index what they record as they go.

    Agents, each its own process, parse the Python files under PATH (default: the standard
    library) and record each file; one of them is killed in the middle of its work. The indexer
    runs beside them. Takes some seconds and leaves no process behind.
    """
    settings.directory = settings.directory or default_base()
    base = settings.base()
    path = standard_library() if path is None else Path(os.path.abspath(path))
    click.echo(f"Agents parse {short_path(path)}\nTwo of them will be killed.\n", err=True)
    outcome = perform(base, path, new_screen())
    if at_terminal():
        click.echo()
    print_summary(outcome, base.directory)
    print_next_steps(outcome, base.directory)
    return 0 if outcome.report.is_ok and not outcome.trouble else 1


def default_base() -> Path:
    """Return the demo's own base: never the one that real agents record into."""
    try:
        return Path.home() / ".telemetry-demo"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / "telemetry-demo"
