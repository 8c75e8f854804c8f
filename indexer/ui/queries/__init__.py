"""What the pages ask of the database, one noun a file.

Every query is bounded: by a limit, by an index, or by the connection's deadline, and says so
where it did not see everything.
"""
