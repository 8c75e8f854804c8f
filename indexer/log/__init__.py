"""Segments of the log: their names, their bytes, their lines, and how far each was read."""
