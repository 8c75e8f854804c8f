"""How long data is kept: archive, prune, backup and restore."""
