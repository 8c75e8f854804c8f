"""Provide the pytest fixture `telemetry_recording` and the option `--telemetry`.

Loaded by pytest through its entry point. It does nothing until a test asks for the fixture or
somebody gives the option.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from telemetry_core.testing import Recording


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer `--telemetry`."""
    parser.getgroup("telemetry").addoption(
        "--telemetry",
        action="store_true",
        help="record this session as a run, with a span for each test",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Record the session if that was asked for; workers of xdist leave it to their controller."""
    if config.getoption("--telemetry") and not hasattr(config, "workerinput"):
        # Imported here, for the same reason as below.
        from telemetry_core.integrations.pytest_session import SessionRecorder

        recorder = SessionRecorder([str(one) for one in config.invocation_params.args])
        config.pluginmanager.register(recorder, "telemetry-session")


@pytest.fixture
def telemetry_recording(tmp_path: Path) -> Iterator[Recording]:
    """A client on a log of its own, and what reached that log."""
    # Imported here: pytest loads this module in every session of everybody who installed us,
    # and coverage must be able to start before the package does.
    from telemetry_core.testing import recording

    with recording(tmp_path / "telemetry") as made:
        yield made
