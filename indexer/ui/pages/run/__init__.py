"""Show one run: its header, and a tab for each way to look at it."""
