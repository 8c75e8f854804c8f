"""Shows how log, indexer and view are: `telemetry status`."""

from door import enter

enter("status")
