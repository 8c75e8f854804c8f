"""The long-running indexer, with its loop and the watch on the log directory."""
