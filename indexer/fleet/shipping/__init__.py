"""Carry the log's lines, and the rows made from them, to the centre: from the cursor to the end."""
