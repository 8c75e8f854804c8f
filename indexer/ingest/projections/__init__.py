"""Projections of events into further tables: spans with their usage, and metrics."""
