"""Print for people at a terminal: tables, values in words, progress, questions."""
