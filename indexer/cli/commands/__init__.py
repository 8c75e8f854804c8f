"""The commands of `telemetry`, one file each; a file is imported only when its command runs."""
