"""Deliver finished runs to the targets that are configured.

Used by the daemon and by `telemetry forward`. What is due is decided in `indexer.outbox`.
"""
