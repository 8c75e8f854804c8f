"""Create the database and write `config/schema.sql`, as `telemetry init` does."""

from door import enter

enter("init")
