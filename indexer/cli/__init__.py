"""The command line `telemetry`: what people and scripts ask of the indexer.

`main` is the entry point, `commands/` has a file for each command. It decides nothing about
telemetry: it reads options, calls the indexer, and prints.
"""
