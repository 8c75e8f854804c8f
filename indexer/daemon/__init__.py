"""The long-running indexer: its loop and the watch on the log directory."""
