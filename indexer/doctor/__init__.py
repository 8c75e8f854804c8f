"""Examine an installation and a base directory, and report a finding on each aspect.

Used by `telemetry doctor`. One file per check, each with a function `check` that yields findings.
Nothing is changed; only the probe writes, into a base directory of its own.
"""
