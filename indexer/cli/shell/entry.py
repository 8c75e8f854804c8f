"""Run commands for shell scripts without loading the rest of the command line.

Called by the script `telemetry` and by `python -m indexer`. What is not written the plain way
(an unknown option, `--help`) is left to the command line proper, which explains what is wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Callable, Optional

from indexer.cli.shell.arguments import Arguments, Unclear, parse

_BASE = "--base"


def main() -> None:
    """Run the command line on this process's arguments, and exit."""
    code = run_light(sys.argv[1:])
    if code is not None:
        sys.exit(code)
    # Imported here: it takes longer than all that a wrapped command needs.
    from indexer.cli.main import main as run_all

    run_all()


def run_light(words: Sequence[str]) -> Optional[int]:
    """Run a command for shell scripts; return its exit code, None if it is none of these."""
    base, rest = _base_and_rest(list(words))
    command = _command(rest[0]) if rest else None
    if command is None:
        return None
    try:
        arguments = parse(rest[0], rest[1:])
    except Unclear:
        return None
    base = arguments.option("base") or base
    if base:
        use_base(base)
    return command(arguments)


def use_base(directory: str) -> None:
    """Have this process and its children record in a base directory."""
    for name in ("TELEMETRY_DB_PATH", "TELEMETRY_NDJSON_DIR"):
        os.environ.pop(name, None)
    os.environ["TELEMETRY_BASE_DIR"] = os.path.abspath(os.path.expanduser(directory))


def _command(name: str) -> Optional[Callable[[Arguments], int]]:
    if name == "exec":
        from indexer.cli.shell.wrapped import run_wrapped

        return run_wrapped
    if name in ("start", "log", "set", "end"):
        from indexer.cli.shell import runs

        return runs.COMMANDS[name]
    return None


def _base_and_rest(words: list[str]) -> tuple[str, list[str]]:
    """Take `--base DIR`, which may stand before the command's name, off the words."""
    if words[:1] == [_BASE] and len(words) > 1:
        return words[1], words[2:]
    if words and words[0].startswith(_BASE + "="):
        return words[0][len(_BASE) + 1 :], words[1:]
    return "", words
