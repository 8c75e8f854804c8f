"""Store spans: their table, whose usage counts, what it cost, what was open."""
