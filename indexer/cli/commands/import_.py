"""`telemetry import`: sessions of coding agents, copied into the log.

Called by the command line. The work is in indexer/importers.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Optional

import click

from indexer.cli.context import Settings, base_option, json_option
from indexer.cli.exit_codes import DEGRADED, OK
from indexer.importers.importer import FULL, NONE, Imported, Importer, Wanted
from indexer.importers.rounds import Rounds
from indexer.importers.settings import ALL
from indexer.semantics.sessions.tools import all_tools
from indexer.terminal.format import many, plain, size, warn
from indexer.terminal.json_output import print_json
from indexer.terminal.time_options import moment
from telemetry_core.timestamp import parse_time

EXAMPLES = """\b
Examples:
  telemetry import all
  telemetry import claude-code --since 7d
  telemetry import codex ~/backup/codex/sessions
  telemetry import all --watch
  telemetry import gemini --content none --json
"""


@click.command("import", epilog=EXAMPLES)
@click.argument("tool", type=click.Choice([*all_tools(), ALL]), metavar="TOOL")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--watch", is_flag=True, help="Go on, and follow sessions as they grow.")
@click.option(
    "--content",
    type=click.Choice([FULL, NONE]),
    default=FULL,
    show_default=True,
    help="With none, texts are replaced by their sizes.",
)
@click.option(
    "--since", metavar="WHEN", callback=moment, help="Only files that were written to since then."
)
@json_option
@base_option
@click.pass_obj
def command(
    settings: Settings,
    *,
    tool: str,
    paths: tuple[Path, ...],
    watch: bool,
    content: str,
    since: Optional[str],
    as_json: bool,
) -> int:
    """Copy the sessions of a coding agent into the log, line by line.

    TOOL is claude-code, codex, gemini, or all. Without PATH, the directories are read where the
    tool keeps its sessions. Only what is new is read, secrets are redacted, and a line that was
    imported before adds nothing, from whichever copy it comes. Exits 3 if a file can't be read.
    """
    for path in paths:
        if not path.exists():
            raise click.BadParameter(f"{path} does not exist", param_hint="PATH")
    tools = all_tools()
    wanted = Wanted(
        list(tools.values()) if tool == ALL else [tools[tool]],
        paths,
        content,
        _seconds(since),
    )
    importer = Importer(settings.base(), wanted)
    if watch:
        settings.log_to_stderr()
        _watch(importer)
        return OK
    done = importer.run()
    _print(done, as_json=as_json, is_of_paths=bool(paths))
    return DEGRADED if done.problems else OK


def _seconds(since: Optional[str]) -> Optional[float]:
    return None if since is None else parse_time(since).timestamp()


def _watch(importer: Importer) -> None:
    """Import until interrupted; what is imported is logged."""
    rounds = Rounds(importer, lambda: False)
    while True:
        done = rounds.step()
        if done.events:
            click.echo(_words(done))
        for problem in done.problems:
            warn(plain(problem))
        time.sleep(rounds.wait)


def _print(done: Imported, *, as_json: bool, is_of_paths: bool) -> None:
    if as_json:
        print_json(asdict(done))
        return
    click.echo(_words(done))
    if not done.found and is_of_paths:
        warn("directories are searched by the tools' own file names; name a file to import it")
    if done.odd_lines:
        warn(f"{many(done.odd_lines, 'line')} are not JSON objects; they are kept as text")
    for problem in done.problems:
        warn(plain(problem))


def _words(done: Imported) -> str:
    if not done.found:
        return "no session files found"
    if not done.events:
        return f"nothing new in {many(done.found, 'session file')}"
    return (
        f"{many(done.events, 'line')} of {many(done.files, 'session file')},"
        f" {size(done.bytes)} in the log"
    )
