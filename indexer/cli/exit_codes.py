"""The exit codes of `telemetry`; no command ends with any other.

Scripts rely on them: docs/cli.md lists them for users.
"""

from __future__ import annotations

OK = 0
FAILED = 1
"""The command could not do what it was asked to; stderr says why."""
USAGE = 2
"""An option, an argument or a value was wrong; click ends with this code by itself."""
DEGRADED = 3
"""The command did its work, and something needs attention."""
INTERRUPTED = 130
"""Ctrl-C, as shells report it."""
