"""The demo: real agents on real files, indexed before your eyes.

`agent.py` is the example to copy from; the rest is what starts the agents, watches and tells.
Called by `telemetry demo`.
"""
