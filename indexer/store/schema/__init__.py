"""The schema of the database: columns of runs, tables, views, and the script of all."""
