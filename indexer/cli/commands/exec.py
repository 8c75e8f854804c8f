"""`telemetry exec`: a command that runs as it would, and is a run.

Called by the command line for what the entry point could not read, and for help. The work is in
indexer/cli/shell/wrapped.py.
"""

from __future__ import annotations

import click

from indexer.cli.context import Settings, base_option, environment_for
from indexer.cli.shell.arguments import Arguments
from indexer.cli.shell.wrapped import TAIL_BYTES, run_wrapped

EXAMPLES = """\b
Examples:
  telemetry exec -- make test
  telemetry exec --agent backup --job nightly --timeout 2h -- ./backup.sh
  telemetry exec --field product=web --field items_discovered=12 -- ./crawl.sh
"""


@click.command("exec", epilog=EXAMPLES, context_settings={"allow_interspersed_args": False})
@click.option("--agent", metavar="NAME", help="agent_name of the run; default the command's name.")
@click.option("--job", metavar="NAME", help="job_type of the run; default exec.")
@click.option(
    "--timeout", metavar="DURATION", help="End it and its process group after this time: 90s, 2h."
)
@click.option(
    "--tail",
    metavar="BYTES",
    default=str(TAIL_BYTES),
    show_default=True,
    help="How much is kept of the end of its output; 0 for nothing.",
)
@click.option("--field", metavar="NAME=VALUE", multiple=True, help="A field of the run.")
@base_option
@click.argument(
    "words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD [ARGS]..."
)
@click.pass_obj
def command(
    settings: Settings,
    *,
    agent: str,
    job: str,
    timeout: str,
    tail: str,
    field: tuple[str, ...],
    words: tuple[str, ...],
) -> int:
    """Run CMD as it is, and record it as a run.

    Its streams, its signals and its exit code are its own. Recorded are how it ended, the
    processor time and memory it took, and the end of its output; nothing is kept of a stream that
    is a terminal. Runs that CMD records become children of this one.
    """
    environment_for(settings)
    options = {"agent": agent, "job": job, "timeout": timeout, "tail": tail}
    given = {name: [value] for name, value in options.items() if value}
    return run_wrapped(Arguments({**given, "field": list(field)}, list(words)))
