"""SQL lives here and nowhere else: the schema, the connection, and a module for each table."""
