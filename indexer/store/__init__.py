"""SQL lives here and nowhere else: the schema, the connection, and one module a table."""
