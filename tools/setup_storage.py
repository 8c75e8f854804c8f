"""Create the directories of a base, as `telemetry init` does."""

from door import enter

enter("init")
