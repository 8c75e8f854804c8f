"""Show the health of log, indexer and database, as `telemetry status` does."""

from door import enter

enter("status")
