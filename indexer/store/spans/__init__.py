"""Spans in the database: their table, whose usage counts, what it cost, what was open."""
