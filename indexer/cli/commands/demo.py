"""`telemetry demo`: run real agents on real files, in a base directory of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Optional

import click

from indexer.cli.commands.ui import is_page_installed, serve_page
from indexer.cli.context import Settings, base_option
from indexer.cli.exit_codes import FAILED, OK
from indexer.demo.display import new_display
from indexer.demo.scenario import has_other_runs, perform
from indexer.demo.source_files import standard_library
from indexer.demo.summary import print_next_steps, print_summary, short_path
from indexer.terminal.confirmation import confirm
from indexer.terminal.console import at_terminal, heading
from indexer.terminal.format import plain

EXAMPLES = """\b
Examples:
  telemetry demo                   on Python's standard library, into ~/.telemetry-demo
  telemetry demo ~/src/project     on your own files
  telemetry demo --base /tmp/demo
  telemetry demo --ui              and serve the page, at a terminal or not
"""


@click.command("demo", epilog=EXAMPLES)
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option(
    "--ui/--no-ui",
    "shows_page",
    default=None,
    help="Serve the live page afterwards, until Ctrl-C. Default: at a terminal, where the page"
    " is installed.",
)
@base_option
@click.pass_obj
def command(
    settings: Settings, *, path: Optional[Path], yes: bool, shows_page: Optional[bool]
) -> int:
    """Run real agents on real files, and index what they record while they run.

    Several agents, each in its own process, parse the Python files under PATH (default: the
    standard library) and record each file; two of them are killed during its work. This takes some
    seconds and leaves no process running. It asks before it records into a base directory that
    has other runs. It ends with the address of the live page, which shows what was recorded.
    """
    is_own = settings.directory is None
    settings.directory = settings.directory or default_base()
    base = settings.base()
    if not is_own and has_other_runs(base):
        confirm(f"{plain(base.directory)} has runs of other agents. Add the demo's to them?", yes)
    path = standard_library() if path is None else Path(os.path.abspath(path))
    click.echo(f"Agents parse {short_path(path)}\nTwo of them will be killed.\n", err=True)
    outcome = perform(base, path, new_display())
    if at_terminal():
        click.echo()
    print_summary(outcome, base.directory)
    print_next_steps(outcome, base.directory)
    if shows_page or (shows_page is None and at_terminal() and is_page_installed()):
        heading("In your browser")
        serve_page(base)
    return OK if outcome.report.is_ok and not outcome.unexpected else FAILED


def default_base() -> Path:
    """Return the base directory of the demo, which is never that of real agents."""
    try:
        return Path.home() / ".telemetry-demo"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / "telemetry-demo"
