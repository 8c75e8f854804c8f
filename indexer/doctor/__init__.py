"""The doctor: examines an installation and a base, and says of each thing how it is.

Called by `telemetry doctor`. One file a thing examined, each with a function `check` that yields
findings. It changes nothing; only the probe writes, into a base of its own.
"""
