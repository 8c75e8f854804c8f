"""An agent as a process of its own, for faults that must not reach the test's process."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.support.process import run

_BEGINNING = """
import logging, os, sys, time
from pathlib import Path
from telemetry_core import TelemetryClient, TelemetryConfig
from tests.support.oracle import assert_kept
from tests.support.log import Log
logging.disable()
base = Path(sys.argv[1])
config = TelemetryConfig.for_base(base, {"TELEMETRY_GIT": "0"})
client = TelemetryClient(config)
"""


def run_agent(base: Path, code: str, *arguments: str, through: tuple[str, ...] = ()) -> list[str]:
    """Run `code`, which has `client` on `base`, to a good and silent end; return what it printed.

    By custom it prints the ids that it was given, for `assert_kept`.
    """
    whole = _BEGINNING + textwrap.dedent(code)
    return run(whole, str(base), *arguments, through=through, timeout=60).split()
