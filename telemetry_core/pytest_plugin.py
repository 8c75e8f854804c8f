"""The pytest plugin: the fixture `telemetry_recording`, there once the package is installed.

Loaded by pytest through its entry point. It does nothing until a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from telemetry_core.testing import Recording


@pytest.fixture
def telemetry_recording(tmp_path: Path) -> Iterator[Recording]:
    """A client on a log of its own, and what reached that log."""
    # Imported here: pytest loads this module in every session of everybody who installed us,
    # and coverage must be able to start before the package does.
    from telemetry_core.testing import recording

    with recording(tmp_path / "telemetry") as made:
        yield made
