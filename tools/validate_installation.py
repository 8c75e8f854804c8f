"""Examines an installation: `telemetry doctor`."""

from door import enter

enter("doctor")
