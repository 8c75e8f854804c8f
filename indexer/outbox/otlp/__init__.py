"""A finished run with its spans as an OpenTelemetry trace, in the JSON encoding of OTLP."""
