"""Ship the log and the rows of many hosts to one ClickHouse database, and compare the two."""
