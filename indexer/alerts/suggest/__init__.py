"""Suggest rules from the history of jobs."""
