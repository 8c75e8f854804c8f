"""Export rows of the database as files for other programs.

Used by `telemetry export`. `rows` selects the rows, `formats` knows the formats, and each `as_*`
writes one of them. It only reads, and never holds all rows.
"""
