"""Receivers: OpenTelemetry records that other programs send, appended to the log as they are.

Needs the extra `receive` (Starlette, uvicorn, opentelemetry-proto; Python 3.10 or newer). What a
record means is decided in `semantics/`, when the log is read.
"""
