"""From a script of this directory to the command of `telemetry` that does its work.

Called by the scripts next to it, in a checkout where nothing need be installed but the
dependencies.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def enter(command: str) -> None:
    """Run a command on this process's arguments, and exit."""
    try:
        from indexer.cli.main import main
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error}. Run `pip install .` in {sys.path[0]}, or use its environment")
    sys.argv[1:1] = [command]
    main()
