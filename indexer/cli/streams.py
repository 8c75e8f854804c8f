"""Standard output and standard error, made ready for a command and flushed after it.

Wherever output fails, a command ends with a documented exit code and no message of Python's.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import IO, Any, Callable, TextIO

from indexer.cli.exit_codes import FAILED


def exit_with(run: Callable[[Sequence[str]], int]) -> None:
    """Call `run` with this process's arguments, and exit with the code that it returns."""
    # A stream that the caller closed, as with `>&-`: what goes there is dropped.
    stdout = sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  # open until exit
    sys.stderr = _best_effort_stderr()
    # A character that the terminal can't show must not cost the rest of the answer.
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="backslashreplace")
        if _is_read_by_programs(stdout):
            stdout.reconfigure(encoding="utf-8", newline="\n")
    sys.exit(flushed(stdout, run(sys.argv[1:])))


def _is_read_by_programs(stream: TextIO) -> bool:
    """Whether a stream must not depend on the code page, which is Windows' default for pipes."""
    is_chosen = "PYTHONIOENCODING" in os.environ
    return sys.platform == "win32" and not is_chosen and not stream.isatty()


class _BestEffortFile(io.FileIO):
    """A file that drops what can't be written: where stderr fails, nobody is left to tell."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def _best_effort_stderr() -> TextIO:
    if sys.stderr is None:
        return open(os.devnull, "w")
    file = io.BufferedWriter(_BestEffortFile(sys.stderr.fileno(), "wb", closefd=False))
    encoding = "utf-8" if _is_read_by_programs(sys.stderr) else sys.stderr.encoding
    return io.TextIOWrapper(file, encoding, "backslashreplace", line_buffering=True)


def flushed(stream: IO[str], code: int) -> int:
    """Write what is left in a stream; return the exit code, which a failure to write changes.

    Python flushes again at exit, and would print an error and exit with 120 then.
    """
    try:
        stream.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        code = code if has_lost_its_reader(error) else code or FAILED
    else:
        return code
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
    return code


def has_lost_its_reader(error: Exception) -> bool:
    """Return whether what reads our output is gone, which Windows calls an invalid argument."""
    return (
        sys.platform == "win32"
        and isinstance(error, OSError)
        and error.errno == errno.EINVAL
        and error.filename is None
    )
