"""Makes the view and writes `config/schema.sql`: `telemetry init`."""

from door import enter

enter("init")
