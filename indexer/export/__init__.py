"""The export: rows of the view as files for other programs.

Called by `telemetry export`. `rows` says which rows, `formats` knows each way to write them,
and each `as_*` is one of these ways. It only reads the view, and never holds all of it.
"""
