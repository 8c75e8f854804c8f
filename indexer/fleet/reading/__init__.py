"""Rows of the centre as a database in memory, so that its questions are asked in one language."""
