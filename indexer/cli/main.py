"""The entry point: finds the command, runs it, and turns what goes wrong into an exit code.

Called by the script `telemetry` and by `python -m indexer`. It imports no command before it is
asked for, so that `--version` and `--help` answer at once. Exit codes: 0 fine, 1 failed,
2 usage, 3 degraded, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple, Optional

import click
from click.shell_completion import CompletionItem

from indexer.cli.context import Settings, base_option

INTERRUPTED = 130


class Entry(NamedTuple):
    """One command, before it is imported."""

    module: str
    summary: str


COMMANDS = {
    "demo": Entry("demo", "Real agents on real files, indexed before your eyes."),
    "init": Entry("init", "Make the base directory with all that belongs in it."),
    "index": Entry("index", "Index what is new in the log; --watch keeps at it."),
    "rebuild": Entry("rebuild", "Make the database anew from the log."),
    "status": Entry("status", "How the log, the indexer and the database are."),
    "runs": Entry("runs", "The latest runs."),
    "show": Entry("show", "One run: its fields, its children, its events."),
    "tail": Entry("tail", "The latest events; -f goes on as they arrive."),
    "stats": Entry("stats", "Runs by agent and by status."),
    "ui": Entry("ui", "The live page: runs, spans, agents, usage, in your browser."),
    "sql": Entry("sql", "Ask the database in SQL, read-only."),
    "exec": Entry("exec", "Run a command as it is, and record it as a run."),
    "start": Entry("start", "Start a run from a shell script; prints its id."),
    "log": Entry("log", "Record an event of a run."),
    "set": Entry("set", "Set fields of a run."),
    "end": Entry("end", "End a run, also one that was left behind."),
    "archive": Entry("archive", "Compress the log files of past days."),
    "prune": Entry("prune", "Delete old days, from log and database; asks first."),
    "backup": Entry("backup", "Copy the database, and the log with it if asked."),
    "restore": Entry("restore", "Put a backup back; asks first."),
    "export": Entry("export", "Runs or events as a file: CSV, JSON, NDJSON or Parquet."),
    "report": Entry("report", "A page on a period: what ran, how it went, what failed."),
    "forward": Entry("forward", "Finished runs sent to an API, a sheet or a file."),
    "verify": Entry("verify", "Read the whole log again and hold it against the database."),
    "doctor": Entry("doctor", "Examine the installation and the base, with what to do."),
    "quarantine": Entry("quarantine", "The lines of the log that are no events."),
    "service": Entry("service", "The daemon in the care of systemd, launchd or the like."),
    "completion": Entry("completion", "Have your shell complete commands and options."),
}
"""Every command, in the order of `telemetry --help`."""

EXAMPLES = """\b
Examples:
  telemetry demo                      see it work, in a directory of its own
  telemetry index --watch             the daemon: start it once
  telemetry runs --since 2h           what ran in the last two hours
  telemetry show latest               the newest run in full
  telemetry sql "SELECT * FROM failed_runs LIMIT 5"
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's
        cmd_name: str,
    ) -> Optional[click.Command]:
        """Import one command."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = import_module(f"indexer.cli.commands.{entry.module}").command
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[Optional[str], Optional[click.Command], list[str]]:
        """Find the command; a name that is nearly right is named in the error."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            # Imported here: only a wrong name needs it.
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(
                f"No such command {args[0]!r}." + (f" Did you mean {close[0]}?" if close else "")
            )
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name from the table above: no command need be imported."""
        # Past click's own group, which would import every command for its summary.
        options = click.Command.shell_complete(self, ctx, incomplete)
        return options + [
            CompletionItem(name, help=entry.summary)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that has read enough is no error."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python would flush once more at exit, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return result


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        # Imported here: nobody else needs it.
        from telemetry_core import __version__

        click.echo(f"telemetry {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log to stderr; show tracebacks of errors.")
@base_option
@click.pass_obj
def cli(settings: Settings, verbose: bool) -> None:
    """Ask what your agents did, and keep the database that answers up to date.

    Agents append events to a log; `telemetry index` makes a database of it. Every command that
    reads brings the database up to date first.
    """
    settings.verbose = verbose
    if verbose:
        settings.log_to_stderr()


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return its exit code."""
    settings = Settings()
    try:
        result = cli.main(
            list(arguments), prog_name="telemetry", standalone_mode=False, obj=settings
        )
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:
        settings.report(error)
        return 1
    return result if isinstance(result, int) else 0


def main() -> None:
    """Run the command line on this process's arguments, and exit."""
    # Closed by whoever started us, as `>&-` does: what would go there goes nowhere.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  # for good
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character must not cost the rest of the answer.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))
