"""Translate OpenTelemetry's spans and log records, in every vocabulary they are written in."""
