"""Define the schema of the database: columns of runs, tables, views, and their script."""
