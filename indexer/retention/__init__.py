"""Archive, prune, back up, restore and redact the log and the database."""
