"""The command line `telemetry`.

`main` is the entry point, `commands/` has one file per command. It decides nothing about
telemetry: it reads options, calls the other rooms, and prints.
"""
