"""Wrap a command for a run, and record runs that a shell script starts and ends itself.

They answer within milliseconds, so nothing here imports click, SQLite or the rest of the indexer.
"""
