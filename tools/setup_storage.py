"""Makes the directories of a base: `telemetry init`."""

from door import enter

enter("init")
