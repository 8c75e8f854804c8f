"""The commands of `telemetry`, each in a file that is imported only when it is called."""
