"""Keep the database in step with the log: session, rebuild, freshness, verification."""
