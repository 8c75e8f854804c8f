"""Where a command writes its file, by `--output`.

Used by the commands that create files for people. A generated name never replaces a file; a name
that the user gave does, as a shell's `>` would.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Callable, Optional, TypeVar, cast

import click

from indexer.system.output_file import dated_path, output_file
from indexer.terminal.console import at_terminal
from indexer.terminal.json_output import harmless

Function = TypeVar("Function", bound=Callable[..., Any])

STDOUT = Path("-")


def output_option(command: Function) -> Function:
    """Add `--output`."""
    return click.option(
        "-o",
        "--output",
        metavar="PATH",
        type=click.Path(path_type=Path),
        callback=_check,
        help="Write to this file or directory, or to stdout with -.",
    )(command)


@contextmanager
def destination(
    output: Optional[Path], home: Path, stem: str, suffix: str
) -> Iterator[tuple[BinaryIO, Optional[Path]]]:
    """Yield the file to write, and its path; stdout has none.

    Without `output`, or if that is a directory, the name of the file has the time in it.
    Raises NotWritten.
    """
    if output == STDOUT:
        yield _stdout(), None
        sys.stdout.flush()
        return
    # Unlike Path.is_dir it raises nothing: a missing permission is reported when writing.
    named = output is not None and not os.path.isdir(output)
    path = output if output is not None and named else dated_path(output or home, stem, suffix)
    with output_file(path, overwrite=named) as file:
        yield file, path


def _check(_ctx: click.Context, _param: click.Parameter, value: Optional[Path]) -> Optional[Path]:
    if value is not None and not os.path.isdir(value.parent):
        raise click.BadParameter(f"no such directory: {value.parent}")
    return value


class _Terminal:
    """Stdout at a terminal: what agents wrote can't act on it."""

    def write(self, data: bytes) -> int:
        sys.stdout.write(harmless(data.decode()))
        return len(data)


def _stdout() -> BinaryIO:
    return cast(BinaryIO, _Terminal()) if at_terminal() else sys.stdout.buffer
