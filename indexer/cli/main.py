"""Find the command, run it, and turn what goes wrong into an exit code.

Called by the script `telemetry` and by `python -m indexer`. A command is imported when it is
called and not before, so that `--version` and `--help` answer at once. The exit codes are in
exit_codes.py.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, Optional

import click
from click.shell_completion import CompletionItem

from indexer.cli.context import Settings, base_option, fleet_options
from indexer.cli.exit_codes import FAILED, INTERRUPTED, OK
from indexer.cli.streams import exit_with, has_lost_its_reader


class Entry(NamedTuple):
    """One command, before it is imported."""

    module: str
    summary: str


COMMANDS = {
    "demo": Entry("demo", "Run real agents on real files and watch what they record."),
    "init": Entry("init", "Create the base directory and everything in it."),
    "index": Entry("index", "Index new events; --watch keeps running as the daemon."),
    "rebuild": Entry("rebuild", "Rebuild the database from the log."),
    "status": Entry("status", "Show the health of the log, the indexer and the database."),
    "runs": Entry("runs", "List runs, newest first."),
    "show": Entry("show", "Show one run with its nested runs and events."),
    "tree": Entry("tree", "Show what a run did as a tree of spans and nested runs."),
    "compare": Entry("compare", "Compare two runs side by side."),
    "tail": Entry("tail", "Show the latest events; -f follows new ones."),
    "stats": Entry("stats", "Summarize runs by agent and status."),
    "usage": Entry("usage", "Sum up tokens and costs by model, agent, day or run."),
    "ui": Entry("ui", "Serve the live page to your browser."),
    "up": Entry("up", "Run the indexer, the receiver and the live page together."),
    "search": Entry("search", "Find events that contain a text."),
    "sql": Entry("sql", "Query the database with SQL, read-only."),
    "exec": Entry("exec", "Run a command and record it as a run."),
    "start": Entry("start", "Start a run from a shell script and print its id."),
    "log": Entry("log", "Record an event of a run."),
    "set": Entry("set", "Set fields of a run."),
    "end": Entry("end", "End a run, also one that was left behind."),
    "import": Entry("import_", "Import the sessions of coding agents."),
    "sessions": Entry("sessions", "List imported sessions of coding agents."),
    "receive": Entry("receive", "Receive OpenTelemetry traces and logs over HTTP."),
    "archive": Entry("archive", "Compress segments of past days."),
    "prune": Entry("prune", "Delete old days from the log and the database."),
    "backup": Entry("backup", "Back up the database, with or without the log."),
    "restore": Entry("restore", "Restore a backup."),
    "export": Entry("export", "Export runs, events, spans or metrics as CSV, JSON or Parquet."),
    "report": Entry("report", "Write a report on a period as HTML and Markdown."),
    "forward": Entry("forward", "Send finished runs to an API, a sheet or a file."),
    "fleet": Entry("fleet", "Ship to a central ClickHouse that many hosts share."),
    "alerts": Entry("alerts", "Show alert rules, and silence, test or suggest them."),
    "mcp": Entry("mcp", "Answer agents that ask about their own past (MCP)."),
    "skill": Entry("skill", "Print instructions for agents."),
    "verify": Entry("verify", "Check the database against the whole log."),
    "doctor": Entry("doctor", "Check the installation and the base directory."),
    "scan": Entry("scan", "Look for secrets in the log."),
    "redact": Entry("redact", "Replace secrets in the log."),
    "quarantine": Entry("quarantine", "Show log lines that could not be parsed."),
    "service": Entry("service", "Run the daemon under systemd, launchd or Task Scheduler."),
    "completion": Entry("completion", "Print the completion script for your shell."),
    "docs": Entry("docs", "Read the documentation in the terminal."),
}
"""Every command, in the order of `telemetry --help`."""

READ_A_FLEET = frozenset(("runs", "show", "tree", "stats", "usage", "sql", "report", "ui"))
"""The commands that `--fleet` is for."""

EXAMPLES = """\b
Examples:
  telemetry demo                      see it at work, in a directory of its own
  telemetry runs --since 2h           runs of the last two hours
  telemetry show latest               the newest run in full
  telemetry tail -f                   follow events as they arrive
  telemetry sql "SELECT * FROM failed_runs LIMIT 5"
  telemetry --fleet runs              runs of all hosts that ship to a centre
  telemetry docs                      the documentation
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
        """Find the command; the error on an unknown name suggests the nearest one."""
        if args[0] == "help":
            args = [*args[1:], "--help"]
            if len(args) == 1:
                click.echo(ctx.get_help())
                ctx.exit()
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            # Imported here: only an unknown name needs it.
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(
                f"No such command {args[0]!r}." + (f" Did you mean {close[0]}?" if close else "")
            )
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name from the table above, without importing any command."""
        # Not click's own group, which would import every command for its summary.
        options = click.Command.shell_complete(self, ctx, incomplete)
        return options + [
            CompletionItem(name, help=entry.summary)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        # Imported here: nothing else needs it.
        from telemetry_core import __version__

        click.echo(f"telemetry {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log to stderr, and show tracebacks of errors.")
@base_option
@fleet_options
@click.pass_context
def cli(ctx: click.Context, verbose: bool) -> None:
    """Find out what your agents did.

    Agents append events to a log; the indexer turns the log into a database. Commands that read
    index new events first, so their answers are always up to date.
    """
    settings = ctx.ensure_object(Settings)
    command = ctx.invoked_subcommand
    if settings.reads_fleet and command in COMMANDS and command not in READ_A_FLEET:
        known = ", ".join(sorted(READ_A_FLEET))
        raise click.UsageError(f"{command} reads this host alone; --fleet is for {known}")
    settings.verbose = verbose
    if verbose:
        settings.log_to_stderr()


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return its exit code."""
    settings, stdout = Settings(), sys.stdout
    try:
        result = cli.main(
            list(arguments), prog_name="telemetry", standalone_mode=False, obj=settings
        )
        sys.stdout.flush()
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # The reader, `head` for example, has had enough.
        return OK
    except SystemExit as error:
        # Click answers a closed pipe by wrapping the streams and exiting with 1; it also exits
        # after it completed something for a shell.
        is_pipe = sys.stdout is not stdout
        return OK if is_pipe or not isinstance(error.code, int) else error.code
    except Exception as error:
        if has_lost_its_reader(error):
            return OK
        settings.report(error)
        return FAILED
    return result if isinstance(result, int) else OK


def main() -> None:
    """Run the command line on this process's arguments, and exit."""
    exit_with(run)
