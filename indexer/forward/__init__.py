"""The forwarding: every finished run delivered to the targets that somebody configured.

Called by the daemon and by `telemetry forward`. No agent imports any of it.
"""
