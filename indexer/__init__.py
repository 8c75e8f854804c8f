"""Read the log and own the database.

Tail, fold, store, rebuild, the daemon and the command line. It imports telemetry_core and is
never imported by it.
"""
