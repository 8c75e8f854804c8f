"""Faults.c compiled and spoken to; how a process gets a system call to fail.

Called by the experiments: the parent has the library built and loaded into the children's
server, a child arms one fault over its work.
"""

from __future__ import annotations

import ctypes
import errno
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Optional

_SOURCE = Path(__file__).with_name("faults.c")

# As in faults.c, in its order.
ACTIONS = ("kill before", "kill after", "torn", "short", "error", "thrown")
KINDS = ("open", "write", "sync", "truncate", "unlink", "rename", "mkdir", "lock", "read", "stat")

ERRORS = {
    "open": (errno.EMFILE, errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO),
    "write": (errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EROFS),
    "sync": (errno.EIO, errno.ENOSPC),
    "truncate": (errno.EIO,),
    "unlink": (errno.EROFS, errno.EACCES),
    "rename": (errno.ENOSPC, errno.EROFS),
    "mkdir": (errno.ENOSPC, errno.EROFS, errno.EACCES),
    "lock": (errno.ENOLCK, errno.EIO),
    "read": (errno.EIO,),
    "stat": (errno.EIO,),
}
"""What the kernel may answer to each kind of call."""


class Fault(NamedTuple):
    """One thing that goes wrong at one call; without a number nothing does."""

    number: int = 0
    """Which of the counted calls, from 1."""
    action: str = "error"
    error: int = 0
    goes_on: bool = False
    """Whether every later call meets it as well."""
    kinds: tuple[str, ...] = KINDS
    """Which calls are counted."""

    def __str__(self) -> str:
        what = errno.errorcode.get(self.error, "") if self.action == "error" else ""
        when = f"from call {self.number} on" if self.goes_on else f"at call {self.number}"
        return f"{self.action} {what} {when}".replace("  ", " ")


NONE = Fault()


class Met(NamedTuple):
    """What the shim saw: how many calls met the fault, and the kind of each call, in order."""

    times: int
    calls: tuple[str, ...]


def why_not() -> str:
    """Return why there can be no shim here, or nothing."""
    return "" if shutil.which("cc") else "no C compiler (cc) to build the fault shim with"


def build(directory: Path) -> Path:
    """Compile the shim into `directory`."""
    library = directory / "faults.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


@contextmanager
def armed(directory: Path, fault: Fault) -> Iterator[None]:
    """Have `fault` strike below `directory` for the length of a block."""
    shim = ctypes.CDLL(None)
    shim.faults_arm(
        str(directory).encode(),
        sum(1 << KINDS.index(kind) for kind in fault.kinds),
        ctypes.c_long(fault.number),
        ACTIONS.index(fault.action),
        fault.error,
        fault.goes_on,
    )
    try:
        yield
    finally:
        shim.faults_disarm()


def met() -> Met:
    """Return what the shim has seen since it was last armed."""
    shim = ctypes.CDLL(None)
    shim.faults_kinds.restype = ctypes.POINTER(ctypes.c_ubyte)
    kinds = shim.faults_kinds()
    calls = tuple(KINDS[kinds[number]] for number in range(shim.faults_count()))
    return Met(shim.faults_met(), calls)


def an_error(call: str, number: int, chance: random.Random) -> Fault:
    """Return some error that call `number`, which is of the kind `call`, may meet."""
    return Fault(number, "error", chance.choice(ERRORS[call]), chance.random() < 0.5)


def a_kill(call: str, number: int, chance: random.Random, action: Optional[str] = None) -> Fault:
    """Return some way to die at call `number`; a write may be torn by it."""
    ways = ACTIONS[: 3 if call == "write" else 2]
    return Fault(number, action or chance.choice(ways))
