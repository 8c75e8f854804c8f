"""Run real agents on real files, indexed while you watch.

Used by `telemetry demo`. `agent.py` is the example to copy from; the other files start the agents,
watch them, and show the results.
"""
