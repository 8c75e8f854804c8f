"""The tables beside `agent_runs` that are made of events: spans with their usage, and metrics."""
