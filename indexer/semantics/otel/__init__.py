"""OpenTelemetry: what spans and log records mean, in every vocabulary they are written in."""
