"""Examine an installation, as `telemetry doctor` does."""

from door import enter

enter("doctor")
