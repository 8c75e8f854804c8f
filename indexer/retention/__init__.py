"""Retention: archive, prune, backup, restore, redact."""
