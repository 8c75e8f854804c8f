"""Commands for shell scripts: a wrapped command, and runs that a script starts and ends itself.

They answer within milliseconds, so nothing here imports click, SQLite or the rest of the indexer.
"""
