"""Translate the events of agents, OpenTelemetry and coding agents into what they mean.

Pure functions, one file per vocabulary: no I/O, no clock, no knowledge of the store. A better
translator and a rebuild correct history.
"""
