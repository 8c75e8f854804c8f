"""The page of one run: its head, and a tab for each way to look at it."""
