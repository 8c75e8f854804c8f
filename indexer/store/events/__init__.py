"""Events in the database: how one is stored, the table, and which of two copies is kept."""
