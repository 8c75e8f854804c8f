"""Talk to ClickHouse over HTTP: the address, requests, rows as bytes, and what answers mean."""
