"""Processes that an experiment starts by the hundred, kills, and hears from.

They are forked by a server that has everything imported and, where it can be built, the shim
loaded; starting an interpreter for each would take most of the time there is.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional
from unittest import mock

from tests.laboratory import shim

_PRELOADED = [
    "__main__",
    "tests.laboratory.agents",
    "tests.laboratory.indexers",
    "tests.laboratory.held_lock",
]
_SECONDS = 120

Say = Callable[[Any], None]


class Ended(NamedTuple):
    """How a child ended, and all that it said."""

    code: Optional[int]
    said: list[Any]


def run(work: Callable[..., None], *arguments: Any) -> Ended:
    """Run `work(say, *arguments)` in a child to its end, whatever that is."""
    with started(work, *arguments) as (process, ears):
        said = list(heard(ears))
        process.join(_SECONDS)
        return Ended(process.exitcode, said)


def heard(ears: Connection) -> Iterator[Any]:
    """Yield what a child says until it ends or falls silent; half a word does not count."""
    try:
        while ears.poll(_SECONDS):
            yield ears.recv()
    except (EOFError, OSError):
        return


@contextmanager
def started(work: Callable[..., None], *arguments: Any) -> Iterator[tuple[Any, Connection]]:
    """Have `work` run in a child for the length of a block; give the process, and what it says."""
    process, ears = start(work, *arguments)
    try:
        yield process, ears
    finally:
        process.kill()
        process.join()
        ears.close()


def start(work: Callable[..., None], *arguments: Any) -> tuple[Any, Connection]:
    """Start a child that nobody waits for yet."""
    context = _server()
    ears, mouth = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(work, mouth, arguments), daemon=True)
    process.start()
    mouth.close()
    return process, ears


@lru_cache(maxsize=1)
def _server() -> ForkServerContext:
    """Return the context whose server forks the children of this process, started once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    with tempfile.TemporaryDirectory() as directory:
        loaded = {} if shim.why_not() else {"LD_PRELOAD": str(shim.build(Path(directory)))}
        with mock.patch.dict(os.environ, loaded):
            forkserver.ensure_running()
        # Once there is a child, the server has begun and has the library.
        child = context.Process(target=int)
        child.start()
        child.join()
    return context


def _child(work: Callable[..., None], mouth: Connection, arguments: tuple[Any, ...]) -> None:
    # What is broken on purpose need not be complained of.
    logging.disable(logging.CRITICAL)
    work(mouth.send, *arguments)
