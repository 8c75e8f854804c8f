"""Full-text search over events: optional tables that the indexer keeps where it is asked to."""
