"""The page of a fleet: what differs from the page of one host, and nothing else."""
